#pragma once

#include <cstdint>
#include <filesystem>

#include "protocol/base/result.h"

/// Tells a log's folder from a copy of it: a small file that holds its own inode and time of birth,
/// which no copy shares (docs/LOG_FORMAT.md). A folder moved within its file system is no copy.

namespace assent::coordinator {

enum class Origin : std::uint8_t {
  kOwn,      ///< the file is where it was made
  kCopied,   ///< it is not, or is damaged
  kUnmarked  ///< there is none: the log was made before there were such files
};

/// kIo: the file can't be read. Any thread.
Result<Origin> look_at_origin(const std::filesystem::path& path);

/// From now on the folder is the log's own, durably. kIo: it is as it was, or that.
Result<> make_origin(const std::filesystem::path& path);

}  // namespace assent::coordinator
