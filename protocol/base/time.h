#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

/// Two clocks, never mixed by accident. Cores read neither: both are handed in with every event, so
/// that a test or the simulator chooses them.

namespace assent {

using Duration = std::chrono::microseconds;

/// A point on a clock that never jumps; its zero means nothing. For deadlines and ages within one
/// process.
struct Instant {
  Duration since_start{0};

  friend auto operator<=>(const Instant&, const Instant&) = default;
};

constexpr Instant operator+(Instant at, Duration d) {
  return {at.since_start + d};
}
constexpr Instant operator-(Instant at, Duration d) {
  return {at.since_start - d};
}
constexpr Duration operator-(Instant a, Instant b) {
  return a.since_start - b.since_start;
}

/// Milliseconds since 1970-01-01 UTC, as the host believes. For `not_after`, retention and people
/// (R15).
struct WallTime {
  std::int64_t ms_since_epoch = 0;

  friend auto operator<=>(const WallTime&, const WallTime&) = default;
};

constexpr WallTime operator+(WallTime at, Duration d) {
  return {at.ms_since_epoch + std::chrono::duration_cast<std::chrono::milliseconds>(d).count()};
}

/// What time it is, on both clocks, as one event sees it.
struct Now {
  Instant steady;
  WallTime wall;
};

/// The host's clocks; for processes only, never for a core. Any thread.
Now read_clocks();

}  // namespace assent
