#include "chaos/sim/log.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_reader.h"
#include "coordinator/log/log_opening.h"
#include "coordinator/log/log_time.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::sim {
namespace {

using namespace coordinator;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kRemovalInterval = std::chrono::seconds(1);
constexpr std::size_t kRemovalsPerBatch = 8;

bool is_there(LeveldbMemory& db, std::uint64_t number) {
  return read_value(db, record_key(number)).value().has_value();
}

bool is_about(const StoredRecord& record, std::string_view key) {
  const std::string* its_key = key_of(record.payload);
  return its_key != nullptr && *its_key == key;
}

}  // namespace

// ---------------------------------------------------------------- the disk

void LogDisk::write(leveldb::WriteBatch& updates, const LogState& state) {
  const std::uint64_t before = records.empty() ? 0 : records.rbegin()->first;
  begins_.push_back(before + 1);
  ASSENT_CHECK(db.Write({}, &updates).ok());
  for (std::uint64_t number = before + 1; number <= state.tail.newest; ++number) {
    if (is_there(db, number)) note(read_record(db, number).value());
  }
  if (state.oldest > 1) note_removed(state);
}

void LogDisk::note(StoredRecord record) {
  const std::uint64_t number = record.header.number;
  if (key_of(record.payload) != nullptr) decided[*gtrid_of(record.payload)] = number;
  records.emplace(number, std::move(record));
}

void LogDisk::note_removed(const LogState& state) {
  const auto end = records.lower_bound(state.oldest);
  for (auto at = records.begin(); at != end; ++at) {
    if (removed.contains(at->first) || is_there(db, at->first)) continue;
    removed[at->first] = {db.writes() - 1, state.tail.newest, state.tail.log_time};
  }
}

void LogDisk::lose_from(std::uint64_t number, bool restored) {
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), number);
  const auto write = static_cast<std::size_t>(behind - begins_.begin()) - 1;
  const std::uint64_t first = begins_.at(write);
  ASSENT_CHECK(first > 1);
  db.lose_from(write);
  begins_.resize(write);
  std::erase_if(removed, [write](const auto& each) { return each.second.write >= write; });
  for (auto at = records.lower_bound(first); at != records.end(); at = records.erase(at))
    lost.push_back(at->second);
  std::erase_if(decided, [first](const auto& each) { return each.second >= first; });
  if (restored) marked = first - 1;
}

bool LogDisk::has_forgotten(std::string_view key) const {
  return std::any_of(removed.begin(), removed.end(),
                     [&](const auto& each) { return is_about(records.at(each.first), key); });
}

const StoredRecord* LogDisk::decision_of(std::string_view key) const {
  const auto found = std::find_if(records.rbegin(), records.rend(), [&](const auto& each) {
    return is_about(each.second, key) && !removed.contains(each.first);
  });
  return found == records.rend() ? nullptr : &found->second;
}

// ---------------------------------------------------------------- opening

Log::Log(const Process& process, LogDisk& disk, Listener listener, Watch watch)
    : process_(process),
      disk_(disk),
      listener_(std::move(listener)),
      watch_(std::move(watch)),
      db_(&disk.db),
      state_(disk.log_id) {
  LogPast past = read_recent(*db_, disk_.log_id).value();
  state_ = past.state;
  write_opening(std::move(past.missing));
  known_ = state_.missing;
  lookup_.emplace(*db_, disk_.log_id, known_);
  tell_opening(std::move(past));
  reported_to_ = state_.tail.newest;
  top_ = disk_.marked = state_.tail.top;
  if (disk_.retention > Duration{}) keep();
}

Log::~Log() {
  write_a_part();
}

void Log::lose_disk() {
  write_a_part();
  has_disk_ = false;
  own_ = disk_.db.copy();
  db_ = own_.get();
  lookup_.emplace(*db_, disk_.log_id, known_);
}

/// What the mark says of the end, and the next epoch, as the real log has them.
void Log::write_opening(std::vector<Missing> missing) {
  OpeningRecord opening;
  opening.log_id = disk_.log_id;
  opening.nonce = process_.world().random().bits();
  opening.missing = std::move(missing);
  LogTail& tail = state_.tail;
  if (disk_.marked > tail.top) {
    opening.missing.push_back(
        {Missing::Why::kEnd, std::min(tail.newest + 1, disk_.marked), disk_.marked});
    tail.newest = std::max(tail.newest, disk_.marked);
  }
  const bool is_new = tail.log_time == WallTime{};
  const Epoch epoch = next_epoch(state_, !opening.missing.empty()).value();
  Batch batch(*db_, disk_.log_id, state_);
  batch.add_opening(epoch, opening, is_new ? process_.world().clocks().wall : tail.log_time);
  disk_.write(batch.writes(), state_);
  opening_.nonce = opening.nonce;
}

void Log::tell_opening(LogPast&& past) {
  const std::uint64_t nonce = opening_.nonce;
  opening_ = opening_of(disk_.log_id, state_);
  opening_.nonce = nonce;
  opening_.unfinished = std::move(past.unfinished);
  opening_.unfinished_at = std::move(past.unfinished_at);
  opening_.damaged = std::move(past.damaged);
  opening_.damaged_at = std::move(past.damaged_at);
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

void Log::begin_time(WallTime now) {
  if (disk_.retention == Duration{}) return;
  away_ms_ = unproved_ms(state_.tail.log_time, now);
  if (away_ms_ == 0) return;
  time_ = now;
  begin_batch();
}

void Log::keep_time(WallTime now) {
  if (disk_.retention == Duration{}) return;
  if (!is_time_due(state_.tail.log_time, now, disk_.retention)) return;
  time_ = now;
  begin_batch();
}

void Log::begin_batch() {
  const bool any = !queue_.empty() || removing_ || time_;
  if (busy_ || failed_ || !any) return;
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
  if (mutant("a failed sync counts") && std::exchange(fails_, false)) {
    busy_ = false;
    return report(take_tokens(writing_));
  }
  if (fails_ || !has_disk_) {
    failed_ = true;
    write_a_part();
    return listener_.failed({.code = ErrorCode::kLogUnavailable,
                             .effect = assent::Effect::kUnknown,
                             .message = "the sync of the log has failed"});
  }
  busy_ = false;
  Tokens tokens = take_tokens(writing_);
  write(std::exchange(writing_, {}), true);
  reported_to_ = state_.tail.newest;
  top_ = disk_.marked = state_.tail.top;
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
  if (!std::exchange(busy_, false) || !has_disk_) return;
  const std::size_t part = process_.world().random().below(writing_.size() + 2);
  const bool whole = part > writing_.size();
  if (!whole) writing_.resize(part);
  write(std::exchange(writing_, {}), whole);
}

void Log::write(std::vector<Queued> batch, bool whole) {
  Batch updates(*db_, disk_.log_id, state_);
  if (away_ms_ != 0) state_.time_unproved(std::exchange(away_ms_, 0));
  for (Queued& queued : batch)
    ASSENT_CHECK(updates.add(queued.record, queued.forced, queued.now).has_value());
  if (whole) add_upkeep(updates);
  disk_.write(updates.writes(), state_);
  if (removing_ && removing_->oldest == 0 && removing_->removals.empty()) removing_.reset();
}

void Log::add_upkeep(Batch& batch) {
  if (removing_) ASSENT_CHECK(batch.remove_a_piece(*removing_, kRemovalsPerBatch).has_value());
  const std::uint64_t one_in = disk_.checkpoint_one_in;
  const bool drawn = one_in != 0 && process_.world().random().one_in(one_in);
  if (drawn || time_) batch.add_checkpoint(time_.value_or(WallTime{}));
  time_.reset();
}

/// As the log's thread for it does.
void Log::keep() {
  process_.in(kRemovalInterval, [this] { keep(); });
  if (removing_ || failed_ || !has_disk_ || !state_.may_presume()) return;
  std::vector<std::uint64_t> pinned;
  for (const auto& [xid, listed] : state_.damaged) pinned.push_back(listed.number);
  std::sort(pinned.begin(), pinned.end());
  const Cutoff cutoff{state_.tail.log_time + -disk_.retention, state_.unproved};
  auto found = find_removable(*db_, disk_.log_id, looked_to_, cutoff, pinned, known_).value();
  if (found.oldest == looked_to_) return;
  looked_to_ = found.oldest;
  std::reverse(found.removals.begin(), found.removals.end());
  removing_ = std::move(found);
  begin_batch();
}

// ---------------------------------------------------------------- reading

bool Log::has_reported(const Gtrid& decided) const {
  const auto found = disk_.decided.find(decided);
  return found != disk_.decided.end() && found->second <= reported_to_;
}

Result<std::optional<Decided>> Log::find_key(std::string_view key) {
  return lookup_->find_key(key);
}

Result<std::optional<Decided>> Log::find_gtrid(const Gtrid& gtrid) {
  return lookup_->find_gtrid(gtrid);
}

Result<std::vector<ToldRecord>> Log::find_story(const Gtrid& gtrid) {
  return lookup_->find_story(gtrid);
}

Result<CommitsPiece> Log::find_commits(std::string_view participant, coordinator::NumberSpan span) {
  auto piece = lookup_->find_commits(participant, span);
  if (piece) piece->gone = std::max(piece->gone, std::min(state_.removed_commit, span.before - 1));
  return piece;
}

LogStats Log::stats() const {
  LogStats stats;
  stats.newest = state_.tail.newest;
  stats.top = state_.tail.top;
  stats.oldest = state_.oldest;
  stats.log_time = state_.tail.log_time;
  stats.low_water = state_.low_water;
  return stats;
}

Result<> Log::back_up(const std::filesystem::path& /*to*/) {
  return Error{.code = ErrorCode::kInvalid, .message = "a simulated log has no folder"};
}

}  // namespace assent::sim
