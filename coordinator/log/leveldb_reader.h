#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
class Iterator;
class Status;
}  // namespace leveldb

/// Single reads from our LevelDB. What cannot be read is kLogUnavailable, never "not there". Any
/// thread.

namespace assent::coordinator {

Error log_unavailable(std::string message);
/// What is there can't be believed, and there is no going on with it: says which ways there are.
Error log_damaged(std::string_view what);
/// "<what>: <LevelDB's words>"; damaged, if LevelDB says so.
Error log_unavailable(std::string_view what, const leveldb::Status& status);

/// nullopt: the database has no such key.
Result<std::optional<std::string>> read_value(leveldb::DB& db, std::string_view key);

/// A record that an index or a checkpoint names, so its absence is an error.
Result<StoredRecord> read_record(leveldb::DB& db, std::uint64_t number);

/// Numbers of the records whose idempotency key has this hash; oldest first.
Result<std::vector<std::uint64_t>> read_idempotency_index(leveldb::DB& db, std::uint64_t hash);

/// Numbers of a transaction's records, but its end's: first that of its commit or rollback record,
/// 0 if there is none; then those of its heuristic outcomes and of what was done by hand, oldest
/// first. Empty: there are none.
Result<std::vector<std::uint64_t>> read_gtrid_index(leveldb::DB& db, LogId log_id,
                                                    const Gtrid& gtrid);

/// A walk over the records of a log as they were when it began, in either direction. One thread.
class RecordWalk {
 public:
  explicit RecordWalk(leveldb::DB& db);
  ~RecordWalk();
  RecordWalk(const RecordWalk&) = delete;
  RecordWalk& operator=(const RecordWalk&) = delete;

  void to_last();
  void to(std::uint64_t number);  ///< or to the next one that is there
  void forward();
  void back();

  /// Number of the record here; nullopt: no record here, the walk is over.
  Result<std::optional<std::uint64_t>> number() const;
  std::string_view bytes() const;                           ///< until the next move
  Result<StoredRecord> record(std::uint64_t number) const;  ///< the one here, which has this number

 private:
  std::unique_ptr<leveldb::Iterator> at_;
};

}  // namespace assent::coordinator
