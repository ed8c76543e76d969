#include "participant_agents/rm/xa_codes.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace assent::rm {
namespace {

struct StateRow {
  std::string_view prefix;  ///< of the SQLSTATE: five characters, or two for a class
  Meaning meaning;
};

/// PostgreSQL answers by SQLSTATE (its manual, appendix A). The first row that fits counts.
constexpr std::array kPostgresStates = {
    StateRow{"40", Meaning::kConflict},            // serialization 40001, deadlock 40P01
    StateRow{"55P03", Meaning::kConflict},         // lock_timeout, NOWAIT
    StateRow{"57014", Meaning::kConflict},         // statement_timeout, or cancelled by a person
    StateRow{"55000", Meaning::kBranchElsewhere},  // "prepared transaction is busy" (F 4)
    StateRow{"42710", Meaning::kDuplicateBranch},  // F 3; steps create no objects
    StateRow{"42704", Meaning::kNoSuchBranch},     // F 4
    StateRow{"28", Meaning::kUnfit},               // password or pg_hba.conf
    StateRow{"3D000", Meaning::kUnfit},            // no such database
    StateRow{"53", Meaning::kBusy},                // 53200 max_prepared_transactions (F 3), 53300
    StateRow{"57P", Meaning::kConnectionLost},     // terminated, starting, stopping, idle too long
    StateRow{"25P03", Meaning::kConnectionLost},   // idle_in_transaction_session_timeout
    StateRow{"08", Meaning::kConnectionLost},      // also the driver's own words for a dead socket
    StateRow{"HYT", Meaning::kConnectionLost},     // the driver's timeouts
    StateRow{"HY000", Meaning::kConnectionLost},   // psqlODBC, when the server left in mid-answer
};

struct NativeRow {
  std::int32_t native;
  Meaning meaning;
};

/// MariaDB answers by native code: its SQLSTATE is HY000 for lock timeouts and refused connections
/// alike (MariaDB manual, "MariaDB Error Codes").
constexpr std::array kMariadbNatives = {
    NativeRow{1205, Meaning::kConflict},          // innodb_lock_wait_timeout, lock_wait_timeout
    NativeRow{1213, Meaning::kConflict},          // deadlock
    NativeRow{1020, Meaning::kConflict},          // innodb_snapshot_isolation
    NativeRow{1969, Meaning::kConflict},          // max_statement_time
    NativeRow{1317, Meaning::kConflict},          // KILL QUERY
    NativeRow{1040, Meaning::kBusy},              // max_connections
    NativeRow{1203, Meaning::kBusy},              // max_user_connections
    NativeRow{1226, Meaning::kBusy},              // a resource limit of the account
    NativeRow{1041, Meaning::kBusy},              // out of memory
    NativeRow{1044, Meaning::kUnfit},             // no right to the database
    NativeRow{1045, Meaning::kUnfit},             // password
    NativeRow{1049, Meaning::kUnfit},             // no such database
    NativeRow{1698, Meaning::kUnfit},             // account without a password login
    NativeRow{1053, Meaning::kConnectionLost},    // shutdown in progress
    NativeRow{1927, Meaning::kConnectionLost},    // connection was killed
    NativeRow{1440, Meaning::kDuplicateBranch},   // XAER_DUPID (F 14)
    NativeRow{1397, Meaning::kNoSuchBranch},      // XAER_NOTA (F 9)
    NativeRow{1399, Meaning::kBranchElsewhere},   // XAER_RMFAIL: not in that state (F 14)
    NativeRow{1400, Meaning::kBranchElsewhere},   // XAER_OUTSIDE (F 14)
    NativeRow{1402, Meaning::kBranchRolledBack},  // XA_RBROLLBACK (F 13)
    NativeRow{1613, Meaning::kBranchRolledBack},  // XA_RBTIMEOUT
    NativeRow{1614, Meaning::kBranchRolledBack},  // XA_RBDEADLOCK
};

/// 2000 to 2999 are the client library's own (errmsg.h): refused, gone, out of step. Whatever it
/// was, the connection can't be trusted any more.
bool is_client_library_code(std::int32_t native) {
  return native >= 2000 && native <= 2999;
}

/// Where MariaDB's driver speaks for itself: no native code of the server.
constexpr std::array kDriverStates = {
    StateRow{"08", Meaning::kConnectionLost},   // ODBC, appendix A
    StateRow{"HYT", Meaning::kConnectionLost},  // ODBC, appendix A
};

constexpr std::array<std::string_view, 2> kPostgresNoTable = {
    "42P01",  // undefined_table, also in a schema that is not there
    "3F000",  // invalid_schema_name
};
constexpr std::array<std::int32_t, 2> kMariadbNoTable = {
    1146,  // ER_NO_SUCH_TABLE, also in a database that is not there
    1049,  // ER_BAD_DB_ERROR
};

template <typename Rows>
Meaning by_state(const Rows& rows, std::string_view sqlstate) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const StateRow& known) {
    return sqlstate.starts_with(known.prefix);
  });
  return row == rows.end() ? Meaning::kRefused : row->meaning;
}

}  // namespace

Meaning meaning_of(Kind kind, const odbc::Diagnostic& diagnostic) {
  if (diagnostic.sqlstate.empty()) return Meaning::kConnectionLost;  // the driver gave no reason
  if (kind == Kind::kPostgres) return by_state(kPostgresStates, diagnostic.sqlstate);
  if (is_client_library_code(diagnostic.native)) return Meaning::kConnectionLost;
  const auto row =
      std::find_if(kMariadbNatives.begin(), kMariadbNatives.end(),
                   [&](const NativeRow& known) { return known.native == diagnostic.native; });
  return row == kMariadbNatives.end() ? by_state(kDriverStates, diagnostic.sqlstate) : row->meaning;
}

ErrorCode to_error_code(Meaning meaning) {
  switch (meaning) {
    case Meaning::kConflict:
      return ErrorCode::kConflict;
    case Meaning::kBusy:
      return ErrorCode::kBusy;
    case Meaning::kConnectionLost:
      return ErrorCode::kConnectionLost;
    case Meaning::kUnfit:
      return ErrorCode::kDatabaseUnfit;
    case Meaning::kRefused:
    case Meaning::kDuplicateBranch:
    case Meaning::kNoSuchBranch:
    case Meaning::kBranchElsewhere:
    case Meaning::kBranchRolledBack:
      return ErrorCode::kStatementFailed;
  }
  return ErrorCode::kStatementFailed;
}

bool shows_no_table(Kind kind, const Error& refused) {
  const auto is_in = [](const auto& codes, const auto& code) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
  };
  return kind == Kind::kPostgres ? is_in(kPostgresNoTable, refused.sqlstate)
                                 : is_in(kMariadbNoTable, refused.native);
}

Error to_error(const Settings& settings, const odbc::Diagnostic& diagnostic, Effect effect) {
  return {.code = to_error_code(meaning_of(settings.kind, diagnostic)),
          .effect = effect,
          .message = "the database said: " + diagnostic.message,
          .participant = settings.participant,
          .sqlstate = diagnostic.sqlstate,
          .native = diagnostic.native};
}

}  // namespace assent::rm
