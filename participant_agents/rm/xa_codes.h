#pragma once

#include "participant_agents/rm/odbc.h"
#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"

/// What the codes of databases and drivers mean to a branch: one table, each row with its source.

namespace assent::rm {

enum class Meaning {
  kConflict,          ///< a new try of the whole transaction may succeed
  kRefused,           ///< a no: the statement or the prepare was refused
  kBusy,              ///< the server is out of something
  kConnectionLost,    ///< whatever was under way: effect unknown
  kUnfit,             ///< the account or the database of the configuration
  kDuplicateBranch,   ///< a branch of that name is there already
  kNoSuchBranch,      ///< never proof of anything by itself (F 4, F 9)
  kBranchElsewhere,   ///< another session has the branch in its hands
  kBranchRolledBack,  ///< the database rolled the branch back by itself
};

/// Codes that no row knows are kRefused: a no is safe where a statement failed, and whoever asks
/// for an outcome looks it up.
Meaning meaning_of(Kind kind, const odbc::Diagnostic& diagnostic);

ErrorCode to_error_code(Meaning meaning);

/// A statement was refused since its table, the table's schema or the database is not there. Any
/// other refusal (a right that was taken away, a page that can't be read) says nothing of it.
bool shows_no_table(Kind kind, const Error& refused);

/// The database's words with their meaning; `effect` is the caller's to know.
Error to_error(const Settings& settings, const odbc::Diagnostic& diagnostic, Effect effect);

}  // namespace assent::rm
