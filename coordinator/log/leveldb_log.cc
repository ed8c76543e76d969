#include "coordinator/log/leveldb_log.h"

#include <fmt/format.h>
#include <leveldb/write_batch.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "coordinator/log/file_io.h"
#include "coordinator/log/high_water_mark.h"
#include "coordinator/log/leveldb_batch.h"
#include "coordinator/log/leveldb_copy.h"
#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_lookup.h"
#include "coordinator/log/leveldb_reader.h"
#include "coordinator/log/leveldb_removal.h"
#include "coordinator/log/leveldb_store.h"
#include "coordinator/log/leveldb_verify.h"
#include "coordinator/log/log_opening.h"
#include "coordinator/log/log_state.h"
#include "coordinator/log/log_time.h"
#include "coordinator/log/record.h"
#include "protocol/base/crash_point.h"
#include "protocol/base/time.h"

namespace assent::coordinator {
namespace {

constexpr std::uint64_t kRecordsPerCheckpoint = 10'000;
constexpr std::size_t kRemovalsPerBatch = 64;          // about a millisecond
constexpr std::uint64_t kRecordsPerFreeing = 200'000;  // some tables
constexpr auto kRemovalInterval = std::chrono::seconds(1);
constexpr auto kUnforcedDelay = std::chrono::seconds(1);

std::uint64_t random_nonce() {
  std::random_device random;
  return static_cast<std::uint64_t>(random()) << 32 | random();
}

/// The verification in the background takes what time the processor has left.
void yield_to_others() {
  constexpr int kLowest = 19;
  // On Linux a nice value is a thread's own; an error leaves the priority as it was.
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, kLowest));
}

/// Puts the folder in front and says what to do, for whoever reads it in the morning.
Error refused(const std::filesystem::path& dir, Error why) {
  why.message =
      fmt::format("the decision log in {} can't be opened: {}. Its files are left as they were",
                  dir.string(), why.message);
  return why;
}

}  // namespace

class LevelDbLog::Impl {
 public:
  Impl(std::unique_ptr<LevelDbStore> store, Listener listener, const Options& options)
      : store_(std::move(store)),
        listener_(std::move(listener)),
        retention_(options.retention),
        copies_leave_(options.copies_leave) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Reads and verifies the past, raises the epoch, starts the threads.
  Result<> begin();

  const LogOpening& opening() const { return opening_; }
  void append(Record&& record, WallTime now, std::optional<LogToken> token);
  void begin_time(WallTime now);
  void keep_time(WallTime now);
  Result<std::optional<Decided>> find_key(std::string_view key) const;
  Result<std::optional<Decided>> find_gtrid(const Gtrid& gtrid) const;
  Result<std::vector<ToldRecord>> find_story(const Gtrid& gtrid) const;
  Result<CommitsPiece> find_commits(std::string_view participant, NumberSpan span) const;
  std::optional<Gtrid> low_water() const;
  LogStats stats() const;
  Result<> back_up(const std::filesystem::path& to);
  void end_copies() { copies_ended_ = true; }
  std::uint64_t top() const { return top_; }

 private:
  struct Queued {
    Record record;
    WallTime now;
    std::optional<LogToken> token;  ///< of a forced one
  };

  Result<> identify();
  void doubt_end(std::vector<Missing>& missing);
  Result<> raise_epoch(std::vector<Missing>&& missing);
  Result<> open_mark();
  void tell_opening(LogPast&& past);

  // The writing thread.
  void write_all();
  bool take(std::vector<Queued>& queued);
  Result<> write(const std::vector<Queued>& queued);
  Result<> fill(Batch& batch, const std::vector<Queued>& queued);
  Result<> write_durably(leveldb::WriteBatch& writes);
  void tell_stats();
  void report(const std::vector<Queued>& queued);
  void end_removing();
  void remember_missing();
  void fail(const Error& error);

  // Other threads.
  void keep(const LogState& found);
  bool verify(const LogState& found);
  bool wait_to_presume();
  void remove_what_is_old();
  Result<std::uint64_t> remove_some(std::uint64_t first);
  bool remove(RemovableRecords&& records);
  void free_space(std::uint64_t first, std::uint64_t last);
  void wake_keeper();
  void make_writer_tell_missing(const std::vector<Missing>& missing);
  void make_writer_fail(const Error& error);

  Result<> may_copy(const std::filesystem::path& into) const;
  Error failed_before() const;

  const std::unique_ptr<LevelDbStore> store_;
  const Listener listener_;
  const Duration retention_;
  const std::uint64_t copies_leave_;
  LogId log_id_{};
  LogOpening opening_;
  std::vector<Missing> known_;  ///< to be missing since the opening
  std::optional<LevelDbLookup> lookup_;
  std::atomic<std::uint64_t> top_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_keeping_{false};
  std::atomic<bool> copies_ended_{false};

  // The writing thread's own, once it runs.
  LogState state_{LogId{}};
  std::optional<RemovableRecords> removing_;  ///< `oldest` 0: the checkpoint tells of it durably
  std::optional<WallTime> time_;              ///< to be written now
  std::uint64_t away_ms_ = 0;                 ///< unproved, up to then

  mutable std::mutex mutex_;
  std::condition_variable wake_writer_;
  // State below is protected by mutex_.
  std::vector<Queued> queue_;
  bool forced_queued_ = false;
  bool writer_waits_ = false;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point unforced_due_;  ///< of the first in `queue_`
  std::optional<WallTime> time_due_;  ///< for the writing thread, since nothing else is written
  std::uint64_t away_due_ms_ = 0;     ///< the same, with `time_due_`
  std::optional<Error> failure_;      ///< found by another thread; the writing thread reports it
  std::condition_variable wake_keeper_;
  std::optional<RemovableRecords> to_remove_;  ///< for the writing thread
  bool removing_done_ = true;
  std::vector<std::uint64_t> pinned_;  ///< see find_removable
  std::vector<UnprovedTime> unproved_;
  std::uint64_t removed_commit_ = 0;
  bool may_presume_ = false;
  std::vector<Missing> missing_;  ///< found by the verifying thread, before `failure_`
  LogStats stats_;                ///< without what is to be asked of the disk

  // Last: they use all the others.
  std::unique_ptr<HighWaterMark> mark_;
  std::thread keeper_;
  std::thread writer_;
};

LevelDbLog::Impl::~Impl() {
  stop_keeping_ = true;
  wake_keeper();
  if (keeper_.joinable()) keeper_.join();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_writer_.notify_all();
  if (writer_.joinable()) writer_.join();
}

// ---- opening

Result<> LevelDbLog::Impl::begin() {
  auto known = identify();
  if (!known) return known;
  auto past = read_recent(store_->db(), log_id_);
  if (!past) return std::move(past).error();
  state_ = past->state;
  std::vector<Missing> missing = std::move(past->missing);
  doubt_end(missing);
  auto raised = raise_epoch(std::move(missing));
  if (!raised) return raised;
  auto settled = store_->settle_doubts(log_id_);
  if (!settled) return settled;
  crash_point("log.doubts.settled");
  auto marked = open_mark();
  if (!marked) return marked;
  known_ = state_.missing;
  lookup_.emplace(store_->db(), log_id_, known_);
  LogState found = past->state;
  found.missing = known_;
  tell_opening(std::move(*past));

  writer_ = std::thread([this] { write_all(); });
  keeper_ = std::thread([this, found = std::move(found)] { keep(found); });
  return {};
}

Result<> LevelDbLog::Impl::identify() {
  if (store_->mark()) {
    log_id_ = store_->mark()->log_id;
    return {};
  }
  const auto found = read_log_id(store_->db());
  if (!found) return found.error();
  log_id_ = *found;
  return {};
}

/// Every forced record up to the mark has been reported durable, so its absence is a loss (F 7).
/// Whoever knows the lost numbers must not take later records for them: they are left out.
void LevelDbLog::Impl::doubt_end(std::vector<Missing>& missing) {
  LogTail& tail = state_.tail;
  const std::uint64_t next = tail.newest + 1;
  for (const auto why : store_->doubts()) missing.push_back({why, next, 0});
  const std::uint64_t marked = store_->mark() ? store_->mark()->number : 0;
  if (marked <= tail.top) return;
  missing.push_back({Missing::Why::kEnd, std::min(next, marked), marked});
  tail.newest = std::max(tail.newest, marked);
}

Result<> LevelDbLog::Impl::raise_epoch(std::vector<Missing>&& missing) {
  const auto epoch = next_epoch(state_, !missing.empty());
  if (!epoch) return log_unavailable("it has been opened too often; begin a new log");
  opening_.nonce = random_nonce();
  Batch batch(store_->db(), log_id_, state_);
  // The log's time goes on where it stopped: whether the host's clock may be followed is for the
  // core to say (R15).
  const bool is_new = state_.tail.log_time == WallTime{};
  const WallTime at = is_new ? read_clocks().wall : state_.tail.log_time;
  const bool broken = is_broken(missing);
  batch.add_opening(*epoch, {log_id_, opening_.nonce, std::move(missing)}, at);
  if (broken) batch.add_checkpoint();  // nobody has to come upon the break again
  crash_point("log.opening.before_record");
  auto written = write_durably(batch.writes());
  if (!written) return written;
  crash_point("log.opening.after_record");
  return {};
}

Result<> LevelDbLog::Impl::open_mark() {
  auto mark = HighWaterMark::open(store_->mark_path(),
                                  [this](const Error& error) { make_writer_fail(error); });
  if (!mark) return std::move(mark).error();
  mark_ = std::move(*mark);
  auto marked = mark_->write(state_.tail.top);
  crash_point("log.old_mark.written");
  if (marked) marked = mark_->sync();
  crash_point("log.old_mark.synced");
  return marked;
}

void LevelDbLog::Impl::tell_opening(LogPast&& past) {
  const std::uint64_t nonce = opening_.nonce;
  opening_ = opening_of(log_id_, state_);
  opening_.nonce = nonce;
  opening_.unfinished = std::move(past.unfinished);
  opening_.unfinished_at = std::move(past.unfinished_at);
  opening_.damaged = std::move(past.damaged);
  opening_.damaged_at = std::move(past.damaged_at);
  top_ = state_.tail.top;
  tell_stats();
}

// ---- appending

void LevelDbLog::Impl::append(Record&& record, WallTime now, std::optional<LogToken> token) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    const bool first = queue_.empty();
    if (first) unforced_due_ = std::chrono::steady_clock::now() + kUnforcedDelay;
    // The writer sleeps until the first record, then until a forced one or the delay.
    wake = writer_waits_ && (first || (token && !forced_queued_));
    forced_queued_ = forced_queued_ || token;
    queue_.push_back({std::move(record), now, token});
  }
  if (wake) wake_writer_.notify_one();
}

void LevelDbLog::Impl::begin_time(WallTime now) {
  if (retention_ == Duration{}) return;  // nothing ever gets old
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t away_ms = unproved_ms(stats_.log_time, now);
    if (failed_ || away_ms == 0) return;
    time_due_ = now;
    away_due_ms_ = away_ms;
  }
  wake_writer_.notify_one();
}

void LevelDbLog::Impl::keep_time(WallTime now) {
  if (retention_ == Duration{}) return;  // nothing ever gets old
  {
    const std::lock_guard lock(mutex_);
    if (failed_ || !is_time_due(stats_.log_time, now, retention_)) return;
    time_due_ = now;
  }
  wake_writer_.notify_one();
}

void LevelDbLog::Impl::write_all() {
  std::vector<Queued> queued;
  while (take(queued)) {
    const auto written = write(queued);
    if (!written) return fail(written.error());
    report(queued);
    queued.clear();
  }
}

/// Waits for something to write and takes all of it. False: there is nothing more to do.
bool LevelDbLog::Impl::take(std::vector<Queued>& queued) {
  std::unique_lock lock(mutex_);
  const auto due = [this] {
    return forced_queued_ || stopping_ || failure_ || to_remove_ || removing_ || time_due_;
  };
  writer_waits_ = true;
  wake_writer_.wait(lock, [&] { return !queue_.empty() || due(); });
  const auto unforced_due = unforced_due_;
  wake_writer_.wait_until(lock, unforced_due, due);
  writer_waits_ = false;
  if (failure_) {
    lock.unlock();
    remember_missing();
    fail(*failure_);
    return false;
  }
  queued.swap(queue_);
  forced_queued_ = false;
  if (to_remove_ && !removing_) removing_ = std::exchange(to_remove_, std::nullopt);
  time_ = std::exchange(time_due_, std::nullopt);
  away_ms_ = std::exchange(away_due_ms_, 0);
  return !queued.empty() || time_ || (removing_ && !stopping_);
}

Result<> LevelDbLog::Impl::write(const std::vector<Queued>& queued) {
  crash_point("log.write.before");
  const LogTail before = state_.tail;
  Batch batch(store_->db(), log_id_, state_);
  auto filled = fill(batch, queued);
  if (!filled) return filled;
  auto written = write_durably(batch.writes());
  if (!written) return written;
  if (state_.tail.checkpoint != before.checkpoint) crash_point("log.checkpoint.synced");
  tell_stats();
  if (removing_ && removing_->removals.empty()) end_removing();
  crash_point("log.write.synced");
  if (state_.tail.top == before.top) return {};
  auto marked = mark_->write(state_.tail.top);
  if (!marked) return marked;
  crash_point("log.write.marked");
  top_ = state_.tail.top;
  return {};
}

Result<> LevelDbLog::Impl::fill(Batch& batch, const std::vector<Queued>& queued) {
  if (away_ms_ != 0) state_.time_unproved(away_ms_);
  for (const auto& one : queued) {
    auto added = batch.add(one.record, one.token.has_value(), one.now);
    if (!added) return added;
  }
  if (removing_) {
    auto removed = batch.remove_a_piece(*removing_, kRemovalsPerBatch);
    if (!removed) return removed;
  }
  const bool many = state_.tail.newest - state_.tail.checkpoint >= kRecordsPerCheckpoint;
  if (!many && !time_) return {};
  crash_point("log.checkpoint.before");
  batch.add_checkpoint(time_.value_or(WallTime{}));
  return {};
}

void LevelDbLog::Impl::end_removing() {
  crash_point("log.removal.done");
  removing_.reset();
  {
    const std::lock_guard lock(mutex_);
    removing_done_ = true;
  }
  wake_keeper_.notify_all();
}

/// One write and one sync for all that waited. An error says nothing about what is on the disk (F
/// 6).
Result<> LevelDbLog::Impl::write_durably(leveldb::WriteBatch& writes) {
  leveldb::WriteOptions options;
  options.sync = true;
  const auto status = store_->db().Write(options, &writes);
  if (status.ok()) return {};
  Error error = log_unavailable("writing the decision log", status);
  if (status.IsIOError()) error.message += "; repair the cause (disk full?)";
  error.effect = Effect::kUnknown;
  return error;
}

void LevelDbLog::Impl::tell_stats() {
  const std::lock_guard lock(mutex_);
  stats_.newest = state_.tail.newest;
  stats_.top = state_.tail.top;
  stats_.oldest = state_.oldest;
  stats_.log_time = state_.tail.log_time;
  stats_.low_water = state_.low_water;
  removed_commit_ = state_.removed_commit;
  unproved_ = state_.unproved;
  const bool may_presume = state_.may_presume();
  if (may_presume && !may_presume_) wake_keeper_.notify_all();
  may_presume_ = may_presume;
  pinned_.clear();
  for (const auto& [xid, listed] : state_.damaged) pinned_.push_back(listed.number);
  std::sort(pinned_.begin(), pinned_.end());
}

void LevelDbLog::Impl::report(const std::vector<Queued>& queued) {
  std::vector<LogToken> durable;
  for (const auto& one : queued) {
    if (one.token) durable.push_back(*one.token);
  }
  if (!durable.empty()) listener_.durable(std::move(durable));
  crash_point("log.write.told");
}

/// What the verification in the background found missing, for the next opening. Nothing to be done
/// if it can't be written: the next opening's verification finds it again.
void LevelDbLog::Impl::remember_missing() {
  if (missing_.empty()) return;
  state_.missing.insert(state_.missing.end(), missing_.begin(), missing_.end());
  Batch batch(store_->db(), log_id_, state_);
  batch.add_checkpoint();
  crash_point("log.missing.before_record");
  static_cast<void>(write_durably(batch.writes()));
  crash_point("log.missing.recorded");
}

void LevelDbLog::Impl::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    queue_.clear();
  }
  wake_keeper_.notify_all();
  listener_.failed(error);
}

// ---- the other threads

/// Verifies, then removes: what is being removed would look like a loss. Neither files nor records
/// go while something is missing that nobody has allowed.
void LevelDbLog::Impl::keep(const LogState& found) {
  yield_to_others();
  if (!verify(found) || !wait_to_presume()) return;
  crash_point("log.kept_files.before_removal");
  store_->stop_keeping();
  crash_point("log.kept_files.removed");
  if (retention_ > Duration{}) remove_what_is_old();
}

bool LevelDbLog::Impl::verify(const LogState& found) {
  const auto missing = verify_all(store_->db(), log_id_, found, stop_keeping_);
  if (!missing) {
    make_writer_fail(missing.error());
    return false;
  }
  if (!missing->empty()) {
    make_writer_tell_missing(*missing);
    return false;
  }
  return !stop_keeping_;
}

/// False: there is no going on.
bool LevelDbLog::Impl::wait_to_presume() {
  std::unique_lock lock(mutex_);
  wake_keeper_.wait(lock, [this] { return may_presume_ || stop_keeping_ || failed_; });
  return !stop_keeping_ && !failed_;
}

/// Begins at the first record that is there: an earlier opening may have been interrupted.
void LevelDbLog::Impl::remove_what_is_old() {
  std::uint64_t first = 0;
  std::uint64_t freed_to = 0;
  while (wait_to_presume()) {
    const auto next = remove_some(first);
    if (!next) return make_writer_fail(next.error());
    const bool more = *next > first;
    first = *next;
    if (first - freed_to >= kRecordsPerFreeing || (!more && first > freed_to)) {
      free_space(freed_to, first);
      freed_to = first;
    }
    if (more) continue;
    std::unique_lock lock(mutex_);
    wake_keeper_.wait_for(lock, kRemovalInterval, [this] { return stop_keeping_.load(); });
  }
}

/// Returns where to go on.
Result<std::uint64_t> LevelDbLog::Impl::remove_some(std::uint64_t first) {
  std::vector<std::uint64_t> pinned;
  Cutoff cutoff;
  {
    const std::lock_guard lock(mutex_);
    pinned = pinned_;
    cutoff = {stats_.log_time + -retention_, unproved_};
  }
  auto records = find_removable(store_->db(), log_id_, first, cutoff, pinned, known_);
  if (!records) return records.error();
  const std::uint64_t next = records->oldest;
  if (next == first || remove(std::move(*records))) return next;
  return first;
}

/// Waits until the writing thread has done it; false: it won't.
bool LevelDbLog::Impl::remove(RemovableRecords&& records) {
  // From the back: the writing thread takes them from there.
  std::reverse(records.removals.begin(), records.removals.end());
  std::unique_lock lock(mutex_);
  to_remove_ = std::move(records);
  removing_done_ = false;
  wake_writer_.notify_one();
  wake_keeper_.wait(lock, [this] { return removing_done_ || stop_keeping_ || failed_; });
  return removing_done_;
}

void LevelDbLog::Impl::free_space(std::uint64_t first, std::uint64_t last) {
  const std::string begin = record_key(first);
  const std::string end = record_key(last);
  const leveldb::Slice from(begin);
  const leveldb::Slice to(end);
  crash_point("log.space.before_freeing");
  store_->db().CompactRange(&from, &to);
  crash_point("log.space.freed");
}

void LevelDbLog::Impl::wake_keeper() {
  const std::lock_guard lock(mutex_);
  wake_keeper_.notify_all();
}

/// The coordinator has presumed that all was there: it must stop, and not presume again.
void LevelDbLog::Impl::make_writer_tell_missing(const std::vector<Missing>& missing) {
  {
    const std::lock_guard lock(mutex_);
    missing_ = missing;
  }
  make_writer_fail(
      log_unavailable(fmt::format("{}. Start the coordinator again: it then presumes nothing, and "
                                  "says what is at stake and how "
                                  "to go on",
                                  text(missing.front()))));
}

void LevelDbLog::Impl::make_writer_fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_ || failure_) return;
    failed_ = true;
    failure_ = error;
  }
  wake_writer_.notify_one();
}

// ---- lookups

Error LevelDbLog::Impl::failed_before() const {
  return log_unavailable(
      "the decision log has failed; restart the coordinator to read what is there");
}

Result<std::optional<Decided>> LevelDbLog::Impl::find_key(std::string_view key) const {
  if (failed_) return failed_before();
  return lookup_->find_key(key);
}

Result<std::optional<Decided>> LevelDbLog::Impl::find_gtrid(const Gtrid& gtrid) const {
  if (failed_) return failed_before();
  return lookup_->find_gtrid(gtrid);
}

Result<std::vector<ToldRecord>> LevelDbLog::Impl::find_story(const Gtrid& gtrid) const {
  if (failed_) return failed_before();
  return lookup_->find_story(gtrid);
}

Result<CommitsPiece> LevelDbLog::Impl::find_commits(std::string_view participant,
                                                    NumberSpan span) const {
  if (failed_) return failed_before();
  auto piece = lookup_->find_commits(participant, span);
  if (!piece) return piece;
  const std::lock_guard lock(mutex_);  // behind the reading: what went meanwhile counts
  piece->gone = std::max(piece->gone, std::min(removed_commit_, span.before - 1));
  return piece;
}

std::optional<Gtrid> LevelDbLog::Impl::low_water() const {
  const std::lock_guard lock(mutex_);
  return stats_.low_water;
}

LogStats LevelDbLog::Impl::stats() const {
  LogStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.bytes = store_->bytes();
  stats.disk_free = store_->disk_free();
  return stats;
}

Result<> LevelDbLog::Impl::back_up(const std::filesystem::path& to) {
  if (failed_) return failed_before();
  const auto folder = as_folder(to);
  return copy_log(store_->db(), log_id_, top_, folder,
                  [&] { return may_copy(folder.parent_path()); });
}

/// What a copy would take the last room of may be the log's own file system.
Result<> LevelDbLog::Impl::may_copy(const std::filesystem::path& into) const {
  if (copies_ended_ || failed_) return log_unavailable("the coordinator stops, so the copy ended");
  std::error_code unknown;
  const auto space = std::filesystem::space(into, unknown);
  if (unknown || space.available >= copies_leave_) return {};
  return Error{.code = ErrorCode::kIo,
               .message = fmt::format(
                   "the copy would leave less than {} MiB free in {} (disk_free_min_mib): "
                   "make room there, or name a folder on another file system",
                   copies_leave_ / 1024 / 1024, into.string())};
}

// ---- the door

LevelDbLog::LevelDbLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LevelDbLog::~LevelDbLog() = default;

Result<std::unique_ptr<LevelDbLog>> LevelDbLog::open(const Options& options, Listener listener) {
  auto store = LevelDbStore::open(options.dir, options.env, options.restored);
  if (!store) return refused(options.dir, std::move(store).error());
  auto impl = std::make_unique<Impl>(std::move(*store), std::move(listener), options);
  auto begun = impl->begin();
  if (!begun) return refused(options.dir, std::move(begun).error());
  return std::unique_ptr<LevelDbLog>(new LevelDbLog(std::move(impl)));
}

const LogOpening& LevelDbLog::opening() const {
  return impl_->opening();
}

void LevelDbLog::append_forced(Record record, WallTime now, LogToken token) {
  impl_->append(std::move(record), now, token);
}

void LevelDbLog::append(Record record, WallTime now) {
  impl_->append(std::move(record), now, std::nullopt);
}

void LevelDbLog::begin_time(WallTime now) {
  impl_->begin_time(now);
}

void LevelDbLog::keep_time(WallTime now) {
  impl_->keep_time(now);
}

Result<std::optional<Decided>> LevelDbLog::find_key(std::string_view key) {
  return impl_->find_key(key);
}

Result<std::optional<Decided>> LevelDbLog::find_gtrid(const Gtrid& gtrid) {
  return impl_->find_gtrid(gtrid);
}

Result<std::vector<ToldRecord>> LevelDbLog::find_story(const Gtrid& gtrid) {
  return impl_->find_story(gtrid);
}

Result<CommitsPiece> LevelDbLog::find_commits(std::string_view participant, NumberSpan span) {
  return impl_->find_commits(participant, span);
}

std::optional<Gtrid> LevelDbLog::low_water() const {
  return impl_->low_water();
}

LogStats LevelDbLog::stats() const {
  return impl_->stats();
}

Result<> LevelDbLog::back_up(const std::filesystem::path& to) {
  return impl_->back_up(to);
}

void LevelDbLog::end_copies() {
  impl_->end_copies();
}

std::uint64_t LevelDbLog::top() const {
  return impl_->top();
}

}  // namespace assent::coordinator
