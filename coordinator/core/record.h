#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/admin.h"
#include "protocol/message/proof.h"

/// What the coordinator makes durable. docs/LOG_FORMAT.md gives the bytes; coordinator/log/record
/// encodes them.

namespace assent::coordinator {

/// Names one forced append; chosen by the core, given back when it is durable.
enum class LogToken : std::uint64_t {};

/// SHA-256 over the canonical encoding of a request (R15, docs/PROTOCOL.md).
using RequestHash = std::array<std::uint8_t, 32>;

/// A branch that voted yes, with what will prove its end.
struct DecidedBranch {
  Xid xid;
  BranchProof proof;

  friend bool operator==(const DecidedBranch&, const DecidedBranch&) = default;
};

/// The decision to commit: forced before any commit message and before any positive answer (R1).
/// Without branches for a keyed transaction that needs no second phase (R13).
struct CommitRecord {
  Gtrid gtrid;
  std::string key;  ///< empty: none
  RequestHash request_hash{};
  std::optional<WallTime> not_after;
  std::vector<DecidedBranch> branches;
  bool by_hand = false;  ///< a person decided it; a HandRecord before it says who and why

  friend bool operator==(const CommitRecord&, const CommitRecord&) = default;
};

/// nullptr: no branch of the commit has that xid.
inline const DecidedBranch* find_branch(const CommitRecord& record, const Xid& xid) {
  const auto found = std::find_if(record.branches.begin(), record.branches.end(),
                                  [&xid](const DecidedBranch& b) { return b.xid == xid; });
  return found == record.branches.end() ? nullptr : &*found;
}

/// A final "rolled back", or "expired", for a key: forced before the answer (R15). Presumed abort
/// needs none for the agents.
struct RollbackRecord {
  Gtrid gtrid;  ///< of the last attempt; sequence 0 when the key was bound without one
  std::string key;
  RequestHash request_hash{};  ///< zeros when settled without a request
  std::optional<WallTime> not_after;
  Error reason;

  friend bool operator==(const RollbackRecord&, const RollbackRecord&) = default;
};

/// What showed the end of a branch.
struct BranchEnd {
  std::string bqual;
  Evidence evidence = Evidence::kNone;

  friend bool operator==(const BranchEnd&, const BranchEnd&) = default;
};

/// Every branch of a committed transaction has been proved committed, or has a HeuristicRecord. Not
/// forced: if it is lost, phase two runs again.
struct EndRecord {
  Gtrid gtrid;
  /// Only of branches whose end was not simply acknowledged (Evidence::kDatabaseAnswer).
  std::vector<BranchEnd> ends;

  friend bool operator==(const EndRecord&, const EndRecord&) = default;
};

/// A branch stands against the decision, or what became of it can't be told (X/Open's heuristic
/// outcomes). Forced before anybody is told. The newest of an xid counts; pinned, also across
/// retention and openings, until a HandRecord forgets it.
struct HeuristicRecord {
  Xid xid;
  Decision decision = Decision::kCommit;  ///< that of the whole transaction
  Heuristic heuristic = Heuristic::kHazard;
  Evidence evidence = Evidence::kNone;
  std::string detail;  ///< a sentence, at most 1024 bytes
  /// The opposite of what was decided was done: no new work until a person allows it (R6).
  bool violation = false;

  friend bool operator==(const HeuristicRecord&, const HeuristicRecord&) = default;
};

/// Numbers stand in the log.
enum class HandAction : std::uint8_t {
  kResolve = 1,  ///< decided a whole transaction
  kFinish = 2,   ///< said how one branch in hazard is to end
  kForget = 3,   ///< unpinned the damage of a transaction, or of one participant in it
  kAllow = 4,
};

/// What a person did: forced before it is done. The records of this type are chained by SHA-256;
/// the log keeps the chain (docs/LOG_FORMAT.md).
struct HandRecord {
  HandAction action = HandAction::kForget;
  std::optional<Gtrid> gtrid;          ///< all but kAllow
  std::string participant;             ///< empty: all, or none
  std::optional<Decision> decision;    ///< kResolve, kFinish
  std::optional<Allowance> allowance;  ///< kAllow
  /// kAllow of kPresume: decisions up to this number are given up; the log goes on behind it.
  std::uint64_t missing_to = 0;
  std::set<LogId> lost_logs;  ///< kAllow of kPresume: logs that are given up
  /// kAllow of kPresume: the highest epoch of another opening that is given up, since it has
  /// deposed this one or has given gtrids that are not this one's; the next begins above it.
  Epoch above{};
  std::vector<std::string> despite;   ///< participants that were not reached
  std::vector<std::string> evidence;  ///< what was shown before it: a sentence each
  std::string by;
  std::string reason;

  friend bool operator==(const HandRecord&, const HandRecord&) = default;
};

/// A database has shown that decisions are missing from the log. Waits, over openings, until a
/// person allows to presume: by then the database may not show it any more. Not forced: until it is
/// durable the next opening is shown the same.
struct LossRecord {
  std::string what;              ///< a sentence without its stop, at most 1024 bytes
  std::uint64_t missing_to = 0;  ///< the highest number that is known to be missing; 0: not known

  friend bool operator==(const LossRecord&, const LossRecord&) = default;
};

using Record =
    std::variant<CommitRecord, RollbackRecord, EndRecord, HeuristicRecord, HandRecord, LossRecord>;

/// Answers of the log about one key or one gtrid.
struct Decided {
  std::variant<CommitRecord, RollbackRecord> record;

  friend bool operator==(const Decided&, const Decided&) = default;
};

}  // namespace assent::coordinator
