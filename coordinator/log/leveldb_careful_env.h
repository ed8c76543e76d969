#pragma once

#include <leveldb/env.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>

namespace assent::coordinator {

/// The Env under our LevelDB. It differs from the one below in two ways.
///
/// Nothing is lost while the log is not yet verified: a file that was there before and that LevelDB
/// removes or replaces is renamed to `<name>.kept` instead. A refused open so leaves every byte of
/// what it found, for `RepairDB` or a person to look at on a copy (design section 7).
///
/// Names are durable: LevelDB 1.23 syncs the folder before a manifest refers to new files, but not
/// when it begins a new write-ahead file or points CURRENT to a new manifest; POSIX promises the
/// content of a synced file only under a name that is synced too.
///
/// Any thread.
class CarefulEnv : public leveldb::EnvWrapper {
 public:
  explicit CarefulEnv(leveldb::Env* below) : EnvWrapper(below) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status RemoveFile(const std::string& name) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;

  /// The log was verified: what was kept in `folder`, also by earlier openings, goes, and from now
  /// on files are removed at once. Files that can't be removed stay until the next opening.
  void stop_keeping(const std::string& folder);

 private:
  std::string kept_name(const std::string& name);

  bool keeps(const std::string& name);

  std::atomic<bool> keeping_{true};
  std::mutex mutex_;
  std::set<std::string> made_;  ///< since then: hold nothing that was there; protected by mutex_
};

}  // namespace assent::coordinator
