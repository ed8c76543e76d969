#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
class Status;
}  // namespace leveldb

/// Single reads from our LevelDB. What cannot be read is kLogUnavailable, never "not there". Any
/// thread.

namespace assent::coordinator {

Error log_unavailable(std::string message);
/// "<what>: <LevelDB's words>"
Error log_unavailable(std::string_view what, const leveldb::Status& status);

/// nullopt: the database has no such key.
Result<std::optional<std::string>> read_value(leveldb::DB& db, std::string_view key);

/// A record that an index or a checkpoint names, so its absence is an error.
Result<StoredRecord> read_record(leveldb::DB& db, std::uint64_t number);

/// Numbers of the records whose idempotency key has this hash; oldest first.
Result<std::vector<std::uint64_t>> read_idempotency_index(leveldb::DB& db, std::uint64_t hash);

/// Number of the commit or rollback record of a transaction of this log.
Result<std::optional<std::uint64_t>> read_gtrid_index(leveldb::DB& db, const Gtrid& gtrid);

}  // namespace assent::coordinator
