#include "coordinator/log/leveldb_store.h"

#include <fmt/format.h>

#include <fstream>
#include <random>
#include <system_error>
#include <utility>

#include "coordinator/log/file_io.h"
#include "coordinator/log/leveldb_reader.h"
#include "protocol/base/crash_point.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMiB = 1024 * 1024;
// What a reopening has to replay at most, about 80,000 decisions; smaller ones cost more
// compaction.
constexpr std::size_t kWriteBuffer = 32 * kMiB;
constexpr std::size_t kTableSize = 8 * kMiB;
constexpr std::size_t kBlockCache = 32 * kMiB;
constexpr int kBloomBitsPerKey = 10;  // one absent key in a hundred costs a read

Error file_error(std::string_view what, const fs::path& path, const std::error_code& why) {
  return {.code = ErrorCode::kIo,
          .message = fmt::format("cannot {} {}: {}", what, path.string(), why.message()),
          .native = why.value()};
}

LogId random_log_id() {
  std::random_device random;  // the kernel's
  std::uint64_t id = 0;
  while (id == 0) id = static_cast<std::uint64_t>(random()) << 32 | random();
  return LogId{id};
}

}  // namespace

LevelDbStore::LevelDbStore(fs::path dir, leveldb::Env* env)
    : dir_(std::move(dir)), env_(env == nullptr ? leveldb::Env::Default() : env) {}

LevelDbStore::~LevelDbStore() {
  db_.reset();
  if (lock_ != nullptr) env_.UnlockFile(lock_);
}

fs::path LevelDbStore::mark_path() const {
  return dir_ / "high_water_mark";
}

fs::path LevelDbStore::database_path() const {
  return dir_ / "decisions";
}

std::uint64_t LevelDbStore::bytes() const {
  std::uint64_t sum = 0;
  std::error_code why;
  // Files come and go meanwhile: one that is gone counts for nothing.
  for (fs::recursive_directory_iterator at(dir_, why), end; !why && at != end; at.increment(why)) {
    std::error_code gone;
    const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) sum += size;
  }
  return sum;
}

std::uint64_t LevelDbStore::disk_free() const {
  std::error_code why;
  const auto space = fs::space(dir_, why);
  return why ? 0 : space.available;
}

fs::path LevelDbStore::origin_path() const {
  return dir_ / "origin";
}

fs::path LevelDbStore::backup_path() const {
  return dir_ / "backup";
}

fs::path LevelDbStore::unread_path() const {
  return dir_ / "unread";
}

void LevelDbStore::stop_keeping() {
  env_.stop_keeping(database_path().string());
}

Result<std::unique_ptr<LevelDbStore>> LevelDbStore::open(const fs::path& dir, leveldb::Env* env,
                                                         bool restored) {
  std::unique_ptr<LevelDbStore> store(new LevelDbStore(as_folder(dir), env));
  auto opened = restored ? store->expect_log() : Result<>{};
  if (opened) opened = store->take_folder();
  if (opened) opened = store->doubt_folder(restored);
  if (opened) opened = store->find_mark();
  if (opened) opened = store->open_db();
  if (!opened) return std::move(opened).error();
  return store;
}

/// Else a wrong folder would be taken for a new log, which knows nothing.
Result<> LevelDbStore::expect_log() const {
  std::error_code why;
  if (fs::exists(mark_path(), why) || fs::exists(database_path(), why)) return {};
  return log_unavailable(fmt::format(
      "there is no log in {}, and --restored says that there is one: look at data_dir, and whether "
      "the file system is mounted; copy the backup there, or start without --restored for a new "
      "log",
      dir_.string()));
}

Result<> LevelDbStore::take_folder() {
  std::error_code why;
  const bool made = fs::create_directory(dir_, why);
  if (why) return file_error("make the folder", dir_, why);
  if (made) {
    fs::permissions(dir_, fs::perms::owner_all, why);
    if (why) return file_error("keep others out of", dir_, why);
    auto named = sync_folder(dir_.parent_path());
    if (!named) return named;
    crash_point("log.folder.made");
  }
  const auto status = env_.LockFile((dir_ / "LOCK").string(), &lock_);
  crash_point("log.folder.locked");
  if (status.ok()) return {};
  return log_unavailable(
      fmt::format("it is in use: a log has one coordinator. Stop the other one, or give this one a "
                  "folder of its own ({})",
                  status.ToString()));
}

bool LevelDbStore::has_database() const {
  std::error_code why;
  return fs::exists(database_path() / "CURRENT", why);
}

Result<> LevelDbStore::doubt_folder(bool restored) {
  std::error_code why;
  const bool backup = fs::exists(backup_path(), why);
  if (backup && !restored) {
    return log_unavailable(
        "it is a copy made by `log backup`, and the original may have gone on. If the original is "
        "lost, start assentd with --restored");
  }
  const auto origin = look_at_origin(origin_path());
  if (!origin) return origin.error();
  origin_ = *origin;
  if (backup) {
    doubts_.push_back(Missing::Why::kBackup);
  } else if (origin_ == Origin::kCopied) {
    doubts_.push_back(Missing::Why::kCopy);
  }
  return {};
}

Result<> LevelDbStore::find_mark() {
  auto mark = HighWaterMark::read(mark_path());
  if (!mark && mark.error().code != ErrorCode::kLogUnavailable) return std::move(mark).error();
  if (mark && *mark) {
    mark_ = **mark;
    return {};
  }
  std::error_code why;
  if (mark && !fs::exists(database_path(), why)) return begin_log();
  doubts_.push_back(Missing::Why::kNoMark);
  return {};
}

/// Neither mark nor database: a new log. The mark comes first, so a database without one has lost
/// it.
Result<> LevelDbStore::begin_log() {
  mark_ = {random_log_id(), 0};
  doubts_.clear();
  return HighWaterMark::create(mark_path(), mark_->log_id);
}

Result<> LevelDbStore::settle_doubts(LogId log_id) {
  if (!mark_) {
    std::error_code why;
    fs::path kept = mark_path();
    do kept += ".kept";
    while (fs::exists(kept, why));
    fs::rename(mark_path(), kept, why);
    if (why && why != std::errc::no_such_file_or_directory) {
      return file_error("rename", mark_path(), why);
    }
    crash_point("log.damaged_mark.kept");
    auto made = HighWaterMark::create(mark_path(), log_id);
    if (!made) return made;
  }
  if (origin_ != Origin::kOwn) {
    auto made = make_origin(origin_path());
    if (!made) return made;
  }
  std::error_code why;
  const bool was_backup = fs::remove(backup_path(), why);
  const bool was_unread = fs::remove(unread_path(), why);
  return was_backup || was_unread ? sync_folder(dir_) : Result<>{};
}

Result<> LevelDbStore::open_db() {
  if (!has_database() && !(mark_ && mark_->number == 0)) {
    return log_damaged(fmt::format(
        "its database is gone: its folder decisions has no CURRENT{}",
        mark_ ? fmt::format(", and records 1 to {} were reported durable", mark_->number) : ""));
  }
  filter_.reset(leveldb::NewBloomFilterPolicy(kBloomBitsPerKey));
  cache_.reset(leveldb::NewLRUCache(kBlockCache));
  crash_point("log.database.before_open");
  auto status = open_leveldb(true);
  if (status.IsCorruption()) {
    auto left_out = leave_out_damage();
    if (!left_out) return left_out;
    status = open_leveldb(true);
  }
  if (!status.ok()) return log_unavailable("LevelDB refuses it", status);
  crash_point("log.database.opened");
  std::error_code why;
  if (fs::exists(unread_path(), why)) doubts_.push_back(Missing::Why::kUnread);
  return sync_folder(dir_);  // the database's own name, when it is new
}

/// What LevelDB can't read of a write-ahead file it leaves out when it is told to, and only there;
/// our Env keeps the file. From the first moment on the folder says so: the next opening would find
/// a log in order.
Result<> LevelDbStore::leave_out_damage() {
  std::ofstream file(unread_path());
  file << "A damaged part of this log's newest records was left out.\n";
  file.close();
  if (!file) return io_error("write", unread_path());
  auto told = sync_folder(dir_);
  if (!told) return told;
  crash_point("log.unread.marked");
  static_cast<void>(open_leveldb(false));  // the next opening tells
  db_.reset();
  crash_point("log.unread.left_out");
  return {};
}

leveldb::Status LevelDbStore::open_leveldb(bool paranoid) {
  leveldb::Options options;
  options.create_if_missing = mark_ && mark_->number == 0;
  options.paranoid_checks = paranoid;
  options.reuse_logs = false;  // what is read is written anew and synced before it counts (F 6)
  options.env = &env_;
  options.compression = leveldb::kNoCompression;
  options.filter_policy = filter_.get();
  options.block_cache = cache_.get();
  options.write_buffer_size = kWriteBuffer;
  options.max_file_size = kTableSize;
  leveldb::DB* db = nullptr;
  auto status = leveldb::DB::Open(options, database_path().string(), &db);
  db_.reset(db);
  return status;
}

}  // namespace assent::coordinator
