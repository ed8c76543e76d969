#include "coordinator/log/leveldb_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"

namespace assent::coordinator {
namespace {

Error wrong(std::uint64_t number, std::string_view what) {
  return log_unavailable(fmt::format("record {}: {}", number, what));
}

bool is_known(const Missing& gap, const std::vector<Missing>& known) {
  return std::any_of(known.begin(), known.end(), [&](const Missing& one) {
    return one.first == gap.first && one.last == gap.last;
  });
}

/// What every record must agree on with the one before it. What is not there can't be doubted.
class Chain {
 public:
  explicit Chain(LogId log_id) : log_id_(log_id) {}

  /// Adds to `gaps` what is missing before the record.
  Result<> follow(std::uint64_t key, const StoredRecord& record, std::vector<Missing>& gaps) {
    const RecordHeader& header = record.header;
    if (header.number != key) return wrong(key, fmt::format("it is record {}", header.number));
    const bool follows = before_ && header.number == before_->number + 1;
    if (before_ && !follows) {
      gaps.push_back({Missing::Why::kGap, before_->number + 1, header.number - 1});
    }
    if (const char* doubt = doubt_link(header, follows); doubt != nullptr) return wrong(key, doubt);
    if (const char* doubt = doubt_payload(record); doubt != nullptr) return wrong(key, doubt);
    before_ = header;
    return {};
  }

 private:
  const char* doubt_link(const RecordHeader& header, bool follows) const {
    if (header.number == 1 && header.previous != chain_start(log_id_)) {
      return "it does not begin this log";
    }
    if (!before_) return nullptr;
    if (follows && header.previous != before_->checksum) {
      return "it does not follow the record before it";
    }
    if (header.log_time < before_->log_time) return "its time is before that of the one before it";
    const bool opens = header.type == RecordType::kOpening;
    const bool of_its_epoch = opens     ? header.epoch > before_->epoch
                              : follows ? header.epoch == before_->epoch
                                        : header.epoch >= before_->epoch;
    return of_its_epoch ? nullptr : "its epoch is not the one that it was opened with";
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

  const LogId log_id_;
  std::optional<RecordHeader> before_;
};

/// Goes back from the newest record to the last checkpoint, or to the first record there is.
/// Returns the number it stands on.
Result<std::uint64_t> find_start(RecordWalk& records, std::uint64_t newest) {
  for (std::uint64_t start = newest;;) {
    const auto header = decode_record_header(records.bytes());
    if (!header) return wrong(start, header.error().message);
    if (header->type == RecordType::kCheckpoint) return start;
    records.back();
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) {
      records.to(start);
      return start;
    }
    start = **number;
  }
}

/// A record that a checkpoint lists; nullopt: it is not there any more.
Result<std::optional<StoredRecord>> read_listed(leveldb::DB& db, const ListedRecord& listed) {
  const auto bytes = read_value(db, record_key(listed.number));
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<StoredRecord>{};
  auto record = read_record(db, listed.number);
  if (!record) return std::move(record).error();
  if (record->header.checksum != listed.checksum) {
    return wrong(listed.number, "it is not the one that the checkpoint lists");
  }
  return std::optional<StoredRecord>(std::move(*record));
}

template <typename RecordType, typename Take>
Result<> load_listed(leveldb::DB& db, LogId log_id, const std::vector<ListedRecord>& list,
                     std::vector<Missing>& gaps, Take take) {
  for (const auto& listed : list) {
    auto record = read_listed(db, listed);
    if (!record) return std::move(record).error();
    if (!*record) {
      gaps.push_back({Missing::Why::kGap, listed.number, listed.number});
      continue;
    }
    const auto* payload = std::get_if<RecordType>(&(*record)->payload);
    if (payload == nullptr || gtrid_of((*record)->payload)->log_id != log_id) {
      return wrong(listed.number, "it is not the one that the checkpoint lists");
    }
    take(listed, *payload);
  }
  return {};
}

Result<> begin_at_checkpoint(leveldb::DB& db, LogId log_id, Epoch epoch,
                             const CheckpointRecord& checkpoint, LogPast& past) {
  LogState& state = past.state;
  state.oldest = checkpoint.oldest;
  state.low_water = checkpoint.low_water;
  state.tail.top = checkpoint.newest_forced;
  state.last_hand = checkpoint.last_hand;
  state.missing = checkpoint.missing;
  if (checkpoint.opening > 0) state.opened(epoch, checkpoint.opening);
  for (const NewestCommit& commit : checkpoint.newest) {
    state.newest.insert_or_assign(commit.branch.xid.bqual, commit);
  }
  auto loaded = load_listed<CommitRecord>(
      db, log_id, checkpoint.unfinished, past.missing,
      [&](const auto& listed, const auto& commit) { state.unfinished[commit.gtrid] = listed; });
  if (!loaded) return loaded;
  return load_listed<HeuristicRecord>(
      db, log_id, checkpoint.damaged, past.missing,
      [&](const auto& listed, const auto& heuristic) { state.damaged[heuristic.xid] = listed; });
}

/// Every record from `first`, where `records` stands, is intact, in its place and applied.
Result<> replay(leveldb::DB& db, LogId log_id, RecordWalk& records, std::uint64_t first,
                LogPast& past) {
  Chain chain(log_id);
  while (true) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return {};
    const auto record = records.record(**number);
    if (!record) return record.error();
    auto followed = chain.follow(**number, *record, past.missing);
    if (!followed) return followed;
    const auto* checkpoint = std::get_if<CheckpointRecord>(&record->payload);
    if (**number == first && checkpoint != nullptr) {
      auto begun = begin_at_checkpoint(db, log_id, record->header.epoch, *checkpoint, past);
      if (!begun) return begun;
    } else if (**number == first && first != 1) {
      past.missing.push_back({Missing::Why::kGap, 1, first - 1});
    }
    past.state.apply(*record, records.bytes());
    records.forward();
  }
}

template <typename Payload, typename Name>
Result<std::vector<Payload>> read_all(leveldb::DB& db, const std::map<Name, ListedRecord>& list) {
  std::vector<std::uint64_t> numbers;
  numbers.reserve(list.size());
  for (const auto& [name, listed] : list) numbers.push_back(listed.number);
  std::sort(numbers.begin(), numbers.end());
  std::vector<Payload> all;
  all.reserve(numbers.size());
  for (const std::uint64_t number : numbers) {
    auto record = read_record(db, number);
    if (!record) return std::move(record).error();
    all.push_back(std::get<Payload>(std::move(record->payload)));
  }
  return all;
}

// ---- the indexes

Result<> doubt_gtrid_index(leveldb::DB& db, const Gtrid& gtrid, std::uint64_t number,
                           bool decides) {
  if (gtrid.sequence == Sequence{}) return {};  // a key settled without a transaction
  const auto numbers = read_gtrid_index(db, gtrid);
  if (!numbers) return numbers.error();
  const auto found = std::find(numbers->begin(), numbers->end(), number);
  const bool leads = found != numbers->end() && (found == numbers->begin()) == decides;
  if (leads) return {};
  return wrong(number, "the index of transactions does not lead to it");
}

Result<> doubt_key_index(leveldb::DB& db, LogId log_id, std::string_view key,
                         std::uint64_t number) {
  if (key.empty()) return {};
  const auto numbers = read_idempotency_index(db, idempotency_hash(log_id, key));
  if (!numbers) return numbers.error();
  if (std::find(numbers->begin(), numbers->end(), number) != numbers->end()) return {};
  return wrong(number, "the index of keys does not lead to it");
}

Result<> doubt_indexes(leveldb::DB& db, LogId log_id, const StoredRecord& record) {
  const Gtrid* gtrid = gtrid_of(record.payload);
  if (gtrid == nullptr || std::holds_alternative<EndRecord>(record.payload)) return {};
  const std::uint64_t number = record.header.number;
  const std::string* key = key_of(record.payload);
  auto found = doubt_gtrid_index(db, *gtrid, number, key != nullptr);
  if (!found || key == nullptr) return found;
  return doubt_key_index(db, log_id, *key, number);
}

/// From the newest back to the first: none was changed or taken out.
Result<> verify_hands(leveldb::DB& db, HandLink link) {
  while (link.number != 0) {
    const auto bytes = read_value(db, record_key(link.number));
    if (!bytes) return bytes.error();
    if (!*bytes || link_to(link.number, **bytes) != link) {
      return wrong(link.number, "what was done by hand is not what the record after it names");
    }
    const auto record = decode_record(**bytes);
    if (!record) return wrong(link.number, record.error().message);
    const auto* hand = std::get_if<ChainedHand>(&record->payload);
    if (hand == nullptr) return wrong(link.number, "it is not a record of what was done by hand");
    link = hand->previous;
  }
  return {};
}

}  // namespace

Result<LogId> read_log_id(leveldb::DB& db) {
  RecordWalk records(db);
  for (records.to_last();; records.back()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return log_unavailable("no record in it tells whose log it is");
    const auto record = records.record(**number);
    if (!record) return record.error();
    if (const Gtrid* gtrid = gtrid_of(record->payload); gtrid != nullptr) return gtrid->log_id;
    if (const auto* opening = std::get_if<OpeningRecord>(&record->payload)) return opening->log_id;
  }
}

Result<LogPast> read_recent(leveldb::DB& db, LogId log_id) {
  LogPast past{.state = LogState(log_id), .unfinished = {}, .damaged = {}, .missing = {}};
  RecordWalk records(db);
  records.to_last();
  const auto newest = records.number();
  if (!newest) return newest.error();
  if (!*newest) return past;
  const auto first = find_start(records, **newest);
  if (!first) return first.error();
  auto replayed = replay(db, log_id, records, *first, past);
  if (!replayed) return std::move(replayed).error();
  std::erase_if(past.missing,
                [&](const Missing& gap) { return is_known(gap, past.state.missing); });
  auto unfinished = read_all<CommitRecord>(db, past.state.unfinished);
  if (!unfinished) return std::move(unfinished).error();
  past.unfinished = std::move(*unfinished);
  auto damaged = read_all<HeuristicRecord>(db, past.state.damaged);
  if (!damaged) return std::move(damaged).error();
  past.damaged = std::move(*damaged);
  return past;
}

Result<std::vector<Missing>> verify_all(leveldb::DB& db, LogId log_id, const LogState& state,
                                        const std::atomic<bool>& stop) {
  RecordWalk records(db);
  Chain chain(log_id);
  std::vector<Missing> gaps;
  const std::uint64_t newest = state.tail.newest;
  std::uint64_t expected = state.oldest;
  for (records.to(expected); expected <= newest && !stop; records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number || **number > newest) {
      gaps.push_back({Missing::Why::kGap, expected, newest});
      break;
    }
    const auto record = records.record(**number);
    if (!record) return record.error();
    if (expected == state.oldest && **number != expected) {
      gaps.push_back({Missing::Why::kGap, expected, **number - 1});
    }
    auto followed = chain.follow(**number, *record, gaps);
    if (!followed) return std::move(followed).error();
    auto indexed = doubt_indexes(db, log_id, *record);
    if (!indexed) return std::move(indexed).error();
    expected = **number + 1;
  }
  auto by_hand = verify_hands(db, state.last_hand);
  if (!by_hand) return std::move(by_hand).error();
  std::erase_if(gaps, [&](const Missing& gap) { return is_known(gap, state.missing); });
  return gaps;
}

}  // namespace assent::coordinator
