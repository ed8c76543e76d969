#pragma once

#include <cstdint>
#include <filesystem>

namespace assent::bench {

/// Makes a decision log of so many records in a folder that is not there yet: commits of two
/// branches, as point payments have them, each with its end, at participants that are no more
/// ("stamps" and "invoices"): no database there is has seen them. Returns its size on disk in
/// bytes. Throws std::runtime_error.
std::uint64_t make_full_log(const std::filesystem::path& dir, std::uint64_t records);

}  // namespace assent::bench
