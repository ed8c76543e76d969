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
  enum class Fit : std::uint8_t { kFollows, kBreaks, kOfAnotherLog };

  Chain(LogId log_id, std::uint64_t first) : log_id_(log_id), next_(first) {}

  std::uint64_t next() const { return next_; }

  /// A record that nobody looks at. Adds to `missing` what is missing before it.
  void pass(std::uint64_t number, std::vector<Missing>& missing) {
    if (number > next_) missing.push_back({Missing::Why::kGap, next_, number - 1});
    next_ = number + 1;
  }

  /// A whole record. Adds to `missing` what is missing before it.
  Fit follow(std::uint64_t number, const StoredRecord& record, std::vector<Missing>& missing) {
    pass(number, missing);
    const bool fits = record.header.number == number && follows(record) && is_of_its_time(record);
    before_ = record.header;
    if (!is_of_this_log(record)) return Fit::kOfAnotherLog;
    return fits ? Fit::kFollows : Fit::kBreaks;
  }

 private:
  bool follows(const StoredRecord& record) const {
    if (!before_) return true;
    const RecordHeader& header = record.header;
    const bool linked = header.number == before_->number + 1 || goes_on_behind(record, *before_);
    if (linked && header.previous != before_->checksum) return false;
    if (header.log_time < before_->log_time) return false;
    if (header.type == RecordType::kOpening) return header.epoch > before_->epoch;
    return linked ? header.epoch == before_->epoch : header.epoch >= before_->epoch;
  }

  /// The opening that tells of a break is linked to the last record before it.
  static bool goes_on_behind(const StoredRecord& record, const RecordHeader& before) {
    const auto* opening = std::get_if<OpeningRecord>(&record.payload);
    return opening != nullptr && std::any_of(opening->missing.begin(), opening->missing.end(),
                                             [&before](const Missing& one) {
                                               return one.why == Missing::Why::kBroken &&
                                                      one.first == before.number + 1;
                                             });
  }

  static bool is_of_its_time(const StoredRecord& record) {
    const Gtrid* gtrid = gtrid_of(record.payload);
    return gtrid == nullptr || may_be_of_other_log(record.payload) ||
           gtrid->epoch <= record.header.epoch;
  }

  bool is_of_this_log(const StoredRecord& record) const {
    const RecordHeader& header = record.header;
    if (header.number == 1 && header.previous != chain_start(log_id_)) return false;
    if (const auto* opening = std::get_if<OpeningRecord>(&record.payload)) {
      return opening->log_id == log_id_;
    }
    const Gtrid* gtrid = gtrid_of(record.payload);
    return gtrid == nullptr || gtrid->log_id == log_id_ || may_be_of_other_log(record.payload);
  }

  const LogId log_id_;
  std::uint64_t next_;
  std::optional<RecordHeader> before_;  ///< the last whole one
};

struct Start {
  std::uint64_t number = 1;  ///< of the record that should be there: the last checkpoint, or 1
  std::vector<Missing> told_lost;  ///< by openings behind it, where the chain was broken
};

void add_told(const Result<StoredRecord>& record, std::vector<Missing>& told_lost) {
  const auto* opening = record ? std::get_if<OpeningRecord>(&record->payload) : nullptr;
  if (opening == nullptr) return;
  for (const Missing& one : opening->missing) {
    if (one.why == Missing::Why::kBroken) told_lost.push_back(one);
  }
}

/// Goes back from the newest record to the last checkpoint, or to the first record there is. What
/// stands in a part that is lost itself tells nothing.
Result<Start> find_start(RecordWalk& records, std::uint64_t newest) {
  Start start;
  for (std::uint64_t at = newest;;) {
    const auto header = decode_record_header(records.bytes());
    const bool whole = header && header->number == at && !is_lost(start.told_lost, at);
    const bool checkpoint = whole && header->type == RecordType::kCheckpoint;
    if (checkpoint && decode_record(records.bytes())) {
      start.number = at;
      return start;
    }
    if (whole && header->type == RecordType::kOpening) {
      add_told(decode_record(records.bytes()), start.told_lost);
    }
    records.back();
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) {
      records.to(at);
      return start;
    }
    at = **number;
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

// ---- reading

/// From `start`, where `records` stands, on. Nobody acts upon what is lost: a damaged record, what
/// an opening has told as lost, and all from the first on that is whole and does not follow the one
/// before it. Two histories are mixed there, and whose the rest is can't be told.
class Replay {
 public:
  Replay(leveldb::DB& db, LogId log_id, const Start& start, LogPast& past)
      : db_(db),
        log_id_(log_id),
        start_(start),
        past_(past),
        chain_(log_id, start.number),
        believed_(start.number - 1) {}

  /// The next record that is there.
  Result<> take(std::uint64_t number, const Result<StoredRecord>& record, std::string_view bytes) {
    const auto holds = believe(number, record);
    if (!holds) return holds.error();
    if (!*holds) {
      record ? past_.state.leave_out(number, *record) : past_.state.leave_out(number);
      return {};
    }
    const auto* checkpoint = std::get_if<CheckpointRecord>(&record->payload);
    if (number == start_.number && checkpoint != nullptr) {
      auto begun = begin_at_checkpoint(db_, record->header.epoch, *checkpoint, past_);
      if (!begun) return begun;
    }
    past_.state.apply(*record, bytes);
    believed_ = number;
    return {};
  }

  /// There are no more.
  Result<> end() {
    if (!broken_) return {};
    past_.missing.push_back({Missing::Why::kBroken, believed_ + 1, past_.state.tail.newest});
    return doubt_indexes();
  }

 private:
  Result<bool> believe(std::uint64_t number, const Result<StoredRecord>& record) {
    if (broken_) return false;
    const bool lost = is_lost(start_.told_lost, number);
    if (lost || !record) {
      chain_.pass(number, past_.missing);
      if (!lost) past_.missing.push_back(damaged(number));
      return false;
    }
    const auto fit = chain_.follow(number, *record, past_.missing);
    if (fit == Chain::Fit::kOfAnotherLog) return wrong(number, "it is of another log");
    broken_ = fit == Chain::Fit::kBreaks;
    return !broken_;
  }

  /// An entry of an index may be that of the other history. Before anybody can allow to presume:
  /// a key that is not found would be a new one then.
  Result<> doubt_indexes() {
    RecordWalk records(db_);
    for (records.to(start_.number);; records.forward()) {
      const auto number = records.number();
      if (!number) return number.error();
      if (!*number || **number > believed_) return {};
      const auto record = records.record(**number);
      if (!record || is_lost(start_.told_lost, **number)) continue;
      const auto indexed = is_indexed(db_, log_id_, *record);
      if (!indexed) return indexed.error();
      if (!*indexed) past_.missing.push_back({Missing::Why::kUnindexed, **number, **number});
    }
  }

  leveldb::DB& db_;
  const LogId log_id_;
  const Start& start_;
  LogPast& past_;
  Chain chain_;
  std::uint64_t believed_;  ///< number of the newest record that is acted upon
  bool broken_ = false;
};

Result<> replay(leveldb::DB& db, LogId log_id, RecordWalk& records, const Start& start,
                LogPast& past) {
  Replay replay(db, log_id, start, past);
  for (;; records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return replay.end();
    auto taken = replay.take(**number, records.record(**number), records.bytes());
    if (!taken) return taken;
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
  const auto start = find_start(records, **newest);
  if (!start) return start.error();
  auto replayed = replay(db, log_id, records, *start, past);
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
      missing.push_back(damaged(**number));
      continue;
    }
    const std::uint64_t before = std::max<std::uint64_t>(**number - 1, 1);
    const bool follows = chain.follow(**number, *record, missing) == Chain::Fit::kFollows;
    // Where what is lost begins and ends the chain is broken.
    if (!follows && !is_lost(state.missing, before) && !is_lost(state.missing, **number)) {
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
