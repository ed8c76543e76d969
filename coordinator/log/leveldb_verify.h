#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "coordinator/core/record.h"
#include "coordinator/log/log_state.h"
#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

/// Reads a decision log and doubts it: every number there, every record intact and chained to the
/// one before, every decision found through its indexes. LevelDB alone would not notice (F 7).
/// Errors are kLogUnavailable and say which record.

namespace assent::coordinator {

/// The log that the records are of, for one that has lost its mark.
Result<LogId> read_log_id(leveldb::DB& db);

/// What the log says.
struct LogPast {
  LogState state;
  std::vector<CommitRecord> unfinished;  ///< the records of state.unfinished, oldest first
  std::map<Gtrid, RecordedAt> unfinished_at;
  std::vector<HeuristicRecord> damaged;  ///< the records of state.damaged, oldest first
  std::map<Xid, RecordedAt> damaged_at;
  std::vector<Missing> missing;  ///< found now and not in state.missing
};

/// Verifies from the last checkpoint on, and every record that it lists. One iterator of the
/// database, a few milliseconds. Records that are not there are no error.
Result<LogPast> read_recent(leveldb::DB& db, LogId log_id);

/// Verifies all records from `state.oldest` to `state.tail.newest`, with the indexes, and the chain
/// of what was done by hand. Stops early, without an error, when `stop` becomes true. Reads a
/// snapshot: others may write meanwhile. Returns what is not there and not in `state.missing`.
Result<std::vector<Missing>> verify_all(leveldb::DB& db, LogId log_id, const LogState& state,
                                        const std::atomic<bool>& stop);

}  // namespace assent::coordinator
