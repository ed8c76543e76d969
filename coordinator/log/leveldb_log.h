#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "coordinator/log/decision_log.h"
#include "protocol/base/result.h"

namespace leveldb {
class Env;
}

namespace assent::coordinator {

/// The decision log in a folder of this host (design section 7; the bytes: docs/LOG_FORMAT.md).
///
/// Threads: one writes (all that waits goes into one batch, one sync), one syncs the high-water
/// mark, one verifies the older part of the log after an opening. All calls one at a
/// time, also from within the listener, except `top`, `low_water`, `stats`,
/// `back_up` and `end_copies`. The listener is
/// called on the writing thread only, and not any more once the destructor has returned; the
/// destructor writes and reports what is queued.
///
/// After a failed write nothing is written, reported or answered by this object again: only the
/// next opening knows the truth (R12, F 5, F 6). Appends are dropped then, lookups are
/// kLogUnavailable. The same holds when the verification in the background finds a break.
///
/// Crash points (protocol/base/crash_points.h) that matter for money:
///   log.opening.before_record    the log was verified, its epoch is not yet raised
///   log.opening.after_record     the epoch is raised, the mark doesn't know
///   log.write.before             a batch was taken from the queue
///   log.write.synced             it is durable, the mark doesn't know
///   log.write.marked             nobody has been told
///   log.write.told               everybody has been told
class LevelDbLog : public DecisionLog {
 public:
  struct Options {
    std::filesystem::path dir;  ///< the log's own; made, with a new log, in a parent that is there
    leveldb::Env* env = nullptr;     ///< below ours; nullptr: the host's. Outlives the log.
    bool restored = false;           ///< also a copy made by `log backup`
    Duration retention{};            ///< what is older leaves the log (R15); 0: nothing does
    std::uint64_t copies_leave = 0;  ///< bytes free on their file system, or they end
  };

  /// Raises the epoch durably (R2). Where records or the mark are missing, or the folder is a copy,
  /// the opening says so (LogOpening::missing), and so does every later one until a HandRecord of
  /// Allowance::kPresume is durable; numbers and epochs that may have been lost are left out.
  ///
  /// Errors are kLogUnavailable or kIo: the log is damaged, in use, or can't be read or written;
  /// the message says what, where, and how to go on. A log that is refused keeps every byte; what
  /// was opened is an epoch further at most.
  static Result<std::unique_ptr<LevelDbLog>> open(const Options& options, Listener listener);

  ~LevelDbLog() override;

  const LogOpening& opening() const override;
  void append_forced(Record record, WallTime now, LogToken token) override;
  void append(Record record, WallTime now) override;
  void begin_time(WallTime now) override;
  void keep_time(WallTime now) override;
  Result<std::optional<Decided>> find_key(std::string_view key) override;
  Result<std::optional<Decided>> find_gtrid(const Gtrid& gtrid) override;
  Result<std::vector<ToldRecord>> find_story(const Gtrid& gtrid) override;
  Result<CommitsPiece> find_commits(std::string_view participant, NumberSpan span) override;
  std::optional<Gtrid> low_water() const override;
  LogStats stats() const override;
  Result<> back_up(const std::filesystem::path& to) override;
  void end_copies() override;
  std::uint64_t top() const override;

 private:
  class Impl;
  explicit LevelDbLog(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::coordinator
