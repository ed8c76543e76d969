// assent-sim: a house of simulated processes under faults, years of it in minutes.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "chaos/sim/run.h"

namespace {

using Clock = std::chrono::steady_clock;
using assent::sim::RunResult;

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  std::uint64_t payments = 0;
  std::uint64_t committed = 0;
  std::uint64_t events = 0;
  double seconds = 0;
  assent::Duration until_quiet{};  ///< the longest
  std::map<std::string, std::uint64_t> faults;

  void add(const RunResult& result) {
    ++runs;
    failed += result.violations.empty() ? 0 : 1;
    payments += result.payments;
    committed += result.committed;
    events += result.events;
    seconds += static_cast<double>(result.lived.count()) / 1'000'000;
    until_quiet = std::max(until_quiet, result.until_quiet);
    for (const auto& [name, count] : result.faults) faults[name] += count;
  }
};

void show_violations(std::uint64_t seed, const RunResult& result) {
  fmt::print("seed {}:\n", seed);
  for (const auto& violation : result.violations)
    fmt::print("  {} {}\n", violation.invariant, violation.what);
  fmt::print("  to see it: ./run sim --seed {}\n", seed);
  std::fflush(stdout);
}

std::string lived(double seconds) {
  const double days = seconds / 86'400;
  return days < 365 ? fmt::format("{:.1f} days", days) : fmt::format("{:.1f} years", days / 365.25);
}

void show(const Totals& totals, double took) {
  fmt::print(
      "{} runs, {} payments, {} committed, {} events, {} lived in {:.0f} s: {:.0f} times real "
      "time\n",
      totals.runs, totals.payments, totals.committed, totals.events, lived(totals.seconds), took,
      totals.seconds / took);
  for (const auto& [name, count] : totals.faults) fmt::print("  {:>9} {}\n", count, name);
  fmt::print("all quiet after healing: within {:.1f} s at most\n",
             static_cast<double>(totals.until_quiet.count()) / 1'000'000);
  fmt::print("{} passed, {} failed\n", totals.runs - totals.failed, totals.failed);
}

int run_one(std::uint64_t seed) {
  const RunResult result = assent::sim::run(seed, true);
  for (const std::string& line : result.trace) fmt::print("{}\n", line);
  if (result.violations.empty()) {
    fmt::print("seed {}: nothing is wrong\n", seed);
    return 0;
  }
  show_violations(seed, result);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<std::uint64_t> seed;
  std::uint64_t first = 1;
  std::uint64_t runs = 1000;
  double minutes = 0;
  CLI::App app("A simulated house under faults. Each seed is one run, always the same.");
  app.add_option("--seed", seed, "this one, and tell all that happens");
  app.add_option("--first", first, "seed to begin with");
  app.add_option("--runs", runs, "so many");
  app.add_option("--minutes", minutes, "for so long instead");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);  // an agent's notes
  if (seed) return run_one(*seed);
  const auto start = Clock::now();
  const auto took = [start] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  Totals totals;
  for (std::uint64_t i = 0; minutes > 0 ? took() < minutes * 60 : i < runs; ++i) {
    const RunResult result = assent::sim::run(first + i, false);
    totals.add(result);
    if (!result.violations.empty()) show_violations(first + i, result);
  }
  show(totals, took());
  return totals.failed == 0 ? 0 : 1;
}
