#pragma once

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "coordinator/log/folder_origin.h"
#include "coordinator/log/high_water_mark.h"
#include "coordinator/log/leveldb_careful_env.h"
#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// The files of one decision log, held by one process:
///   LOCK              ours; taken first
///   high_water_mark   see high_water_mark.h
///   origin            see folder_origin.h
///   backup            there if `log backup` made the folder and nobody has opened it yet
///   unread            there while a damaged part of LevelDB's files is left out and no record says
///                     so yet
///   decisions/        LevelDB
/// Knows what is where and how LevelDB must be opened, nothing of what is in it.
class LevelDbStore {
 public:
  /// Takes the folder and opens what is in it, or begins a new log if there is none. Errors as of
  /// LevelDbLog::open, without the folder's name.
  /// `restored`: also a copy made by `log backup`.
  static Result<std::unique_ptr<LevelDbStore>> open(const std::filesystem::path& dir,
                                                    leveldb::Env* env, bool restored);
  ~LevelDbStore();
  LevelDbStore(const LevelDbStore&) = delete;
  LevelDbStore& operator=(const LevelDbStore&) = delete;

  leveldb::DB& db() { return *db_; }
  /// As found or, of a new log, made; nullopt: there is none, or no slot of it is intact.
  const std::optional<HighWaterMark::Content>& mark() const { return mark_; }
  /// What about the folder says that decisions may be missing: kNoMark, kCopy, kBackup,
  /// kUnread.
  const std::vector<Missing::Why>& doubts() const { return doubts_; }
  /// The log says durably what was doubted: makes the mark if there is none, and the folder is its
  /// own from now on. An unusable mark keeps its bytes.
  Result<> settle_doubts(LogId log_id);
  std::filesystem::path mark_path() const;
  std::uint64_t bytes() const;      ///< of all files; any thread
  std::uint64_t disk_free() const;  ///< where they are; any thread
  /// See CarefulEnv::stop_keeping.
  void stop_keeping();

 private:
  LevelDbStore(std::filesystem::path dir, leveldb::Env* env);
  Result<> expect_log() const;
  Result<> take_folder();
  Result<> find_mark();
  Result<> begin_log();
  Result<> doubt_folder(bool restored);
  Result<> open_db();
  Result<> leave_out_damage();
  leveldb::Status open_leveldb(bool paranoid);
  bool has_database() const;
  std::filesystem::path database_path() const;
  std::filesystem::path origin_path() const;
  std::filesystem::path backup_path() const;
  std::filesystem::path unread_path() const;

  const std::filesystem::path dir_;
  CarefulEnv env_;
  leveldb::FileLock* lock_ = nullptr;
  std::optional<HighWaterMark::Content> mark_;
  std::vector<Missing::Why> doubts_;
  Origin origin_ = Origin::kUnmarked;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;  ///< last: it uses all the others
};

}  // namespace assent::coordinator
