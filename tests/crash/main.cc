// `./run crash-points`: every named crash point once, then pairs of them in a row.

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "chaos/workload/random.h"
#include "protocol/base/crash_points.h"
#include "tests/crash/crash_trials.h"

namespace {

using namespace assent;
using namespace assent::testing;

struct Options {
  int pairs = 0;
  std::uint64_t seed = 1;
  std::string only;  // beginning of the names
};

class Report {
 public:
  // Prints a line for the trial. `passed`: what had to happen has happened, and the books are
  // right.
  void add(const std::string& what, const Trial& trial, bool passed) {
    ++(passed ? passed_ : failed_);
    fmt::print("{:6} {:5.1f} s  {}\n", passed ? "ok" : "FAILED", trial.seconds, what);
    if (!trial.wrong.empty()) fmt::print("{}", trial.wrong);
    std::fflush(stdout);
  }
  void fail(const std::string& what, const std::string& why) {
    add(what, {.wrong = why + "\n"}, false);
  }
  void say(const std::string& text) { fmt::print("{}\n", text); }
  bool end() const {
    fmt::print("{} passed, {} failed\n", passed_, failed_);
    return failed_ == 0;
  }

 private:
  int passed_ = 0;
  int failed_ = 0;
};

// A house that a trial has left in a state which none can go on from is replaced.
class Houses {
 public:
  CrashTrials& house() {
    if (!trials_) trials_.emplace();
    return *trials_;
  }
  void give_up() { trials_.reset(); }

 private:
  std::optional<CrashTrials> trials_;
};

template <typename Run>
void try_it(Houses& houses, Report& report, const std::string& what, Run run) {
  try {
    run(houses.house());
  } catch (const std::exception& error) {
    report.fail(what, error.what());
    houses.give_up();
  }
}

// At least one of those who may pass it has to die at each point.
void each_once(const Options& options, Houses& houses, Report& report) {
  for (const std::string_view name : kCrashPoints) {
    if (!name.starts_with(options.only)) continue;
    const std::string point(name);
    try_it(houses, report, point, [&](CrashTrials& trials) {
      bool died = false;
      Trial all;
      for (const std::string& victim : trials.victims_of(point)) {
        const Trial trial = trials.run({.point = point, .victim = victim});
        died = died || trial.died;
        all.seconds += trial.seconds;
        all.wrong += trial.wrong;
      }
      if (!died) all.wrong += "nobody has passed this point\n";
      report.add(point, all, all.wrong.empty());
    });
  }
}

Death draw(workload::Random& random, CrashTrials& trials, const std::vector<std::string>& points) {
  Death death;
  death.point = random.one_of(points);
  death.victim = random.one_of(trials.victims_of(death.point));
  death.count = static_cast<int>(1 + random.below(4));
  return death;
}

// The first in the coordinator, the second in its recovery or in an agent; which may not come to
// its point any more.
void pairs(const Options& options, Houses& houses, Report& report) {
  std::vector<std::string> of_coordinator;
  std::vector<std::string> of_all;
  for (const std::string_view name : kCrashPoints) {
    if (!CrashTrials::comes_by_itself(name)) continue;
    of_all.emplace_back(name);
    if (name.starts_with("coordinator.") || name.starts_with("log."))
      of_coordinator.emplace_back(name);
  }
  workload::Random random(options.seed);
  int both = 0;
  for (int i = 0; i < options.pairs; ++i) {
    std::string what = fmt::format("pair {}", i + 1);
    try_it(houses, report, what, [&](CrashTrials& trials) {
      Death first = draw(random, trials, of_coordinator);
      Death second = draw(random, trials, of_all);
      second.count = 1;
      what += fmt::format(": {}:{}, then {} of {}", first.point, first.count, second.point,
                          second.victim);
      const Trial trial = trials.run(first, second);
      both += trial.died && trial.died_again ? 1 : 0;
      report.add(what, trial, trial.wrong.empty());
    });
  }
  if (options.pairs > 0) report.say(fmt::format("both points passed in {} pairs", both));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Every named crash point once, on real processes under load, then pairs in a row.");
  Options options;
  app.add_option("--pairs", options.pairs, "pairs after the single ones (0; the long form: 1000)");
  app.add_option("--seed", options.seed, "of the pairs (1)");
  app.add_option("--only", options.only, "points whose names begin so");
  CLI11_PARSE(app, argc, argv);
  Houses houses;
  Report report;
  each_once(options, houses, report);
  pairs(options, houses, report);
  return report.end() ? 0 : 1;
}
