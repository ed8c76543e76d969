#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>

#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

/// Reads a decision log and doubts it: every number there, every record intact and chained to the
/// one before, every commit and rollback found through its indexes. LevelDB alone would not notice
/// (F 7). Errors are kLogUnavailable and say which record.

namespace assent::coordinator {

/// A commit without an end, with what a checkpoint needs of it.
struct UnfinishedCommit {
  UnfinishedRecord record;
  CommitRecord commit;
};

/// Where the next record goes, and what it must agree with.
struct LogTail {
  std::uint64_t newest = 0;      ///< number; 0: a log without records
  std::uint64_t top = 0;         ///< number of the newest forced one
  std::uint64_t checkpoint = 0;  ///< number of the newest one; 0: none
  std::uint32_t chain = 0;       ///< checksum of the newest record; chain_start if there is none
  Epoch epoch{};                 ///< of the newest opening; 0: none
  WallTime log_time;
};

/// What the log says.
struct LogState {
  LogTail tail;
  std::uint64_t oldest = 1;  ///< see CheckpointRecord
  std::optional<Gtrid> low_water;
  std::map<Gtrid, UnfinishedCommit> unfinished;
};

/// Verifies from the last checkpoint on, and every unfinished record before it. One iterator of the
/// database, a few milliseconds.
Result<LogState> read_recent(leveldb::DB& db, LogId log_id);

/// Verifies `oldest` to `newest`, with the indexes. Stops early, without an error, when `stop`
/// becomes true. Reads a snapshot: others may write meanwhile.
Result<> verify_all(leveldb::DB& db, LogId log_id, std::uint64_t oldest, std::uint64_t newest,
                    const std::atomic<bool>& stop);

}  // namespace assent::coordinator
