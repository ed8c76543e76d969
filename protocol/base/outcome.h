#pragma once

#include <cstdint>
#include <string_view>

/// The words of two-phase commit (X/Open DTP). Numbers stand on the wire and in the log: never
/// renumber.

namespace assent {

/// What a branch answered to prepare.
enum class Vote : std::uint8_t {
  kPrepared = 1,    ///< proved: listed by the database as prepared (section 6)
  kReadOnly = 2,    ///< declared and enforced read-only; ended, needs no second phase (R13)
  kRolledBack = 3,  ///< proved: nothing of it is left
  kUnknown =
      4,  ///< connection lost or the like: counts as a no, and may still turn up prepared (R5)
};

enum class Decision : std::uint8_t {
  kCommit = 1,
  kRollback = 2,
};

/// What became of a branch when it was told the decision, proved by evidence in the database
/// (section 6).
enum class Completion : std::uint8_t {
  kCommitted = 1,
  kRolledBack = 2,
  kStillPrepared = 3,  ///< listed; try again
  kCannotTell = 4,     ///< neither listed nor provable: heuristic hazard, for a person
  kUnreached = 5,      ///< the database could not be asked; try again
};

/// What shows the Completion.
enum class Evidence : std::uint8_t {
  kNone = 0,
  kListed = 1,             ///< the prepared list
  kDatabaseAnswer = 2,     ///< a positive answer that facts.md found to be reliable here
  kTransactionStatus = 3,  ///< pg_xact_status of the transaction id recorded with the vote
  kWitnessRow = 4,         ///< the branch's own row
  kNoWitnessRow = 5,       ///< surely gone and without the row
  kNeverPrepared = 6,      ///< this incarnation rolled it back itself before any prepare was sent
};

/// What a caller is told of a global transaction (R15).
enum class Outcome : std::uint8_t {
  kCommitted = 1,
  kRolledBack = 2,
  kInProgress = 3,
  kUnknown = 4,
  kRefused = 5,  ///< this request had no effect; the key stays free
  kExpired = 6,
  kNoRecord = 7,  ///< nothing is known of the key now; promises nothing about copies under way
};

/// How a branch came to stand against the decision (X/Open DTP).
enum class Heuristic : std::uint8_t {
  kCommitted = 1,   ///< proved committed, and the decision is rollback
  kRolledBack = 2,  ///< proved rolled back, and the decision is commit
  kHazard = 3,      ///< what became of it can't be told
};

/// What only a person may allow.
enum class Allowance : std::uint8_t {
  kPresume = 1,    ///< presume abort although decisions are missing from the log
  kHistory = 2,    ///< take work to a participant whose history changed
  kClock = 3,      ///< the clock's jump was right
  kViolation = 4,  ///< take new work after a violation was seen (R6)
};

std::string_view to_string(Vote);
std::string_view to_string(Decision);
std::string_view to_string(Completion);
std::string_view to_string(Evidence);
std::string_view to_string(
    Outcome);  ///< as in assentctl's JSON: committed, rolled_back, in_progress ...

std::string_view to_string(Heuristic);  ///< heuristic commit, heuristic rollback, heuristic hazard
std::string_view to_string(Allowance);  ///< presume, history, clock, violation

}  // namespace assent
