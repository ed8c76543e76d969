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
  return log_damaged(fmt::format("record {}: {}", number, what));
}

bool is_known(const Missing& found, const std::vector<Missing>& known) {
  return std::any_of(known.begin(), known.end(), [&](const Missing& one) {
    // The numbers of what a database showed are those of other records now.
    return one.why != Missing::Why::kShown && one.first <= found.first && found.last <= one.last;
  });
}

Missing damaged(std::uint64_t number) {
  return {Missing::Why::kDamaged, number, number};
}

/// What a person has decided of a lost log's transaction, and what came of it.
bool may_be_of_other_log(const RecordPayload& payload) {
  if (const auto* commit = std::get_if<CommitRecord>(&payload)) return commit->by_hand;
  if (const auto* rollback = std::get_if<RollbackRecord>(&payload)) return rollback->key.empty();
  return true;
}

/// What every record must agree on with the one before it. What is not there, or damaged, can't be
/// doubted.
class Chain {
 public:
  Chain(LogId log_id, std::uint64_t first) : log_id_(log_id), next_(first) {}

  std::uint64_t next() const { return next_; }

  /// A damaged record. Adds to `missing` what is missing before it, and itself.
  void pass(std::uint64_t number, std::vector<Missing>& missing) {
    note_gap(number, missing);
    missing.push_back(damaged(number));
  }

  /// Returns what is wrong with the record: nullptr: nothing. Adds to `missing` what is missing
  /// before it.
  const char* follow(std::uint64_t number, const StoredRecord& record,
                     std::vector<Missing>& missing) {
    note_gap(number, missing);
    const RecordHeader& header = record.header;
    const bool follows = before_ && header.number == before_->number + 1;
    const char* doubt = header.number == number ? doubt_link(header, follows)
                                                : "it is not the record of this number";
    if (doubt == nullptr) doubt = doubt_payload(record);
    before_ = header;
    return doubt;
  }

 private:
  void note_gap(std::uint64_t number, std::vector<Missing>& missing) {
    if (number > next_) missing.push_back({Missing::Why::kGap, next_, number - 1});
    next_ = number + 1;
  }

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
    if (gtrid->log_id != log_id_) return may_be_of_other_log(record.payload) ? nullptr : kForeign;
    return gtrid->epoch <= record.header.epoch ? nullptr : "its gtrid is of a later epoch";
  }

  const LogId log_id_;
  std::uint64_t next_;
  std::optional<RecordHeader> before_;
};

/// Goes back from the newest record to the last checkpoint, or to the first record there is.
/// Returns the number of the one that should be there: the checkpoint's, or 1.
Result<std::uint64_t> find_start(RecordWalk& records, std::uint64_t newest) {
  for (std::uint64_t start = newest;;) {
    const auto header = decode_record_header(records.bytes());
    const bool checkpoint = header && header->type == RecordType::kCheckpoint;
    if (checkpoint && decode_record(records.bytes())) return start;
    records.back();
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) {
      records.to(start);
      return 1;
    }
    start = **number;
  }
}

/// A record that a checkpoint lists. Adds to `missing` why there is none: it is not there any more,
/// or it is not the one that was listed.
Result<std::optional<StoredRecord>> read_listed(leveldb::DB& db, const ListedRecord& listed,
                                                std::vector<Missing>& missing) {
  const std::optional<StoredRecord> none;
  const auto bytes = read_value(db, record_key(listed.number));
  if (!bytes) return bytes.error();
  if (!*bytes) {
    missing.push_back({Missing::Why::kGap, listed.number, listed.number});
    return none;
  }
  auto record = decode_record(**bytes);
  if (record && record->header.number == listed.number &&
      record->header.checksum == listed.checksum) {
    return std::optional(std::move(*record));
  }
  missing.push_back(damaged(listed.number));
  return none;
}

template <typename RecordType, typename Take>
Result<> load_listed(leveldb::DB& db, const std::vector<ListedRecord>& list,
                     std::vector<Missing>& missing, Take take) {
  for (const auto& listed : list) {
    auto record = read_listed(db, listed, missing);
    if (!record) return std::move(record).error();
    if (!*record) continue;
    const auto* payload = std::get_if<RecordType>(&(*record)->payload);
    if (payload == nullptr) {
      return wrong(listed.number, "it is not the one that the checkpoint lists");
    }
    take(listed, *payload);
  }
  return {};
}

Result<> begin_at_checkpoint(leveldb::DB& db, Epoch epoch, const CheckpointRecord& checkpoint,
                             LogPast& past) {
  LogState& state = past.state;
  state.oldest = checkpoint.oldest;
  state.removed_commit = checkpoint.removed_commit;
  state.low_water = checkpoint.low_water;
  state.tail.top = checkpoint.newest_forced;
  state.last_hand = checkpoint.last_hand;
  state.violation_allowed = checkpoint.violation_allowed;
  state.above = checkpoint.above;
  state.missing = checkpoint.missing;
  state.unproved = checkpoint.unproved;
  state.given_up_logs = checkpoint.given_up_logs;
  if (checkpoint.opening > 0) state.opened(epoch, checkpoint.opening, 0);
  if (!checkpoint.held.empty()) state.held = checkpoint.held;
  state.by_hand = checkpoint.by_hand;
  state.taken_back = checkpoint.taken_back;
  for (const NewestCommit& commit : checkpoint.newest) {
    state.newest.insert_or_assign(commit.branch.xid.bqual, commit);
  }
  auto loaded = load_listed<CommitRecord>(
      db, checkpoint.unfinished, past.missing,
      [&](const auto& listed, const auto& commit) { state.unfinished[commit.gtrid] = listed; });
  if (!loaded) return loaded;
  return load_listed<HeuristicRecord>(
      db, checkpoint.damaged, past.missing,
      [&](const auto& listed, const auto& heuristic) { state.damaged[heuristic.xid] = listed; });
}

/// Every record from `first`, where `records` stands, on is in its place and applied, or it is
/// damaged and nobody acts upon it. One that is whole and doesn't follow the one before is of
/// another history: which of the two is ours can't be told.
Result<> replay(leveldb::DB& db, LogId log_id, RecordWalk& records, std::uint64_t first,
                LogPast& past) {
  Chain chain(log_id, first);
  LogTail& tail = past.state.tail;
  for (;; records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return {};
    const auto record = records.record(**number);
    if (!record) {
      chain.pass(**number, past.missing);
      tail.newest = **number;
      tail.top = **number;  // it may have been forced
      continue;
    }
    const char* doubt = chain.follow(**number, *record, past.missing);
    if (doubt != nullptr) return wrong(**number, doubt);
    const auto* checkpoint = std::get_if<CheckpointRecord>(&record->payload);
    if (**number == first && checkpoint != nullptr) {
      auto begun = begin_at_checkpoint(db, record->header.epoch, *checkpoint, past);
      if (!begun) return begun;
    }
    past.state.apply(*record, records.bytes());
  }
}

/// Oldest first; `at` says where each stands.
template <typename Payload, typename Name>
Result<std::vector<Payload>> read_all(leveldb::DB& db, const std::map<Name, ListedRecord>& list,
                                      std::map<Name, RecordedAt>& at) {
  std::vector<std::pair<std::uint64_t, Name>> numbers;
  numbers.reserve(list.size());
  for (const auto& [name, listed] : list) numbers.emplace_back(listed.number, name);
  std::sort(numbers.begin(), numbers.end());
  std::vector<Payload> all;
  all.reserve(numbers.size());
  for (const auto& [number, name] : numbers) {
    auto record = read_record(db, number);
    if (!record) return std::move(record).error();
    at[name] = {number, record->header.log_time};
    all.push_back(std::get<Payload>(std::move(record->payload)));
  }
  return all;
}

// ---- the indexes

/// nullopt: there is none, or it is damaged.
Result<std::optional<std::vector<std::uint64_t>>> read_entry(leveldb::DB& db,
                                                             const std::string& key) {
  const auto value = read_value(db, key);
  if (!value) return value.error();
  return *value ? parse_numbers(**value) : std::nullopt;
}

Result<bool> is_indexed(leveldb::DB& db, LogId log_id, const Gtrid& gtrid, std::uint64_t number,
                        bool decides) {
  if (gtrid.sequence == Sequence{}) return true;  // a key settled without a transaction
  const auto numbers = read_entry(db, gtrid_key(log_id, gtrid));
  if (!numbers) return numbers.error();
  if (!*numbers) return false;
  const auto found = std::find((*numbers)->begin(), (*numbers)->end(), number);
  return found != (*numbers)->end() && (found == (*numbers)->begin()) == decides;
}

Result<bool> is_indexed(leveldb::DB& db, LogId log_id, std::string_view key, std::uint64_t number) {
  if (key.empty()) return true;
  const auto numbers = read_entry(db, idempotency_index_key(idempotency_hash(log_id, key)));
  if (!numbers) return numbers.error();
  return *numbers && std::find((*numbers)->begin(), (*numbers)->end(), number) != (*numbers)->end();
}

Result<bool> is_indexed(leveldb::DB& db, LogId log_id, const StoredRecord& record) {
  const Gtrid* gtrid = gtrid_of(record.payload);
  if (gtrid == nullptr || std::holds_alternative<EndRecord>(record.payload)) return true;
  const std::uint64_t number = record.header.number;
  const std::string* key = key_of(record.payload);
  auto indexed = is_indexed(db, log_id, *gtrid, number, key != nullptr);
  if (!indexed || !*indexed || key == nullptr) return indexed;
  return is_indexed(db, log_id, *key, number);
}

/// From the newest back to the first: none was changed or taken out.
Result<> verify_hands(leveldb::DB& db, HandLink link, std::vector<Missing>& missing) {
  while (link.number != 0) {
    const auto bytes = read_value(db, record_key(link.number));
    if (!bytes) return bytes.error();
    const bool whole = *bytes && link_to(link.number, **bytes) == link;
    const auto record = decode_record(whole ? **bytes : std::string());
    const auto* hand = record ? std::get_if<ChainedHand>(&record->payload) : nullptr;
    if (hand == nullptr) {
      missing.push_back(damaged(link.number));
      break;
    }
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
    if (!*number) return log_damaged("no record in it tells whose log it is");
    const auto record = records.record(**number);
    if (!record) continue;
    const Gtrid* gtrid = gtrid_of(record->payload);
    if (gtrid != nullptr && !may_be_of_other_log(record->payload)) return gtrid->log_id;
    if (const auto* opening = std::get_if<OpeningRecord>(&record->payload)) return opening->log_id;
  }
}

Result<LogPast> read_recent(leveldb::DB& db, LogId log_id) {
  LogPast past{.state = LogState(log_id),
               .unfinished = {},
               .unfinished_at = {},
               .damaged = {},
               .damaged_at = {},
               .missing = {}};
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
                [&](const Missing& one) { return is_known(one, past.state.missing); });
  auto unfinished = read_all<CommitRecord>(db, past.state.unfinished, past.unfinished_at);
  if (!unfinished) return std::move(unfinished).error();
  past.unfinished = std::move(*unfinished);
  auto damaged = read_all<HeuristicRecord>(db, past.state.damaged, past.damaged_at);
  if (!damaged) return std::move(damaged).error();
  past.damaged = std::move(*damaged);
  return past;
}

Result<std::vector<Missing>> verify_all(leveldb::DB& db, LogId log_id, const LogState& state,
                                        const std::atomic<bool>& stop) {
  RecordWalk records(db);
  Chain chain(log_id, state.oldest);
  std::vector<Missing> missing;
  const std::uint64_t newest = state.tail.newest;
  for (records.to(chain.next()); chain.next() <= newest && !stop; records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number || **number > newest) {
      missing.push_back({Missing::Why::kGap, chain.next(), newest});
      break;
    }
    const auto record = records.record(**number);
    if (!record) {
      chain.pass(**number, missing);
      continue;
    }
    if (chain.follow(**number, *record, missing) != nullptr) {
      const std::uint64_t before = std::max<std::uint64_t>(**number - 1, 1);
      missing.push_back({Missing::Why::kBroken, before, **number});
    }
    const auto indexed = is_indexed(db, log_id, *record);
    if (!indexed) return indexed.error();
    if (!*indexed) missing.push_back({Missing::Why::kUnindexed, **number, **number});
  }
  auto by_hand = verify_hands(db, state.last_hand, missing);
  if (!by_hand) return std::move(by_hand).error();
  std::erase_if(missing, [&](const Missing& one) { return is_known(one, state.missing); });
  return missing;
}

}  // namespace assent::coordinator
