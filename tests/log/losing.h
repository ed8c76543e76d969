#pragma once

#include <cstdint>
#include <filesystem>

/// Records taken out of a closed log behind its back, whole and with what leads to them: what is
/// left is in order for LevelDB. What can't be done is thrown.

namespace assent::testing {

/// 0: it has none.
std::uint64_t newest_record(const std::filesystem::path& log);

/// The newest of those that an opening does not read, and the verification behind it does. 0: none.
std::uint64_t newest_unread_record(const std::filesystem::path& log);

void lose_record(const std::filesystem::path& log, std::uint64_t number);

}  // namespace assent::testing
