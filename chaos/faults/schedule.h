#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/base/time.h"

namespace assent::live {

// One fault to come.
struct Planned {
  Duration after{};        // since the one before began
  Duration lasts{};        // until it is healed
  std::size_t fault = 0;   // which
  std::uint64_t seed = 0;  // of what it aims at
};

// What a seed does with so many kinds of faults within that time: each of them once, in some order,
// then any. Some last longer than every timer of ours. A machine that is slow to start things does
// not get to the end.
std::vector<Planned> make_schedule(std::uint64_t seed, std::size_t faults, Duration time);

}  // namespace assent::live
