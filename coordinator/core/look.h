#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/events.h"
#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "coordinator/core/timers.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/admin.h"
#include "protocol/message/agent.h"

namespace assent::coordinator {

/// nullptr: the log holds no decision of that gtrid.
inline const Decided* find_decided(const std::map<Gtrid, Decided>& decided, const Gtrid& gtrid) {
  const auto found = decided.find(gtrid);
  return found == decided.end() ? nullptr : &found->second;
}

/// A person's question for which the databases are looked at first, then the table, then the log:
/// the order of R2, so that what is in none of them was in none of them.
struct Look {
  using Question = std::variant<ListInDoubt, TellStory, ResolveTransaction, ForgetDamage>;

  ClientSessionId session{};
  RequestId request{};
  Question question;
  std::optional<Gtrid> gtrid;     ///< nullopt: whatever is in doubt
  std::vector<ToldRecord> story;  ///< of the gtrid

  std::set<std::string> awaited;  ///< participants whose answer is still to come
  std::map<std::string, Inspected> seen;
  std::map<std::string, Error> unreached;
  std::vector<Gtrid> transactions;  ///< what the answer is about, oldest first
  std::uint64_t more = 0;           ///< left out of them
  Timers::Handle timer;

  /// What the participant's database said of the branch; nullptr: nothing.
  const BranchSight* sight(const Xid& xid) const;
};

}  // namespace assent::coordinator
