#include "protocol/base/crash_point.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

#include "protocol/base/check.h"

namespace assent {
namespace {

struct Chosen {
  std::string name;
  mutable std::atomic<long> left{0};

  Chosen() {
    const char* text = std::getenv("ASSENT_CRASH_POINT");
    if (text == nullptr) return;
    const std::string_view spec(text);
    const auto colon = spec.rfind(':');
    ASSENT_CHECK(colon != std::string_view::npos);
    long count = 0;
    std::from_chars(spec.data() + colon + 1, spec.data() + spec.size(), count);
    ASSENT_CHECK(count > 0);
    name = spec.substr(0, colon);
    left = count;
  }
};

const Chosen& chosen() {
  static const Chosen chosen;
  return chosen;
}

}  // namespace

bool crash_points_armed() {
  return !chosen().name.empty();
}

void crash_point(CrashPoint point) {
  if (!crash_points_armed() || point.name() != chosen().name) return;
  if (chosen().left.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
}

}  // namespace assent
