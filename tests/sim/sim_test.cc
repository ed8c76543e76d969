#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/sim/run.h"

namespace assent::sim {
namespace {

void require_that_nothing_is_wrong(std::uint64_t seed, const RunResult& result) {
  std::string text = fmt::format("./run sim --seed {} tells the story", seed);
  for (const auto& violation : result.violations)
    text += fmt::format("\n{}: {}", violation.invariant, violation.what);
  INFO(text);
  REQUIRE(result.violations.empty());
}

std::vector<std::uint64_t> kept_seeds() {
  std::vector<std::uint64_t> seeds;
  std::ifstream file(ASSENT_SOURCE_DIR "/chaos/sim/seeds.txt");
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') seeds.push_back(std::stoull(line));
  }
  return seeds;
}

TEST_CASE("a seed is one run, always the same", "[sim]") {
  spdlog::set_level(spdlog::level::off);
  const RunResult once = run(7, true);
  const RunResult again = run(7, true);
  CHECK(once.trace == again.trace);
  CHECK(once.events > 1000);
  CHECK(run(8, true).trace != once.trace);
}

TEST_CASE("seeds that have failed before", "[sim]") {
  spdlog::set_level(spdlog::level::off);
  const auto seeds = kept_seeds();
  REQUIRE_FALSE(seeds.empty());
  for (const std::uint64_t seed : seeds) require_that_nothing_is_wrong(seed, run(seed, false));
}

TEST_CASE("what was told and what the databases hold agree, whatever fails meanwhile", "[sim]") {
  spdlog::set_level(spdlog::level::off);
  // Fresh ones each time: what they find is told by its seed.
  const std::uint64_t first = std::uint64_t{std::random_device{}()} << 16;
  std::uint64_t committed = 0;
  for (std::uint64_t seed = first; seed < first + 2000; ++seed) {
    const RunResult result = run(seed, false);
    committed += result.committed;
    require_that_nothing_is_wrong(seed, result);
  }
  CHECK(committed > 20'000);
}

}  // namespace
}  // namespace assent::sim
