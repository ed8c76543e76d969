#pragma once

#include <cstdint>
#include <filesystem>

/// Records taken out of a closed log behind its back, whole and with what leads to them: what is
/// left is in order for LevelDB.

namespace assent::testing {

/// 0: it has none.
std::uint64_t newest_record(const std::filesystem::path& log);

void lose_record(const std::filesystem::path& log, std::uint64_t number);

}  // namespace assent::testing
