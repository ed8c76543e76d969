#pragma once

#include <filesystem>

#include "protocol/base/result.h"

/// What LevelDB's Env lacks and POSIX has. Any thread.

namespace assent::coordinator {

/// "cannot <what> <path>: <the system's words>", with kIo and errno as the native code.
Error io_error(const char* what, const std::filesystem::path& path);

/// Absolute, and without a slash at its end: `parent_path` is the folder that it is in.
std::filesystem::path as_folder(const std::filesystem::path& path);

/// Makes names in `folder` durable: those of new, renamed and removed files.
Result<> sync_folder(const std::filesystem::path& folder);

}  // namespace assent::coordinator
