#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/sim/run.h"

namespace assent::sim {
namespace {

std::string text(std::uint64_t seed, const RunResult& result) {
  std::string text = fmt::format("./run sim --seed {} tells the story", seed);
  for (const auto& violation : result.violations)
    text += fmt::format("\n{}: {}", violation.invariant, violation.what);
  return text;
}

TEST_CASE("a seed is one run, always the same", "[sim]") {
  spdlog::set_level(spdlog::level::off);
  const RunResult once = run(7, true);
  const RunResult again = run(7, true);
  CHECK(once.trace == again.trace);
  CHECK(once.events > 1000);
  CHECK(run(8, true).trace != once.trace);
}

TEST_CASE("what was told and what the databases hold agree, whatever fails meanwhile", "[sim]") {
  spdlog::set_level(spdlog::level::off);
  std::uint64_t committed = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    const RunResult result = run(seed, false);
    committed += result.committed;
    INFO(text(seed, result));
    REQUIRE(result.violations.empty());
  }
  CHECK(committed > 20'000);
}

}  // namespace
}  // namespace assent::sim
