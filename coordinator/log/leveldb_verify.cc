#include "coordinator/log/leveldb_verify.h"

#include <fmt/format.h>
#include <leveldb/db.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"

namespace assent::coordinator {
namespace {

std::string_view view(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

Error missing(std::uint64_t first, std::uint64_t last) {
  if (first == last) return log_unavailable(fmt::format("record {} is missing", first));
  return log_unavailable(fmt::format("records {} to {} are missing", first, last));
}

Error wrong(std::uint64_t number, std::string_view what) {
  return log_unavailable(fmt::format("record {}: {}", number, what));
}

/// A walk over the records of a log, in either direction.
class Records {
 public:
  explicit Records(leveldb::DB& db) : at_(db.NewIterator(options())) {}

  void to_last() { at_->SeekToLast(); }
  void to(std::uint64_t number) { at_->Seek(record_key(number)); }
  void forward() { at_->Next(); }
  void back() { at_->Prev(); }

  /// Number of the record here; nullopt: no record here, the walk is over.
  Result<std::optional<std::uint64_t>> number() const {
    if (at_->Valid()) return parse_record_key(view(at_->key()));
    // A block that can't be read ends the walk too.
    if (!at_->status().ok()) return log_unavailable("reading the decision log", at_->status());
    return std::optional<std::uint64_t>{};
  }

  std::string_view bytes() const { return view(at_->value()); }

 private:
  static leveldb::ReadOptions options() {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    return options;
  }

  std::unique_ptr<leveldb::Iterator> at_;
};

/// What every record must agree on with the one before it.
class Chain {
 public:
  explicit Chain(LogId log_id) : log_id_(log_id) {}

  Result<> follow(std::uint64_t key, const StoredRecord& record) {
    const RecordHeader& header = record.header;
    if (header.number != key) return wrong(key, fmt::format("it is record {}", header.number));
    if (before_ && header.number != before_->number + 1) {
      return missing(before_->number + 1, header.number - 1);
    }
    if (const char* doubt = doubt_link(header); doubt != nullptr) return wrong(key, doubt);
    if (const char* doubt = doubt_payload(record); doubt != nullptr) return wrong(key, doubt);
    before_ = header;
    return {};
  }

 private:
  const char* doubt_link(const RecordHeader& header) const {
    if (header.number == 1 && header.previous != chain_start(log_id_)) {
      return "it does not begin this log";
    }
    if (!before_) return nullptr;
    if (header.previous != before_->checksum) return "it does not follow the record before it";
    if (header.log_time < before_->log_time) return "its time is before that of the one before it";
    const bool opens = header.type == RecordType::kOpening;
    const auto epoch = static_cast<std::uint32_t>(before_->epoch) + (opens ? 1U : 0U);
    if (header.epoch != Epoch{epoch}) return "its epoch is not the one that it was opened with";
    return nullptr;
  }

  const char* doubt_payload(const StoredRecord& record) const {
    constexpr const char* kForeign = "it is of another log";
    if (const auto* opening = std::get_if<OpeningRecord>(&record.payload)) {
      return opening->log_id == log_id_ ? nullptr : kForeign;
    }
    const Gtrid* gtrid = gtrid_of(record.payload);
    if (gtrid == nullptr) return nullptr;
    if (gtrid->log_id != log_id_) return kForeign;
    return gtrid->epoch <= record.header.epoch ? nullptr : "its gtrid is of a later epoch";
  }

  static const Gtrid* gtrid_of(const RecordPayload& payload) {
    if (const auto* commit = std::get_if<CommitRecord>(&payload)) return &commit->gtrid;
    if (const auto* rollback = std::get_if<RollbackRecord>(&payload)) return &rollback->gtrid;
    if (const auto* end = std::get_if<EndRecord>(&payload)) return &end->gtrid;
    return nullptr;
  }

  const LogId log_id_;
  std::optional<RecordHeader> before_;
};

Result<StoredRecord> decode_at(const Records& records, std::uint64_t number) {
  auto record = decode_record(records.bytes());
  if (!record) return wrong(number, record.error().message);
  return record;
}

/// Goes back from the newest record to the last checkpoint, or to record 1. Returns the number it
/// stands on.
Result<std::uint64_t> find_start(Records& records, std::uint64_t newest) {
  for (std::uint64_t expected = newest;; --expected) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return missing(1, expected);
    if (**number != expected) return missing(**number + 1, expected);
    const auto header = decode_record_header(records.bytes());
    if (!header) return wrong(expected, header.error().message);
    if (header->type == RecordType::kCheckpoint || expected == 1) return expected;
    records.back();
  }
}

Result<> load_unfinished(leveldb::DB& db, LogId log_id, const CheckpointRecord& checkpoint,
                         LogState& state) {
  for (const auto& listed : checkpoint.unfinished) {
    auto record = read_record(db, listed.number);
    if (!record) return std::move(record).error();
    auto* commit = std::get_if<CommitRecord>(&record->payload);
    if (commit == nullptr || record->header.checksum != listed.checksum ||
        commit->gtrid.log_id != log_id) {
      return wrong(listed.number, "it is not the unfinished commit that the checkpoint lists");
    }
    const Gtrid gtrid = commit->gtrid;
    state.unfinished.insert_or_assign(gtrid, UnfinishedCommit{listed, std::move(*commit)});
  }
  return {};
}

/// `state` now includes the record.
void apply(StoredRecord&& record, LogState& state) {
  const RecordHeader& header = record.header;
  state.tail.newest = header.number;
  state.tail.chain = header.checksum;
  state.tail.epoch = header.epoch;
  state.tail.log_time = header.log_time;
  if (header.forced) state.tail.top = header.number;
  if (auto* commit = std::get_if<CommitRecord>(&record.payload)) {
    if (!awaits_end(*commit)) return;
    const Gtrid gtrid = commit->gtrid;
    state.unfinished.insert_or_assign(
        gtrid, UnfinishedCommit{{header.number, header.checksum}, std::move(*commit)});
  } else if (const auto* end = std::get_if<EndRecord>(&record.payload)) {
    state.unfinished.erase(end->gtrid);
  }
}

Result<> begin_at_checkpoint(leveldb::DB& db, LogId log_id, const StoredRecord& record,
                             LogState& state) {
  const auto* checkpoint = std::get_if<CheckpointRecord>(&record.payload);
  if (checkpoint == nullptr) return {};
  state.tail.checkpoint = record.header.number;
  state.oldest = checkpoint->oldest;
  state.low_water = checkpoint->low_water;
  state.tail.top = checkpoint->newest_forced;
  return load_unfinished(db, log_id, *checkpoint, state);
}

/// Every record from `first` on is intact, in its place and applied.
Result<> replay(leveldb::DB& db, LogId log_id, Records& records, std::uint64_t first,
                LogState& state) {
  Chain chain(log_id);
  for (bool is_first = true;; is_first = false) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return {};
    auto record = decode_at(records, **number);
    if (!record) return std::move(record).error();
    auto followed = chain.follow(**number, *record);
    if (!followed) return followed;
    if (is_first) {
      if (**number != first) return missing(first, **number - 1);
      auto begun = begin_at_checkpoint(db, log_id, *record, state);
      if (!begun) return begun;
    }
    apply(std::move(*record), state);
    records.forward();
  }
}

Result<> verify_gtrid_index(leveldb::DB& db, const Gtrid& gtrid, std::uint64_t number) {
  if (gtrid.sequence == Sequence{}) return {};  // a key settled without a transaction
  const auto indexed = read_gtrid_index(db, gtrid);
  if (!indexed) return indexed.error();
  if (*indexed == number) return {};
  return wrong(number, "the index of transactions does not lead to it");
}

Result<> verify_idempotency_index(leveldb::DB& db, LogId log_id, std::string_view key,
                                  std::uint64_t number) {
  if (key.empty()) return {};
  const auto numbers = read_idempotency_index(db, idempotency_hash(log_id, key));
  if (!numbers) return numbers.error();
  if (std::find(numbers->begin(), numbers->end(), number) != numbers->end()) return {};
  return wrong(number, "the index of keys does not lead to it");
}

template <typename Decision>
Result<> verify_indexes(leveldb::DB& db, LogId log_id, const Decision& decision,
                        std::uint64_t number) {
  auto found = verify_gtrid_index(db, decision.gtrid, number);
  if (!found) return found;
  return verify_idempotency_index(db, log_id, decision.key, number);
}

Result<> verify_indexes(leveldb::DB& db, LogId log_id, const StoredRecord& record) {
  const std::uint64_t number = record.header.number;
  if (const auto* commit = std::get_if<CommitRecord>(&record.payload)) {
    return verify_indexes(db, log_id, *commit, number);
  }
  if (const auto* rollback = std::get_if<RollbackRecord>(&record.payload)) {
    return verify_indexes(db, log_id, *rollback, number);
  }
  return {};
}

}  // namespace

Result<LogState> read_recent(leveldb::DB& db, LogId log_id) {
  LogState state;
  state.tail.chain = chain_start(log_id);
  Records records(db);
  records.to_last();
  const auto newest = records.number();
  if (!newest) return newest.error();
  if (!*newest) return state;
  const auto first = find_start(records, **newest);
  if (!first) return first.error();
  auto replayed = replay(db, log_id, records, *first, state);
  if (!replayed) return std::move(replayed).error();
  return state;
}

Result<> verify_all(leveldb::DB& db, LogId log_id, std::uint64_t oldest, std::uint64_t newest,
                    const std::atomic<bool>& stop) {
  Records records(db);
  Chain chain(log_id);
  records.to(oldest);
  for (std::uint64_t expected = oldest; expected <= newest && !stop; ++expected) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return missing(expected, newest);
    if (**number != expected) return missing(expected, **number - 1);
    const auto record = decode_at(records, expected);
    if (!record) return record.error();
    auto followed = chain.follow(expected, *record);
    if (!followed) return followed;
    auto indexed = verify_indexes(db, log_id, *record);
    if (!indexed) return indexed;
    records.forward();
  }
  return {};
}

}  // namespace assent::coordinator
