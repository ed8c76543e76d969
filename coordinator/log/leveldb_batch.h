#pragma once

#include <leveldb/write_batch.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "coordinator/log/leveldb_removal.h"
#include "coordinator/log/log_state.h"
#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

namespace assent::coordinator {

/// Records with their index entries, as one write that takes place as a whole. Moves the state as
/// it goes: if the write fails, the state is of no use any more, as nothing else is (R12). One
/// thread.
class Batch {
 public:
  Batch(leveldb::DB& db, LogId log_id, LogState& state) : db_(db), log_id_(log_id), state_(state) {}

  /// kLogUnavailable: an index can't be read.
  Result<> add(const Record& record, bool forced, WallTime now);
  /// `now`: as in `add`; without it the log's time stays.
  void add_checkpoint(WallTime now = {});
  /// Forced; of the epoch given.
  void add_opening(Epoch epoch, const OpeningRecord& opening, WallTime now);

  /// Only what the index entries name, so that nothing else of them is lost. kLogUnavailable: an
  /// index can't be read.
  Result<> remove(const Removal& removal);
  /// A part of what goes, so that no decision waits for it. With the first one nothing goes yet,
  /// but a checkpoint says so (`oldest` is 0 from then on): once that is durable whoever finds a
  /// record gone finds the low water raised.
  Result<> remove_a_piece(RemovableRecords& records, std::size_t removals_max);

  leveldb::WriteBatch& writes() { return writes_; }

 private:
  RecordHeader next_header(Epoch epoch, bool forced, WallTime now) const;
  template <typename AnyRecord>
  std::uint64_t put(RecordHeader header, const AnyRecord& record);

  Result<> index(std::uint64_t number, const CommitRecord& record);
  Result<> index(std::uint64_t number, const RollbackRecord& record);
  static Result<> index(std::uint64_t number, const EndRecord& record);
  Result<> index(std::uint64_t number, const HeuristicRecord& record);
  Result<> index(std::uint64_t number, const HandRecord& record);
  static Result<> index(std::uint64_t number, const LossRecord& record);
  Result<> index_key(std::uint64_t number, std::string_view key);
  Result<> index_decision(std::uint64_t number, const Gtrid& gtrid);
  Result<> index_beside_decision(std::uint64_t number, const Gtrid& gtrid);
  Result<> remove_from_gtrid_index(const Removal& removal);
  Result<> remove_from_key_index(const Removal& removal);
  Result<std::string*> entry(std::string&& at);

  leveldb::DB& db_;
  const LogId log_id_;
  LogState& state_;
  leveldb::WriteBatch writes_;
  std::string bytes_;                                     ///< of one record; kept for its room
  std::unordered_map<std::string, std::string> entries_;  ///< of the indexes, as written here
};

}  // namespace assent::coordinator
