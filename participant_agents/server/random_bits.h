#pragma once

#include <cstdint>

namespace assent::agent {

/// 64 random bits, seeded by the kernel: for backoffs and numbers that nobody else draws. One
/// thread.
std::uint64_t random_bits();

}  // namespace assent::agent
