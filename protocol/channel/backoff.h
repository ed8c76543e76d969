#pragma once

#include <cstdint>
#include <functional>

#include "protocol/base/time.h"

namespace assent {

/// How long to wait before the next try: doubles from `first` to `longest`, each wait drawn from
/// the upper half of its range so that many who lost the same peer don't return together. One
/// thread.
class Backoff {
 public:
  /// `random`: 64 random bits each time; handed in so that tests and the simulator choose.
  Backoff(Duration first, Duration longest, std::function<std::uint64_t()> random);

  /// The wait after one more failure. Within first / 2 and longest.
  Duration next();

  /// It worked: begin with `first` again.
  void reset();

 private:
  const Duration first_;
  const Duration longest_;
  Duration range_;
  std::function<std::uint64_t()> random_;
};

}  // namespace assent
