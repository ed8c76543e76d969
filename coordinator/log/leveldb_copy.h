#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace leveldb {
class DB;
}

namespace assent::coordinator {

/// Writes what the database holds now, while others go on writing to it, into the folder `to` as a
/// log that is marked as a copy: it opens only as restored (LevelDbLog::Options). `top`: of a
/// forced record that was reported durable before. `to` must not exist, its parent must; it appears
/// when the copy is complete and on the disk, and not before. Blocking, as long as it takes to read
/// and write it all: `go_on` is asked before each MiB, and its error ends the copy. After an error
/// nothing is left of it.
Result<> copy_log(leveldb::DB& db, LogId log_id, std::uint64_t top, const std::filesystem::path& to,
                  const std::function<Result<>()>& go_on);

}  // namespace assent::coordinator
