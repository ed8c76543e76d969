#include "coordinator/log/leveldb_batch.h"

#include <leveldb/db.h>

#include <algorithm>
#include <variant>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"

namespace assent::coordinator {

RecordHeader Batch::next_header(bool forced, WallTime now) const {
  RecordHeader header;
  header.forced = forced;
  header.epoch = tail_.epoch;
  header.number = tail_.newest + 1;
  header.log_time = std::max(now, tail_.log_time);  // never backwards (R15)
  header.previous = tail_.chain;
  return header;
}

template <typename AnyRecord>
RecordHeader Batch::put(const AnyRecord& record, bool forced, WallTime now) {
  RecordHeader header = next_header(forced, now);
  bytes_.clear();
  encode_record(header, record, bytes_);
  writes_.Put(record_key(header.number), bytes_);
  tail_.newest = header.number;
  tail_.chain = header.checksum;
  tail_.log_time = header.log_time;
  if (forced) tail_.top = header.number;
  return header;
}

Result<> Batch::add(const Record& record, bool forced, WallTime now) {
  const RecordHeader header = put(record, forced, now);
  if (const auto* commit = std::get_if<CommitRecord>(&record)) {
    if (awaits_end(*commit)) {
      changes_.emplace_back(commit->gtrid, UnfinishedRecord{header.number, header.checksum});
    }
    return add_indexes(header.number, commit->gtrid, commit->key);
  }
  if (const auto* rollback = std::get_if<RollbackRecord>(&record)) {
    return add_indexes(header.number, rollback->gtrid, rollback->key);
  }
  changes_.emplace_back(std::get<EndRecord>(record).gtrid, std::nullopt);
  return {};
}

void Batch::add(const CheckpointRecord& checkpoint, WallTime now) {
  tail_.checkpoint = put(checkpoint, false, now).number;
}

void Batch::add_opening(std::uint64_t nonce, WallTime now) {
  tail_.epoch = Epoch{static_cast<std::uint32_t>(tail_.epoch) + 1};
  put(OpeningRecord{log_id_, nonce}, true, now);
}

Result<> Batch::add_indexes(std::uint64_t number, const Gtrid& gtrid, std::string_view key) {
  if (gtrid.sequence != Sequence{}) {  // else: a key settled without a transaction
    std::string value;
    append_number(number, value);
    writes_.Put(gtrid_key(gtrid), value);
  }
  if (key.empty()) return {};
  return add_to_key_index(idempotency_hash(log_id_, key), number);
}

/// Another key may have the same hash, in the database or in this batch: its numbers stay.
Result<> Batch::add_to_key_index(std::uint64_t hash, std::uint64_t number) {
  const std::string at = idempotency_index_key(hash);
  const auto [entry, is_new] = key_index_.try_emplace(hash);
  if (is_new) {
    auto before = read_value(db_, at);
    if (!before) return std::move(before).error();
    if (*before) entry->second = std::move(**before);
  }
  append_number(number, entry->second);
  writes_.Put(at, entry->second);
  return {};
}

}  // namespace assent::coordinator
