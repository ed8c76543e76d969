#pragma once

#include <algorithm>
#include <cstdint>

#include "protocol/base/time.h"

namespace assent::coordinator {

/// Capped backoff: `first`, doubled `times` times, at most `max`.
inline Duration doubled(Duration first, std::uint32_t times, Duration max) {
  for (; times > 0 && first < max; --times) first *= 2;
  return std::min(first, max);
}

}  // namespace assent::coordinator
