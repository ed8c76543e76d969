#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "protocol/base/result.h"
#include "protocol/base/xid.h"

/// Number of the newest forced record that was made durable, kept apart from the log: what tells
/// that the log has lost its end, which LevelDB itself cannot see (F 7). docs/LOG_FORMAT.md has the
/// bytes, docs/decisions/0001-log-mark-and-chain.md the reasons.
///
/// Written after the sync of the record and before anybody hears of it, so never ahead of the log,
/// and exact when the process dies. Synced in the background, so a power cut may set it back by
/// that much. Three slots in turn: at every moment one is on the disk and not being written.

namespace assent::coordinator {

class HighWaterMark {
 public:
  struct Content {
    LogId log_id{};
    std::uint64_t number = 0;
  };

  /// nullopt: there is no such file. kLogUnavailable: no slot of it is intact, or it can't be read.
  static Result<std::optional<Content>> read(const std::filesystem::path& path);

  /// Makes the file of a new log, durably; number 0. kIo: a file of that name may be left.
  static Result<> create(const std::filesystem::path& path, LogId log_id);

  /// Opens a file that `read` liked. `failed` is called at most once, on the syncing thread.
  static Result<std::unique_ptr<HighWaterMark>> open(const std::filesystem::path& path,
                                                     std::function<void(Error)> failed);

  /// Syncs what is not synced.
  ~HighWaterMark();
  HighWaterMark(const HighWaterMark&) = delete;
  HighWaterMark& operator=(const HighWaterMark&) = delete;

  /// Numbers only grow. Does not wait for the disk. An error leaves the file's content unknown. One
  /// thread.
  Result<> write(std::uint64_t number);
  /// Everything written is on stable storage. The same thread.
  Result<> sync();

 private:
  HighWaterMark(int file, LogId log_id, int next_slot, std::function<void(Error)> failed);
  void run();

  const int file_;
  const LogId log_id_;
  const std::function<void(Error)> failed_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // State below is protected by mutex_.
  int slot_;  ///< the one that write() overwrites
  bool unsynced_ = false;
  bool syncing_ = false;
  bool stopping_ = false;

  std::thread syncer_;  ///< last: it uses all the others
};

}  // namespace assent::coordinator
