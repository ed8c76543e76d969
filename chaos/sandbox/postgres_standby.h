#pragma once

#include <memory>

#include "chaos/sandbox/database_server.h"

namespace assent::live {

// An asynchronous standby of a running PostgreSQL, with the primary's accounts and `spec` for its
// own folder and port. It follows the primary from its start until it is promoted. Not started.
std::unique_ptr<DatabaseServer> make_postgres_standby(DatabaseServer& primary, DatabaseSpec spec);

// Returns when it has replayed all that the primary, which runs, has written.
void wait_until_caught_up(DatabaseServer& standby, DatabaseServer& primary);

// Returns when it takes writes, on a timeline of its own.
void promote(DatabaseServer& standby);

}  // namespace assent::live
