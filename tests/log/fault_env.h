#pragma once

#include <leveldb/env.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace assent::testing {

// A disk that counts, fails when told, and knows what a power cut would leave. Faults concern
// LevelDB's write-ahead files (*.log) only, where decisions are first. Any thread.
class FaultEnv : public leveldb::EnvWrapper {
 public:
  FaultEnv() : EnvWrapper(leveldb::Env::Default()) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;

  // The append after `good` more ones, and every one after it until heal(), writes half of
  // its bytes and fails as a full disk does.
  void disk_is_full_after(int good);
  // The next sync fails once; as on Linux, what was written is still in the page cache, and the
  // next sync says nothing of it.
  void fail_next_sync() { fail_sync_after(0); }
  // The same for the sync after `good` more ones.
  void fail_sync_after(int good);
  // From now on nothing fails.
  void heal();

  std::uint64_t syncs() const;  // of write-ahead files

  // Holds the next sync back, so that appends queue up behind it.
  void hold_sync();
  void wait_until_held();
  void release_sync();

  // Cuts every file of `copy`, a copy of `original`, to what was synced.
  void cut_power(const std::filesystem::path& original, const std::filesystem::path& copy) const;

 private:
  class File;
  leveldb::Status appending(bool write_ahead);
  leveldb::Status syncing(bool write_ahead);
  void synced(const std::string& name, std::uint64_t size);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::uint64_t> synced_size_;
  std::optional<int> good_appends_;
  std::optional<int> good_syncs_;
  bool hold_ = false;
  bool held_ = false;
  std::uint64_t syncs_ = 0;
};

}  // namespace assent::testing
