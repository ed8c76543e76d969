// The short form of `./run crash-points`: some of the points, and of the pairs, chosen by a seed.

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "protocol/base/crash_points.h"
#include "tests/crash/crash_trials.h"

using namespace assent;
using namespace assent::testing;

namespace {

CrashTrials& trials() {
  static CrashTrials trials;
  return trials;
}

constexpr std::uint32_t kSeed = 20261122;

std::vector<std::string> chosen(std::size_t count, bool by_itself) {
  std::vector<std::string> all;
  for (const std::string_view point : kCrashPoints) {
    if (CrashTrials::comes_by_itself(point) == by_itself) all.emplace_back(point);
  }
  std::vector<std::string> some;
  std::sample(all.begin(), all.end(), std::back_inserter(some), count, std::mt19937(kSeed));
  return some;
}

void die_at(const std::string& point) {
  INFO(point);
  bool died = false;
  for (const std::string& victim : trials().victims_of(point)) {
    const Trial trial = trials().run({.point = point, .victim = victim});
    CHECK(trial.wrong == "");
    died = died || trial.died;
  }
  CHECK(died);
}

}  // namespace

TEST_CASE("every crash point has a name of its own, by area") {
  std::vector<std::string_view> names(kCrashPoints.begin(), kCrashPoints.end());
  for (const auto name : names) {
    INFO(name);
    const auto area = name.substr(0, name.find('.'));
    CHECK((area == "coordinator" || area == "log" || area == "agent" || area == "rm"));
    CHECK(std::count(name.begin(), name.end(), '.') == 2);
  }
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("a process dies at a crash point, and the books are right") {
  for (const auto& point : chosen(16, true)) die_at(point);
}

TEST_CASE("a process dies at a crash point that takes an occasion, and the books are right") {
  for (const auto& point : chosen(8, false)) die_at(point);
}

TEST_CASE("two processes die in a row, and the books are right") {
  const auto points = chosen(40, true);
  const auto first = std::find_if(points.begin(), points.end(), [](const auto& point) {
    return point.starts_with("coordinator.");
  });
  REQUIRE(first != points.end());
  for (std::size_t i = 0; i < 8; ++i) {
    const auto& second = points[(i * 5) % points.size()];
    INFO(*first << ", then " << second);
    const Trial trial = trials().run({.point = *first, .victim = "coordinator"},
                                     {.point = second, .victim = trials().victims_of(second)[0]});
    CHECK(trial.wrong == "");
  }
}
