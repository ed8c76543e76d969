#include "coordinator/log/leveldb_batch.h"

#include <leveldb/db.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"
#include "protocol/base/crash_point.h"

namespace assent::coordinator {
namespace {

const CommitRecord& as_written(const CommitRecord& record, const LogState& /*state*/) {
  return record;
}
const RollbackRecord& as_written(const RollbackRecord& record, const LogState& /*state*/) {
  return record;
}
const EndRecord& as_written(const EndRecord& record, const LogState& /*state*/) {
  return record;
}
const HeuristicRecord& as_written(const HeuristicRecord& record, const LogState& /*state*/) {
  return record;
}
const LossRecord& as_written(const LossRecord& record, const LogState& /*state*/) {
  return record;
}
ChainedHand as_written(const HandRecord& record, const LogState& state) {
  return {record, state.last_hand};
}

}  // namespace

RecordHeader Batch::next_header(Epoch epoch, bool forced, WallTime now) const {
  RecordHeader header;
  header.forced = forced;
  header.epoch = epoch;
  header.number = state_.tail.newest + 1;
  header.log_time = std::max(now, state_.tail.log_time);  // never backwards (R15)
  header.previous = state_.tail.chain;
  return header;
}

template <typename AnyRecord>
std::uint64_t Batch::put(RecordHeader header, const AnyRecord& record) {
  bytes_.clear();
  encode_record(header, record, bytes_);
  writes_.Put(record_key(header.number), bytes_);
  state_.apply(header, bytes_, record);
  return header.number;
}

Result<> Batch::add(const Record& record, bool forced, WallTime now) {
  return std::visit(
      [&](const auto& one) {
        const auto number =
            put(next_header(state_.tail.epoch, forced, now), as_written(one, state_));
        return index(number, one);
      },
      record);
}

void Batch::add_checkpoint(WallTime now) {
  put(next_header(state_.tail.epoch, false, now), state_.checkpoint());
}

void Batch::add_opening(Epoch epoch, const OpeningRecord& opening, WallTime now) {
  put(next_header(epoch, true, now), opening);
}

Result<> Batch::index(std::uint64_t number, const CommitRecord& record) {
  if (record.by_hand) {  // a HandRecord precedes it
    auto indexed = index_decision(number, record.gtrid);
    if (!indexed) return indexed;
  } else {
    std::string& value = entries_[gtrid_key(log_id_, record.gtrid)];
    value.clear();
    append_number(number, value);
    writes_.Put(gtrid_key(log_id_, record.gtrid), value);
  }
  return index_key(number, record.key);
}

Result<> Batch::index(std::uint64_t number, const RollbackRecord& record) {
  if (record.gtrid.sequence != Sequence{}) {  // else: a key settled without a transaction
    auto indexed = index_decision(number, record.gtrid);
    if (!indexed) return indexed;
  }
  return index_key(number, record.key);
}

Result<> Batch::index(std::uint64_t /*number*/, const EndRecord& /*record*/) {
  return {};
}

Result<> Batch::index(std::uint64_t number, const HeuristicRecord& record) {
  return index_beside_decision(number, record.xid.gtrid);
}

Result<> Batch::index(std::uint64_t number, const HandRecord& record) {
  if (!record.gtrid) return {};
  return index_beside_decision(number, *record.gtrid);
}

Result<> Batch::index(std::uint64_t /*number*/, const LossRecord& /*record*/) {
  return {};
}

/// Another key may have the same hash, in the database or in this batch: its numbers stay.
Result<> Batch::index_key(std::uint64_t number, std::string_view key) {
  if (key.empty()) return {};
  const std::string at = idempotency_index_key(idempotency_hash(log_id_, key));
  auto value = entry(std::string(at));
  if (!value) return std::move(value).error();
  append_number(number, **value);
  writes_.Put(at, **value);
  return {};
}

Result<> Batch::index_decision(std::uint64_t number, const Gtrid& gtrid) {
  auto value = entry(gtrid_key(log_id_, gtrid));
  if (!value) return std::move(value).error();
  std::string first;
  append_number(number, first);
  (*value)->replace(0, std::min(first.size(), (*value)->size()), first);
  writes_.Put(gtrid_key(log_id_, gtrid), **value);
  return {};
}

Result<> Batch::index_beside_decision(std::uint64_t number, const Gtrid& gtrid) {
  auto value = entry(gtrid_key(log_id_, gtrid));
  if (!value) return std::move(value).error();
  if ((*value)->empty()) append_number(0, **value);
  append_number(number, **value);
  writes_.Put(gtrid_key(log_id_, gtrid), **value);
  return {};
}

Result<> Batch::remove(const Removal& removal) {
  for (const std::uint64_t number : removal.numbers) writes_.Delete(record_key(number));
  if (removal.gtrid) {
    auto removed = remove_from_gtrid_index(removal);
    if (!removed) return removed;
  }
  return removal.key.empty() ? Result<>{} : remove_from_key_index(removal);
}

Result<> Batch::remove_a_piece(RemovableRecords& records, std::size_t removals_max) {
  auto& [oldest, commit, low_water, removals] = records;
  if (oldest != 0) {
    state_.raise_oldest(oldest);
    state_.removed_commit = std::max(state_.removed_commit, commit);
    state_.low_water = std::max(state_.low_water, low_water);
    add_checkpoint();
    oldest = 0;
    crash_point("log.removal.before_checkpoint");
    return {};
  }
  crash_point("log.removal.before_piece");
  for (std::size_t i = 0; i < removals_max && !removals.empty(); ++i) {
    auto removed = remove(removals.back());
    if (!removed) return removed;
    removals.pop_back();
  }
  return {};
}

/// What was done by hand stays, behind a decision that is none any more.
Result<> Batch::remove_from_gtrid_index(const Removal& removal) {
  const std::string at = gtrid_key(log_id_, *removal.gtrid);
  auto value = entry(std::string(at));
  if (!value) return std::move(value).error();
  auto numbers = parse_numbers(**value);
  if (!numbers) return log_unavailable("an entry of the index of transactions is damaged");
  if (numbers->empty()) return {};
  const auto goes = [&](std::uint64_t number) {
    return std::find(removal.numbers.begin(), removal.numbers.end(), number) !=
           removal.numbers.end();
  };
  if (goes(numbers->front())) numbers->front() = 0;
  numbers->erase(std::remove_if(numbers->begin() + 1, numbers->end(), goes), numbers->end());
  (*value)->clear();
  if (numbers->size() == 1 && numbers->front() == 0) {
    writes_.Delete(at);
    return {};
  }
  for (const std::uint64_t number : *numbers) append_number(number, **value);
  writes_.Put(at, **value);
  return {};
}

Result<> Batch::remove_from_key_index(const Removal& removal) {
  const std::string at = idempotency_index_key(idempotency_hash(log_id_, removal.key));
  auto value = entry(std::string(at));
  if (!value) return std::move(value).error();
  const auto numbers = parse_numbers(**value);
  if (!numbers) return log_unavailable("an entry of the index of keys is damaged");
  (*value)->clear();
  for (const std::uint64_t number : *numbers) {
    const auto& gone = removal.numbers;
    if (std::find(gone.begin(), gone.end(), number) == gone.end()) append_number(number, **value);
  }
  if ((*value)->empty()) {
    writes_.Delete(at);
  } else {
    writes_.Put(at, **value);
  }
  return {};
}

/// What stands there, here or in the database; empty: nothing.
Result<std::string*> Batch::entry(std::string&& at) {
  const auto [row, is_new] = entries_.try_emplace(std::move(at));
  if (is_new) {
    auto before = read_value(db_, row->first);
    if (!before) return std::move(before).error();
    if (*before) row->second = std::move(**before);
  }
  return &row->second;
}

}  // namespace assent::coordinator
