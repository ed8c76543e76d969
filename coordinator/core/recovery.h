#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/config.h"
#include "coordinator/core/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// Of a record that this opening has written: above all that it found.
constexpr std::uint64_t kNumberUnknown = std::numeric_limits<std::uint64_t>::max();

struct NewestCommit {
  std::uint64_t number = 0;  ///< of its record
  DecidedBranch branch;

  friend bool operator==(const NewestCommit&, const NewestCommit&) = default;
};

struct RecordedAt {
  std::uint64_t number = 0;
  WallTime when;

  friend bool operator==(const RecordedAt&, const RecordedAt&) = default;
};

/// What the core must know of its log's past before it serves.
struct Past {
  LogId log_id{};
  Epoch epoch{};      ///< of this opening
  WallTime log_time;  ///< newest time in the log; time in it never goes backwards (R15)
  std::vector<CommitRecord> unfinished;       ///< committed and without an end, oldest first
  std::map<Gtrid, RecordedAt> unfinished_at;  ///< where each of them stands
  std::vector<HeuristicRecord> damaged;       ///< not forgotten by a HandRecord, oldest first
  std::map<Xid, RecordedAt> damaged_at;
  /// Number of the newest record by which a person has allowed new work in spite of the violations
  /// before it; 0: none.
  std::uint64_t violation_allowed = 0;
  /// Ends of commits numbered below it may be among what is missing, allowed or not: then the
  /// witness rows of their branches may have been told to go. 0: of none.
  std::uint64_t ends_missing_below = 0;
  /// Of each participant that ever voted: the newest branch committed, not by hand, and its
  /// record's number. Its witness row is never told to go, so a database that does not have it any
  /// more has lost history.
  std::vector<NewestCommit> newest;
  /// Participants with a branch that a person has committed since, and the number of its record.
  std::map<std::string, std::uint64_t> by_hand;
  /// Participants that a person has taken back since their newest commit, and the number of the
  /// record that says so: the database that was taken was told of it right afterwards.
  std::map<std::string, std::uint64_t> taken_back;
  /// Why nobody may presume that what is not in the log was not decided (design section 7): a
  /// sentence each. Empty: all is there, or a person has allowed it (Allowance::kPresume).
  std::vector<std::string> missing;
  std::uint64_t missing_to = 0;   ///< the highest number that is known to be missing; 0: none
  std::uint64_t given_up_to = 0;  ///< the highest number that a person has given up; 0: none
  /// Other logs of this coordinator that it has lost and a person has given up.
  std::set<LogId> given_up_logs;
  /// Decisions of epochs up to this one may be among what a person has given up.
  Epoch given_up_epoch{};
};

/// One record of a transaction, for its story.
struct ToldRecord {
  std::uint64_t number = 0;
  WallTime log_time;
  Record record;

  friend bool operator==(const ToldRecord&, const ToldRecord&) = default;
};

/// The numbers above `after` and below `before`.
struct NumberSpan {
  std::uint64_t after = 0;
  std::uint64_t before = kNumberUnknown;
};

struct NumberedCommit {
  std::uint64_t number = 0;
  CommitRecord commit;

  friend bool operator==(const NumberedCommit&, const NumberedCommit&) = default;
};

/// Kept by an opening of that epoch, a record that allows to presume gives up decisions of epochs
/// up to this one.
Epoch given_up_by(const HandRecord& allowed, Epoch opening);

/// A configuration that drops a participant with unfinished branches is refused (section 6): nobody
/// would ever tell them. One sentence that names each; no effect.
Result<> check_past(const Config& config, const Past& past);

}  // namespace assent::coordinator
