#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/workload/checker.h"

/// What the decision log says, read from outside: the lines of `assentctl log dump`.

namespace assent::workload {

struct LogRecord {
  enum class Kind : std::uint8_t { kCommit, kRollback, kHeuristic, kOther };

  std::uint64_t number = 0;
  Kind kind = Kind::kOther;
  std::string gtrid;        ///< of the first three kinds; empty: a key was settled that had none
  std::string key;          ///< of a decision
  std::string participant;  ///< of a heuristic outcome
};

/// nullopt: not such a line; a damaged record's is none.
std::optional<LogRecord> parse_log_line(std::string_view line);

/// A row by which a MariaDB proves that a branch has committed.
struct WitnessRow {
  std::string participant;
  std::string gtrid;
};

struct LogEvidence {
  std::vector<LogRecord> records;  ///< oldest first, all of a log from which nothing was removed
  std::vector<std::string> wrong;  ///< what the log's own verification says
  std::vector<WitnessRow> witnesses;
};

/// Of the branches that were rolled back by hand: those whose transaction was committed.
Damaged damaged_by_hand(const LogEvidence& log, const Injected& injected);

///   I7 the log is whole and dense, one decision for each gtrid and key; what was told stands in
///   it,
///      and what stands in it was told; ledgers and witness rows agree with it
/// `after`: the ledgers, participants in any order and more than once.
std::vector<Violation> check_log(const LogEvidence& log, const History& history,
                                 const Evidence& after, const Damaged& damaged);

///   I11 every foreign branch is as it was left
///   I12 every heuristic outcome has an injected cause, and every injected one was noticed
std::vector<Violation> check_injected(const LogEvidence& log, const Injected& injected,
                                      const Evidence& after);

}  // namespace assent::workload
