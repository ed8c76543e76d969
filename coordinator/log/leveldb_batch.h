#pragma once

#include <leveldb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/log/leveldb_verify.h"
#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

namespace assent::coordinator {

/// Records with their index entries, as one write that takes place as a whole. Moves the tail as it
/// goes: if the write fails, the tail is of no use any more, as nothing else is (R12). One thread.
class Batch {
 public:
  /// What a record does to the set of unfinished commits: a commit joins it, an end (nullopt)
  /// leaves it.
  using Change = std::pair<Gtrid, std::optional<UnfinishedRecord>>;

  Batch(leveldb::DB& db, LogId log_id, LogTail& tail) : db_(db), log_id_(log_id), tail_(tail) {}

  /// kLogUnavailable: the index of keys can't be read.
  Result<> add(const Record& record, bool forced, WallTime now);
  void add(const CheckpointRecord& checkpoint, WallTime now);
  /// Forced; its epoch is the one after the tail's.
  void add_opening(std::uint64_t nonce, WallTime now);

  leveldb::WriteBatch& writes() { return writes_; }
  const std::vector<Change>& changes() const { return changes_; }  ///< in their order

 private:
  RecordHeader next_header(bool forced, WallTime now) const;
  template <typename AnyRecord>
  RecordHeader put(const AnyRecord& record, bool forced, WallTime now);
  Result<> add_indexes(std::uint64_t number, const Gtrid& gtrid, std::string_view key);
  Result<> add_to_key_index(std::uint64_t hash, std::uint64_t number);

  leveldb::DB& db_;
  const LogId log_id_;
  LogTail& tail_;
  leveldb::WriteBatch writes_;
  std::vector<Change> changes_;
  std::string bytes_;                                         ///< of one record; kept for its room
  std::unordered_map<std::uint64_t, std::string> key_index_;  ///< entries written here, by hash
};

}  // namespace assent::coordinator
