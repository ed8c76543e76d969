#pragma once

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "coordinator/log/high_water_mark.h"
#include "coordinator/log/leveldb_careful_env.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// The files of one decision log, held by one process:
///   LOCK              ours; taken first
///   high_water_mark   see high_water_mark.h
///   decisions/        LevelDB
/// Knows what is where and how LevelDB must be opened, nothing of what is in it.
class LevelDbStore {
 public:
  /// Takes the folder and opens what is in it, or begins a new log if there is none. Errors as of
  /// LevelDbLog::open, without the folder's name.
  static Result<std::unique_ptr<LevelDbStore>> open(const std::filesystem::path& dir,
                                                    leveldb::Env* env);
  ~LevelDbStore();
  LevelDbStore(const LevelDbStore&) = delete;
  LevelDbStore& operator=(const LevelDbStore&) = delete;

  leveldb::DB& db() { return *db_; }
  const HighWaterMark::Content& mark() const { return mark_; }  ///< as found
  std::filesystem::path mark_path() const;
  std::uint64_t bytes() const;      ///< of all files; any thread
  std::uint64_t disk_free() const;  ///< where they are; any thread
  /// See CarefulEnv::stop_keeping.
  void stop_keeping();

 private:
  LevelDbStore(std::filesystem::path dir, leveldb::Env* env);
  Result<> take_folder();
  Result<> find_mark();
  Result<> begin_log();
  Result<> open_db();
  bool has_database() const;
  std::filesystem::path database_path() const;

  const std::filesystem::path dir_;
  CarefulEnv env_;
  leveldb::FileLock* lock_ = nullptr;
  HighWaterMark::Content mark_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;  ///< last: it uses all the others
};

}  // namespace assent::coordinator
