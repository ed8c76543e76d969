#pragma once

#include <string>

#include "chaos/sandbox/sandbox.h"

namespace assent::live {

// The statements that make the tables of a participant, and their rows.
std::string schema_sql(Schema schema, DatabaseKind kind);

// The one that makes the ledger.
std::string ledger_sql(DatabaseKind kind);

}  // namespace assent::live
