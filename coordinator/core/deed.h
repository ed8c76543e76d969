#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/events.h"
#include "coordinator/core/record.h"
#include "protocol/message/admin.h"

namespace assent::coordinator {

/// What a person does to one transaction: planned on what the databases, the table and the log
/// show, then recorded, then done.
struct Deed {
  enum class What : std::uint8_t {
    kDecide,        ///< the whole of a transaction without a record
    kRollBackLive,  ///< ask the coordinator to roll back what it has not decided
    kFinishListed,  ///< tell one listed branch in hazard how to end
    kDeclare,       ///< say how a branch in hazard has ended
    kForget,
  };

  What what = What::kDecide;
  ClientSessionId session{};
  RequestId request{};
  HandRecord hand;
  std::optional<Record> decision;       ///< of kDecide: forced behind `hand`
  std::vector<DecidedBranch> branches;  ///< found prepared: of kDecide, kFinishListed
  std::optional<Gtrid> next_attempt;    ///< of kRollBackLive: the request went over to it
  ActionTold told;

  /// Decides to commit a branch there.
  bool commits_at(const std::string& participant) const {
    if (!decision || !std::holds_alternative<CommitRecord>(*decision)) return false;
    return std::any_of(branches.begin(), branches.end(), [&participant](const auto& branch) {
      return branch.xid.bqual == participant;
    });
  }
};

}  // namespace assent::coordinator
