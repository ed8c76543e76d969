#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "coordinator/log/decision_log.h"
#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

namespace assent::coordinator {

/// What is durable about a key or a transaction, by way of the indexes, while others append and
/// remove. What is lost (is_lost) is passed over. Reads only; any thread. Errors as of
/// DecisionLog.
class LevelDbLookup {
 public:
  /// Both outlive it and stay as they are; what is in the database may change.
  LevelDbLookup(leveldb::DB& db, LogId log_id, const std::vector<Missing>& known)
      : db_(db), log_id_(log_id), known_(known) {}

  Result<std::optional<Decided>> find_key(std::string_view key) const;
  Result<std::optional<Decided>> find_gtrid(const Gtrid& gtrid) const;
  Result<std::vector<ToldRecord>> find_story(const Gtrid& gtrid) const;
  /// `gone` tells of what is lost only, not of what is removed.
  Result<CommitsPiece> find_commits(std::string_view participant, NumberSpan span) const;

 private:
  Result<std::optional<Decided>> look_for_key(std::string_view key) const;
  Result<std::optional<Decided>> look_for_gtrid(const Gtrid& gtrid) const;
  Result<std::vector<ToldRecord>> look_for_story(const Gtrid& gtrid) const;
  Result<std::optional<StoredRecord>> read(std::uint64_t number) const;
  Result<std::optional<StoredRecord>> read_of(const Gtrid& gtrid, std::uint64_t number) const;

  leveldb::DB& db_;
  const LogId log_id_;
  const std::vector<Missing>& known_;
};

}  // namespace assent::coordinator
