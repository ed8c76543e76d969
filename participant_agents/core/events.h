#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/proof.h"
#include "protocol/message/statement.h"

/// Everything that can happen to the agent core. One at a time, on one thread.

namespace assent::agent {

/// One connection from a coordinator; never reused within a process.
enum class LinkId : std::uint64_t {};

/// A hello whose version, coordinator name, token and participant were found right.
struct HelloArrived {
  LinkId link{};
  Hello hello;
};

struct RequestArrived {
  LinkId link{};
  AgentRequest request;
};

struct LinkGone {
  LinkId link{};
};

/// Answer to RaiseFence: the database as it is now, or why the hello must be refused.
struct FenceRaised {
  LinkId link{};
  DatabaseIdentity database;
  std::uint64_t top = 0;  ///< of the row before; 0: there was none, or it was not read
  std::optional<Error> error;
  bool missing = false;          ///< refused because the log does not hold what the row was told of
  std::vector<OtherLog> others;  ///< as in the welcome
  Epoch epoch{};                 ///< of the row before
};

/// Answer to StartWork and StartPrepare. Unless `open`, no database session has anything to do with
/// the branch any more: it is idle, or was ended and seen gone (F 8).
struct WorkEnded {
  Xid xid;
  bool open = false;  ///< the branch stands unprepared on its session; never with an error
  std::vector<StatementResult> results;
  std::optional<Error> error;
  Vote vote = Vote::kUnknown;  ///< means nothing while open
  BranchProof proof;           ///< with kPrepared
};

/// Answer to StartRollBackOpen, StartCommit and StartRollback. The session is idle or was ended and
/// seen gone.
struct FinishEnded {
  Xid xid;
  Completion completion = Completion::kUnreached;
  Evidence evidence = Evidence::kNone;
  std::optional<Error> error;
};

/// Answer to StartList.
struct ListEnded {
  LinkId link{};
  std::uint64_t scan = 0;
  std::vector<PreparedBranch> branches;
  std::uint64_t foreign = 0;
  std::optional<Error> error;
  std::uint64_t fence_top = 0;  ///< of the row by now; 0: it was not to be raised
  bool put_back = false;        ///< with an error: the row is behind where it was left, or gone
};

/// Answer to StartInspect.
struct InspectEnded {
  LinkId link{};
  std::uint64_t serial = 0;
  std::vector<BranchSight> branches;
  std::vector<ForeignBranch> foreign;
  std::optional<Error> error;
};

/// next_deadline() has come.
struct TimePassed {};

using Event = std::variant<HelloArrived, RequestArrived, LinkGone, FenceRaised, WorkEnded,
                           FinishEnded, ListEnded, InspectEnded, TimePassed>;

}  // namespace assent::agent
