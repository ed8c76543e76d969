#include "coordinator/log/leveldb_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kRecordsPerPiece = 1'000;  // some milliseconds

Error index_is_wrong(std::uint64_t number) {
  return log_unavailable(
      fmt::format("an index leads to record {}, which is not the one looked for", number));
}

/// nullopt: not a commit or rollback record.
std::optional<Decided> as_decided(StoredRecord&& record) {
  if (auto* commit = std::get_if<CommitRecord>(&record.payload)) return Decided{std::move(*commit)};
  if (auto* no = std::get_if<RollbackRecord>(&record.payload)) return Decided{std::move(*no)};
  return std::nullopt;
}

/// nullopt: one of the log's own.
std::optional<Record> as_told(RecordPayload&& payload) {
  if (auto* commit = std::get_if<CommitRecord>(&payload)) return std::move(*commit);
  if (auto* rollback = std::get_if<RollbackRecord>(&payload)) return std::move(*rollback);
  if (auto* heuristic = std::get_if<HeuristicRecord>(&payload)) return std::move(*heuristic);
  if (auto* chained = std::get_if<ChainedHand>(&payload)) return std::move(chained->hand);
  return std::nullopt;
}

bool has_branch_of(const CommitRecord& commit, std::string_view participant) {
  return std::any_of(commit.branches.begin(), commit.branches.end(),
                     [&](const auto& branch) { return branch.xid.bqual == participant; });
}

}  // namespace

// What is removed between the look at an index and the look at the record is no damage: the second
// look tells.

Result<std::optional<Decided>> LevelDbLookup::find_key(std::string_view key) const {
  auto found = look_for_key(key);
  return found ? found : look_for_key(key);
}

Result<std::optional<Decided>> LevelDbLookup::find_gtrid(const Gtrid& gtrid) const {
  auto found = look_for_gtrid(gtrid);
  return found ? found : look_for_gtrid(gtrid);
}

Result<std::vector<ToldRecord>> LevelDbLookup::find_story(const Gtrid& gtrid) const {
  auto story = look_for_story(gtrid);
  return story ? story : look_for_story(gtrid);
}

Result<std::optional<Decided>> LevelDbLookup::look_for_key(std::string_view key) const {
  const auto numbers = read_idempotency_index(db_, idempotency_hash(log_id_, key));
  if (!numbers) return numbers.error();
  // The newest one counts: an older one of this key is past its retention.
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    if (is_lost(known_, *number)) continue;
    auto record = read(*number);
    if (!record) return std::move(record).error();
    if (!*record) continue;
    const std::string* key_there = key_of((*record)->payload);
    if (key_there == nullptr && !is_broken(known_)) return index_is_wrong(*number);
    if (key_there != nullptr && *key_there == key) return as_decided(std::move(**record));
  }
  return std::optional<Decided>{};
}

Result<std::optional<Decided>> LevelDbLookup::look_for_gtrid(const Gtrid& gtrid) const {
  const auto numbers = read_gtrid_index(db_, log_id_, gtrid);
  if (!numbers) return numbers.error();
  if (numbers->empty() || numbers->front() == 0 || is_lost(known_, numbers->front())) {
    return std::optional<Decided>{};
  }
  auto record = read_of(gtrid, numbers->front());
  if (!record) return std::move(record).error();
  if (!*record) return std::optional<Decided>{};
  auto decided = as_decided(std::move(**record));
  if (!decided) return index_is_wrong(numbers->front());
  return decided;
}

Result<std::vector<ToldRecord>> LevelDbLookup::look_for_story(const Gtrid& gtrid) const {
  std::vector<ToldRecord> story;
  auto numbers = read_gtrid_index(db_, log_id_, gtrid);
  if (!numbers) return std::move(numbers).error();
  std::sort(numbers->begin(), numbers->end());
  for (const std::uint64_t number : *numbers) {
    if (number == 0 || is_lost(known_, number)) continue;  // no decision
    auto record = read_of(gtrid, number);
    if (!record) return std::move(record).error();
    if (!*record) continue;
    auto told = as_told(std::move((*record)->payload));
    if (!told) return index_is_wrong(number);
    story.push_back({number, (*record)->header.log_time, std::move(*told)});
  }
  return story;
}

Result<CommitsPiece> LevelDbLookup::find_commits(std::string_view participant,
                                                 NumberSpan span) const {
  CommitsPiece piece{
      .commits = {}, .read_to = span.after, .gone = last_lost_before(known_, span.before)};
  RecordWalk records(db_);
  records.to(span.after + 1);
  for (std::size_t i = 0;; ++i, records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number || **number >= span.before) break;
    piece.more = i == kRecordsPerPiece;
    if (piece.more) break;
    piece.read_to = **number;
    if (is_lost(known_, **number)) continue;
    auto record = records.record(**number);
    if (!record) return std::move(record).error();
    auto* commit = std::get_if<CommitRecord>(&record->payload);
    if (commit != nullptr && has_branch_of(*commit, participant)) {
      piece.commits.push_back({**number, std::move(*commit)});
    }
  }
  return piece;
}

/// A record that an index names; nullopt: the entry is of another history, and there is none.
Result<std::optional<StoredRecord>> LevelDbLookup::read(std::uint64_t number) const {
  if (is_broken(known_)) {
    const auto there = read_value(db_, record_key(number));
    if (!there) return there.error();
    if (!*there) return std::optional<StoredRecord>{};
  }
  auto record = read_record(db_, number);
  if (!record) return std::move(record).error();
  return std::optional(std::move(*record));
}

/// The same, for this transaction.
Result<std::optional<StoredRecord>> LevelDbLookup::read_of(const Gtrid& gtrid,
                                                           std::uint64_t number) const {
  auto record = read(number);
  if (!record || !*record) return record;
  const Gtrid* gtrid_there = gtrid_of((*record)->payload);
  if (gtrid_there != nullptr && *gtrid_there == gtrid) return record;
  if (is_broken(known_)) return std::optional<StoredRecord>{};
  return index_is_wrong(number);
}

}  // namespace assent::coordinator
