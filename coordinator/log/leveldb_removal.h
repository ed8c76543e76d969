#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/log/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

/// What may leave the log (R15). A decision stays until its end and its not_after are older than
/// the retention, a damage until somebody forgets it, what was done by hand for ever.

namespace assent::coordinator {

/// Records that go together with their index entries.
struct Removal {
  std::vector<std::uint64_t> numbers;
  std::optional<Gtrid> gtrid;  ///< whose entry names them
  std::string key;             ///< whose entry names them; empty: none does
};

struct RemovableRecords {
  std::uint64_t oldest = 0;        ///< all from here on stay
  std::uint64_t commit = 0;        ///< the highest number of a commit of branches that goes
  std::optional<Gtrid> low_water;  ///< the highest gtrid of a decision that goes
  std::vector<Removal> removals;
};

/// What was written before may leave.
struct Cutoff {
  WallTime now;                        ///< the log's time, less the retention
  std::vector<UnprovedTime> unproved;  ///< not counted to the age of what was there before

  WallTime of(std::uint64_t number) const;
};

/// Looks at a bounded number of records from `first` on, up to the first that was written at the
/// cutoff or later. `pinned`: numbers of damages that nobody has forgotten, in order. What is
/// lost in `missing` is left alone. Reads only.
Result<RemovableRecords> find_removable(leveldb::DB& db, LogId log_id, std::uint64_t first,
                                        const Cutoff& cutoff,
                                        const std::vector<std::uint64_t>& pinned,
                                        const std::vector<Missing>& missing);

}  // namespace assent::coordinator
