#include "coordinator/log/leveldb_offline.h"

#include <fmt/format.h>
#include <leveldb/env.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <utility>

#include "coordinator/log/file_io.h"
#include "coordinator/log/folder_origin.h"
#include "coordinator/log/leveldb_copy.h"
#include "coordinator/log/leveldb_reader.h"
#include "coordinator/log/leveldb_store.h"
#include "coordinator/log/leveldb_verify.h"
#include "coordinator/log/record_text.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

Error cannot(const char* what, const fs::path& path, const std::error_code& why) {
  return {.code = ErrorCode::kIo,
          .message = fmt::format("cannot {} {}: {}", what, path.string(), why.message()),
          .native = why.value()};
}

/// A folder of our own, beside the log where that is allowed, so that files can be linked.
Result<fs::path> make_scratch(const fs::path& dir) {
  std::error_code why;
  for (const fs::path& parent : {dir.parent_path(), fs::temp_directory_path(why)}) {
    std::string name = (parent / ".assent-log-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) return fs::path(name);
  }
  return cannot("make a folder beside", dir, std::error_code(errno, std::generic_category()));
}

/// A table never changes, so a link is as good as a copy; all else may.
Result<> bring(const fs::path& from, const fs::path& to) {
  std::error_code why;
  if (from.extension() == ".ldb" || from.extension() == ".sst") {
    fs::create_hard_link(from, to, why);
    if (!why) return {};
  }
  fs::copy_file(from, to, why);
  if (why) return cannot("copy", from, why);
  return {};
}

Result<> bring_log(const fs::path& dir, const fs::path& scratch) {
  std::error_code why;
  for (const char* folder : {"", "decisions"}) {
    fs::create_directory(scratch / folder, why);
    for (fs::directory_iterator at(dir / folder, why), end; !why && at != end; at.increment(why)) {
      const auto name = at->path().filename();
      // What is only kept of earlier files, and what would make the copy a log of its own.
      const bool needed = at->is_regular_file() && name.extension() != ".kept" && name != "LOCK" &&
                          name != "origin" && name != "backup";
      if (!needed) continue;
      auto brought = bring(at->path(), scratch / folder / name);
      if (!brought) return brought;
    }
    // A log without its database is a finding, not an error.
    if (why && why != std::errc::no_such_file_or_directory)
      return cannot("read", dir / folder, why);
  }
  return {};
}

/// The log's lock: whoever has it open holds it.
class Lock {
 public:
  static Result<Lock> take(const fs::path& dir) {
    std::error_code why;
    if (!fs::exists(dir / "high_water_mark", why) && !fs::exists(dir / "decisions", why)) {
      return log_unavailable(fmt::format("there is no decision log in {}", dir.string()));
    }
    const std::string path = (dir / "LOCK").string();
    Lock lock;
    if (!fs::exists(path, why)) return lock;
    const auto status = leveldb::Env::Default()->LockFile(path, &lock.held_);
    if (status.ok()) return lock;
    const bool in_use = status.ToString().find("lock " + path) != std::string::npos;
    if (!in_use) return log_unavailable("the log's lock can't be taken", status);
    return log_unavailable(fmt::format(
        "a coordinator has the log in {} open: ask it (assentctl status, assentctl log backup), or "
        "stop it first ({})",
        dir.string(), status.ToString()));
  }
  Lock(Lock&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (held_ != nullptr) leveldb::Env::Default()->UnlockFile(held_);
  }

 private:
  Lock() = default;

  leveldb::FileLock* held_ = nullptr;
};

std::string range(std::uint64_t oldest, std::uint64_t newest) {
  return fmt::format("records {} to {}", oldest, newest);
}

}  // namespace

class OfflineLog::Impl {
 public:
  Impl(fs::path dir, fs::path scratch) : dir_(std::move(dir)), scratch_(std::move(scratch)) {}
  ~Impl() {
    store_.reset();
    std::error_code why;
    fs::remove_all(scratch_, why);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<> open() {
    auto brought = bring_log(dir_, scratch_);
    if (!brought) return brought;
    auto store = LevelDbStore::open(scratch_, nullptr, true);
    if (!store) return std::move(store).error();
    store_ = std::move(*store);
    if (store_->mark()) {
      log_id_ = store_->mark()->log_id;
      return {};
    }
    const auto found = read_log_id(db());
    if (!found) return found.error();
    log_id_ = *found;
    return {};
  }

  leveldb::DB& db() { return store_->db(); }
  LogId log_id() const { return log_id_; }
  std::uint64_t marked() const { return store_->mark() ? store_->mark()->number : 0; }

  void doubt_folder(LogFindings& findings) const {
    std::error_code why;
    if (fs::exists(dir_ / "backup", why)) {
      findings.there.emplace_back("it is a copy made by `log backup`");
    } else if (const auto origin = look_at_origin(dir_ / "origin");
               !origin || *origin == Origin::kCopied) {
      findings.wrong.emplace_back("its folder is a copy: the original may have gone on");
    }
    if (!store_->mark()) findings.wrong.emplace_back("its high-water mark is missing or damaged");
  }

  void doubt_past(const LogPast& past, LogFindings& findings) {
    const LogTail& tail = past.state.tail;
    if (marked() > tail.top) {
      findings.wrong.push_back(text({Missing::Why::kEnd, tail.newest + 1, marked(), false}));
    }
    const auto& doubts = store_->doubts();
    if (std::find(doubts.begin(), doubts.end(), Missing::Why::kUnread) != doubts.end()) {
      findings.wrong.push_back(text({Missing::Why::kUnread, tail.newest + 1}));
    }
    for (const Missing& one : past.state.missing) {
      (one.allowed ? findings.there : findings.wrong)
          .push_back(text(one) + (one.allowed ? ", which a person has allowed" : ""));
    }
    for (const Missing& one : past.missing) findings.wrong.push_back(text(one));
    LogState found = past.state;
    found.missing.insert(found.missing.end(), past.missing.begin(), past.missing.end());
    const std::atomic<bool> stop = false;
    const auto older = verify_all(db(), log_id_, found, stop);
    if (!older) findings.wrong.push_back(older.error().message);
    if (!older) return;
    for (const Missing& one : *older) findings.wrong.push_back(text(one));
  }

  void describe(const LogPast& past, LogFindings& findings) const {
    const LogState& state = past.state;
    findings.there.push_back(fmt::format("log {}, epoch {}", to_string(log_id_),
                                         static_cast<std::uint32_t>(state.tail.epoch)));
    findings.there.push_back(range(state.oldest, state.tail.newest));
    findings.there.push_back(fmt::format("{} commits whose end is not recorded, {} damages",
                                         past.unfinished.size(), past.damaged.size()));
    if (state.low_water) {
      findings.there.push_back("transactions at or below " + to_string(*state.low_water) +
                               " may have been removed");
    }
  }

  LogStats stats(const LogState& state) const {
    LogStats stats;
    stats.newest = state.tail.newest;
    stats.top = state.tail.top;
    stats.oldest = state.oldest;
    stats.bytes = store_->bytes();
    stats.disk_free = store_->disk_free();
    stats.log_time = state.tail.log_time;
    stats.low_water = state.low_water;
    return stats;
  }

 private:
  const fs::path dir_;
  const fs::path scratch_;
  std::unique_ptr<LevelDbStore> store_;
  LogId log_id_{};
};

OfflineLog::OfflineLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

OfflineLog::~OfflineLog() = default;

Result<std::unique_ptr<OfflineLog>> OfflineLog::open(const fs::path& dir) {
  const fs::path folder = as_folder(dir);
  const auto lock = Lock::take(folder);  // until all is brought
  if (!lock) return lock.error();
  auto scratch = make_scratch(folder);
  if (!scratch) return std::move(scratch).error();
  auto impl = std::make_unique<Impl>(folder, std::move(*scratch));
  auto opened = impl->open();
  if (!opened) return std::move(opened).error();
  return std::unique_ptr<OfflineLog>(new OfflineLog(std::move(impl)));
}

LogFindings OfflineLog::verify() {
  LogFindings findings;
  impl_->doubt_folder(findings);
  const auto past = read_recent(impl_->db(), impl_->log_id());
  if (!past) {
    findings.wrong.push_back(past.error().message);
    return findings;
  }
  impl_->describe(*past, findings);
  impl_->doubt_past(*past, findings);
  return findings;
}

Result<> OfflineLog::dump(const std::function<void(std::string_view)>& line) {
  RecordWalk records(impl_->db());
  for (records.to(0);; records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) return {};
    const auto record = records.record(**number);
    line(record ? to_line(*record) : record.error().message);
  }
}

Result<LogStats> OfflineLog::stats() {
  const auto past = read_recent(impl_->db(), impl_->log_id());
  if (!past) return past.error();
  return impl_->stats(past->state);
}

Result<> OfflineLog::back_up(const fs::path& to) {
  const LogFindings findings = verify();
  if (!findings.wrong.empty()) return log_unavailable(findings.wrong.front());
  return copy_log(impl_->db(), impl_->log_id(), impl_->marked(), as_folder(to),
                  [] { return Result<>{}; });
}

}  // namespace assent::coordinator
