#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/time.h"

/// What callers ask of a database and what comes back, as it travels from client to agent.

namespace assent {

/// Raw bytes, apart from text so that the two cannot be confused when bound (bytea, VARBINARY).
struct Bytes {
  std::string data;

  friend bool operator==(const Bytes&, const Bytes&) = default;
};

/// A parameter or a column's value. Decimals and timestamps travel as text; monostate is SQL NULL.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes>;

/// One SQL statement with `?` markers, one for each parameter.
struct Statement {
  std::string sql;
  std::vector<Value> params;
  /// The branch is rolled back with kGuardNotMet when the statement affects (or returns) another
  /// number of rows.
  std::optional<std::int64_t> expect_rows;

  friend bool operator==(const Statement&, const Statement&) = default;
};

struct StatementResult {
  /// As SQLRowCount gives it: rows changed by INSERT, UPDATE, DELETE; rows returned by a query.
  std::int64_t rows_affected = 0;
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;

  friend bool operator==(const StatementResult&, const StatementResult&) = default;
};

/// A statement of a submit, and where it goes.
struct Step {
  std::string participant;
  Statement statement;
  /// Declared, and enforced by the database. A branch whose steps all say so is read-only: no
  /// witness, no second phase (R13).
  bool read_only = false;
  /// The statement takes shared locks that XA PREPARE would drop (F 13): its branch is prepared
  /// only when the work of all branches is done (section 9).
  bool shared_reads = false;

  friend bool operator==(const Step&, const Step&) = default;
};

/// Limits that hold before anything is looked at (R14); who meets one gets kInvalid, no effect.
inline constexpr std::size_t kStepsMax = 256;
inline constexpr std::size_t kParticipantsMax = 16;
inline constexpr std::size_t kKeyBytesMax = 200;
inline constexpr std::size_t kSqlBytesMax = 64 * 1024;
inline constexpr std::size_t kParamsMax = 1000;
inline constexpr std::size_t kFrameBytesMax = 4 * 1024 * 1024;
/// Rows and bytes that one statement may return; more fails the statement.
inline constexpr std::size_t kRowsMax = 1000;
inline constexpr std::size_t kRowBytesMax = 1024 * 1024;

}  // namespace assent
