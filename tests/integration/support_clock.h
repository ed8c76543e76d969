#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/support_house.h"

/// A coordinator whose host's clock can be set: libfaketime stands between it and the clock that
/// people set; the steady one goes on as it does.

namespace assent::testing {

inline constexpr const char* kFakeTime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A sanitizer wants to be loaded before any other library.
inline bool clock_can_be_set() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return false;
#else
  return std::filesystem::exists(kFakeTime);
#endif
}

/// What the coordinator takes for the host's clock: `offset` from the real one, "+10d" say. At once
/// for one that was started with it.
inline void set_clock(House& house, const std::string& offset) {
  const auto file = house.sandbox().spec().directory / "clock";
  std::ofstream(file.string() + ".new") << offset << "\n";
  std::filesystem::rename(file.string() + ".new", file);
}

inline void restart_with_that_clock(House& house) {
  house.sandbox().stop("coordinator");
  house.sandbox().coordinator().start(
      {{"LD_PRELOAD", kFakeTime},
       {"FAKETIME_TIMESTAMP_FILE", house.sandbox().spec().directory / "clock"},
       {"FAKETIME_NO_CACHE", "1"},
       {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}});
  if (!house.wait_until_linked())
    throw live::SandboxError("the coordinator is not linked to every agent");
}

}  // namespace assent::testing
