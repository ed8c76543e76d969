#pragma once

#include <algorithm>
#include <string_view>

#include "protocol/base/crash_points.h"

/// Named places where a test can make the process die as if by SIGKILL: no destructor, no flush.
/// The environment chooses: ASSENT_CRASH_POINT=name:count dies at the count-th passing (count from
/// 1). Costs a pointer compare when the variable is not set.

namespace assent {

/// One of kCrashPoints, or none; another name does not compile.
class CrashPoint {
 public:
  constexpr CrashPoint() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): crash_point("area.what.when")
  consteval CrashPoint(const char* name) : name_(name) {
    if (std::find(kCrashPoints.begin(), kCrashPoints.end(), name_) == kCrashPoints.end())
      throw "the name does not stand in protocol/base/crash_points.h";
  }

  std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

/// Of a message that is sent.
struct PointsAround {
  CrashPoint before;
  CrashPoint after;  ///< the bytes have left
};

/// The environment has chosen one.
bool crash_points_armed();

/// Any thread.
void crash_point(CrashPoint point);

}  // namespace assent
