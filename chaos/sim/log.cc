#include "chaos/sim/log.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "coordinator/log/log_opening.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::sim {
namespace {

using namespace coordinator;
using std::chrono::microseconds;
using std::chrono::milliseconds;

RecordPayload payload_of(Record&& record, const HandLink& last_hand) {
  if (auto* hand = std::get_if<HandRecord>(&record))
    return ChainedHand{std::move(*hand), last_hand};
  return std::visit(
      [](auto&& each) -> RecordPayload {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, HandRecord>) {
          check_failed(__FILE__, __LINE__, "taken above");
        } else {
          return std::forward<decltype(each)>(each);
        }
      },
      std::move(record));
}

/// Only hand records are chained by their bytes.
std::string bytes_of(StoredRecord& record) {
  std::string bytes;
  if (const auto* hand = std::get_if<ChainedHand>(&record.payload))
    encode_record(record.header, *hand, bytes);
  return bytes;
}

}  // namespace

Log::Log(const Process& process, LogDisk& disk, Listener listener, Watch watch)
    : process_(process),
      disk_(disk),
      listener_(std::move(listener)),
      watch_(std::move(watch)),
      state_(disk.log_id) {
  for (const auto& [number, record] : disk_.records) take(record);
  write_opening();
  reported_to_ = state_.tail.newest;
  disk_.marked = state_.tail.top;
}

Log::~Log() {
  write_a_part();
}

void Log::lose_disk() {
  write_a_part();
  has_disk_ = false;
}

void LogDisk::lose_from(std::uint64_t number, bool restored) {
  for (auto at = records.lower_bound(number); at != records.end(); at = records.erase(at))
    lost.push_back(at->second);
  if (restored) marked = number - 1;
}

/// What the mark says of the end, and the next epoch, as the real log has them.
void Log::write_opening() {
  OpeningRecord opening;
  opening.log_id = disk_.log_id;
  opening.nonce = process_.world().random().bits();
  LogTail& tail = state_.tail;
  if (disk_.marked > tail.top) {
    opening.missing.push_back(
        {Missing::Why::kEnd, std::min(tail.newest + 1, disk_.marked), disk_.marked});
    tail.newest = std::max(tail.newest, disk_.marked);
  }
  const bool is_new = tail.log_time == WallTime{};
  tail.epoch = next_epoch(state_, !opening.missing.empty()).value();
  write(opening, true, is_new ? process_.world().clocks().wall : tail.log_time);
  tell_opening();
  opening_.nonce = opening.nonce;
}

void Log::tell_opening() {
  opening_ = opening_of(disk_.log_id, state_);
  for (const ListedRecord& listed : state_.checkpoint().unfinished) {
    const StoredRecord& record = disk_.records.at(listed.number);
    const auto& commit = std::get<CommitRecord>(record.payload);
    opening_.unfinished.push_back(commit);
    opening_.unfinished_at[commit.gtrid] = {listed.number, record.header.log_time};
  }
  for (const ListedRecord& listed : state_.checkpoint().damaged) {
    const StoredRecord& record = disk_.records.at(listed.number);
    const auto& damage = std::get<HeuristicRecord>(record.payload);
    opening_.damaged.push_back(damage);
    opening_.damaged_at[damage.xid] = {listed.number, record.header.log_time};
  }
}

// ---------------------------------------------------------------- writing

void Log::append_forced(Record record, WallTime now, LogToken token) {
  if (failed_ || !process_.acts()) return;
  watch_(record);
  queue_.push_back({std::move(record), now, token, true});
  begin_batch();
}

void Log::append(Record record, WallTime now) {
  if (failed_ || !process_.acts()) return;
  watch_(record);
  queue_.push_back({std::move(record), now, std::nullopt, false});
  process_.in(std::chrono::seconds(1), [this] { begin_batch(); });
}

void Log::begin_batch() {
  if (busy_ || failed_ || queue_.empty()) return;
  busy_ = true;
  writing_ = std::exchange(queue_, {});
  if (mutant("the sync is skipped")) report(take_tokens(writing_));
  World& world = process_.world();
  const Duration sync = world.random().one_in(200)
                            ? world.random().between(milliseconds(50), milliseconds(3000))
                            : world.random().between(microseconds(50), milliseconds(2));
  process_.in(sync, [this] { end_batch(); });
}

void Log::end_batch() {
  busy_ = false;
  if (mutant("a failed sync counts") && std::exchange(fails_, false))
    return report(take_tokens(writing_));
  if (fails_ || !has_disk_) {
    failed_ = true;
    write_a_part();
    return listener_.failed({.code = ErrorCode::kLogUnavailable,
                             .effect = assent::Effect::kUnknown,
                             .message = "the sync of the log has failed"});
  }
  Tokens tokens = take_tokens(writing_);
  for (Queued& queued : std::exchange(writing_, {})) write(std::move(queued));
  reported_to_ = state_.tail.newest;
  disk_.marked = state_.tail.top;
  begin_batch();
  report(std::move(tokens));
}

Log::Tokens Log::take_tokens(std::vector<Queued>& batch) {
  Tokens tokens;
  for (Queued& queued : batch) {
    if (queued.token) tokens.push_back(*std::exchange(queued.token, std::nullopt));
  }
  return tokens;
}

void Log::report(Tokens tokens) {
  if (!tokens.empty()) listener_.durable(std::move(tokens));
}

void Log::write_a_part() {
  if (writing_.empty() || !has_disk_) return;
  const std::size_t part = process_.world().random().below(writing_.size() + 1);
  for (std::size_t i = 0; i < part; ++i) write(std::move(writing_[i]));
  writing_.clear();
}

void Log::write(Queued&& queued) {
  write(payload_of(std::move(queued.record), state_.last_hand), queued.forced, queued.now);
}

void Log::write(RecordPayload payload, bool forced, WallTime now) {
  StoredRecord record;
  record.header.forced = forced;
  record.header.epoch = state_.tail.epoch;
  record.header.number = state_.tail.newest + 1;
  record.header.log_time = std::max(now, state_.tail.log_time);
  record.payload = std::move(payload);
  take(record);
  disk_.records.insert_or_assign(record.header.number, std::move(record));
}

void Log::take(const StoredRecord& record) {
  StoredRecord copy = record;
  state_.apply(record, bytes_of(copy));
  if (const std::string* key = key_of(record.payload); key != nullptr && !key->empty())
    by_key_[*key] = record.header.number;
  const bool decision = std::holds_alternative<CommitRecord>(record.payload) ||
                        std::holds_alternative<RollbackRecord>(record.payload);
  if (decision) by_gtrid_[*gtrid_of(record.payload)] = record.header.number;
}

// ---------------------------------------------------------------- reading

std::optional<Decided> Log::decided_at(std::uint64_t number) const {
  const RecordPayload& payload = disk_.records.at(number).payload;
  if (const auto* commit = std::get_if<CommitRecord>(&payload)) return Decided{*commit};
  return Decided{std::get<RollbackRecord>(payload)};
}

bool Log::has_reported(const Gtrid& decided) const {
  const auto found = by_gtrid_.find(decided);
  return found != by_gtrid_.end() && found->second <= reported_to_;
}

Result<std::optional<Decided>> Log::find_key(std::string_view key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? std::nullopt : decided_at(found->second);
}

Result<std::optional<Decided>> Log::find_gtrid(const Gtrid& gtrid) {
  const auto found = by_gtrid_.find(gtrid);
  return found == by_gtrid_.end() ? std::nullopt : decided_at(found->second);
}

Result<std::vector<ToldRecord>> Log::find_story(const Gtrid& gtrid) {
  std::vector<ToldRecord> story;
  for (const auto& [number, record] : disk_.records) {
    const Gtrid* of = gtrid_of(record.payload);
    if (of == nullptr || *of != gtrid) continue;
    std::visit(
        [&](const auto& payload) {
          using Payload = std::decay_t<decltype(payload)>;
          const auto told = [&](Record each) {
            story.push_back({record.header.number, record.header.log_time, std::move(each)});
          };
          if constexpr (std::is_same_v<Payload, ChainedHand>) {
            told(payload.hand);
          } else if constexpr (std::is_constructible_v<Record, Payload> &&
                               !std::is_same_v<Payload, EndRecord>) {
            told(payload);
          }
        },
        record.payload);
  }
  return story;
}

Result<CommitsPiece> Log::find_commits(std::string_view participant, std::uint64_t after) {
  CommitsPiece piece;
  for (const auto& [number, record] : disk_.records) {
    const auto* commit = std::get_if<CommitRecord>(&record.payload);
    if (record.header.number <= after || commit == nullptr) continue;
    const bool has = std::any_of(commit->branches.begin(), commit->branches.end(),
                                 [&](const auto& each) { return each.xid.bqual == participant; });
    if (has) piece.commits.push_back({record.header.number, *commit});
  }
  piece.read_to = state_.tail.newest;
  return piece;
}

LogStats Log::stats() const {
  LogStats stats;
  stats.newest = state_.tail.newest;
  stats.top = state_.tail.top;
  stats.oldest = 1;
  stats.log_time = state_.tail.log_time;
  return stats;
}

Result<> Log::back_up(const std::filesystem::path& /*to*/) {
  return Error{.code = ErrorCode::kInvalid, .message = "a simulated log has no folder"};
}

}  // namespace assent::sim
