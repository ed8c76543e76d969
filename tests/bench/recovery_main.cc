// assent-recovery-bench: how soon a coordinator serves again, and how soon branches that were in
// doubt are finished. Figures for people; nothing is asserted.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "chaos/load/evidence.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/checker.h"
#include "chaos/workload/evidence.h"
#include "chaos/workload/history.h"
#include "chaos/workload/payment.h"
#include "coordinator/client/client.h"
#include "tests/bench/full_log.h"

namespace assent::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint16_t kPorts = 20;
constexpr std::int64_t kCards = 10'000;

struct Options {
  std::vector<std::uint64_t> records = {1'000'000, 10'000'000};
  int kills = 200;
  int clients = 8;
  std::string payments = "mariadb";
  std::uint64_t seed = 1;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A running sandbox in a folder of its own, gone with this object.
class House {
 public:
  explicit House(const Options& options) : ports_(kPorts), sandbox_(spec(options)) {
    sandbox_.create();
  }
  ~House() { std::filesystem::remove_all(sandbox_.spec().directory, ignored_); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  live::Sandbox& sandbox() { return sandbox_; }

 private:
  live::SandboxSpec spec(const Options& options) const {
    live::SandboxSpec spec;
    spec.directory = std::filesystem::temp_directory_path() /
                     fmt::format("assent-recovery-bench-{}", ::getpid());
    spec.base_port = ports_.first();
    spec.participants = live::points_and_payments(live::DatabaseKind::kPostgres,
                                                  *live::parse_database_kind(options.payments));
    return spec;
  }

  const live::PortLease ports_;
  live::Sandbox sandbox_;
  std::error_code ignored_;
};

// ---------------------------------------------------------------- clients that pay meanwhile

/// Pays from the beginning of this object's life; both ledgers must be empty then.
class Load {
 public:
  Load(live::Sandbox& sandbox, const Options& options)
      : sandbox_(sandbox),
        before_(live::read_evidence(sandbox)),
        random_(options.seed + 1),
        payers_(spec(options), [this] { return next(); }) {}

  std::uint64_t committed() const { return payers_.counts().committed; }

  /// Ends the clients and judges every payment; everything must run. Throws when something is
  /// wrong with one of them.
  void finish();

 private:
  live::PayersSpec spec(const Options& options) const {
    live::PayersSpec spec;
    spec.coordinator = sandbox_.coordinator_address();
    spec.clients = options.clients;
    return spec;
  }

  workload::Payment next() {
    const auto card = static_cast<std::int64_t>(random_() % kCards) + 1;
    return workload::point_payment("recovery-" + std::to_string(++number_), card, 1);
  }

  live::Sandbox& sandbox_;
  const workload::Evidence before_;
  std::mt19937_64 random_;
  std::int64_t number_ = 0;
  live::Payers payers_;  // last: its threads use the others
};

void Load::finish() {
  payers_.stop();
  workload::History history = payers_.finish();
  auto client = Client::connect({.coordinator = sandbox_.coordinator_address()});
  if (!client) throw std::runtime_error(client.error().message);
  if (!live::resolve_open(history, *client, std::chrono::seconds(30))) {
    throw std::runtime_error("the outcome of some payments is not told in 30 s");
  }
  const workload::Evidence after = live::read_when_quiet(sandbox_, std::chrono::seconds(30));
  for (const workload::Violation& violation : workload::check(before_, history, after)) {
    throw std::runtime_error(fmt::format("{}: {}", violation.invariant, violation.what));
  }
  fmt::print("  {} payments, {} committed; each is in both ledgers or in none, as was told\n",
             history.entries().size(), history.count(workload::Verdict::kCommitted));
  std::fflush(stdout);
}

// ---------------------------------------------------------------- a coordinator with a long log

template <typename Condition>
void wait_until(const char* what, Condition condition) {
  const auto deadline = Clock::now() + std::chrono::minutes(5);
  while (!condition()) {
    if (Clock::now() > deadline) throw std::runtime_error(fmt::format("not in 5 min: {}", what));
    std::this_thread::sleep_for(milliseconds(1));
  }
}

/// From the moment in which the process is started.
struct Restart {
  double accepting = 0;  ///< ms to the first client that it welcomes
  double committed = 0;  ///< ms to the first payment that it answers as committed
};

Restart kill_and_start(live::Sandbox& sandbox, const Load& load) {
  sandbox.coordinator().kill();
  Restart restart;
  const auto start = Clock::now();
  sandbox.coordinator().launch();
  const std::string address = sandbox.coordinator_address();
  wait_until("it accepts", [&] { return Client::connect({.coordinator = address}).has_value(); });
  restart.accepting = ms_since(start);
  const std::uint64_t committed = load.committed();
  wait_until("a payment commits", [&] { return load.committed() > committed; });
  restart.committed = ms_since(start);
  return restart;
}

void measure_long_log(const Options& options, std::uint64_t records) {
  House house(options);
  live::Sandbox& sandbox = house.sandbox();
  const auto made = Clock::now();
  const std::uint64_t bytes = make_full_log(sandbox.spec().directory / "coordinator", records);
  const double made_in = ms_since(made);
  sandbox.start_all();
  Load load(sandbox, options);
  std::string times;
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const Restart restart = kill_and_start(sandbox, load);
    times += fmt::format("{:>8.0f} /{:>5.0f}", restart.accepting, restart.committed);
  }
  fmt::print("{:>10} {:>10.0f} {:>12} {}   {:.0f} s\n", records,
             static_cast<double>(bytes) / (static_cast<double>(records) / 2),
             fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9), times, made_in / 1000);
  sandbox.wait_for_links();
  load.finish();
  sandbox.stop_all();
}

// ---------------------------------------------------------------- branches in doubt

std::set<std::string> prepared_in(live::Sandbox& sandbox) {
  std::set<std::string> out;
  for (const live::Participant& participant : sandbox.spec().participants) {
    for (const std::string& name : live::prepared_branches(sandbox, participant)) {
      out.insert(participant.name + " " + name);
    }
  }
  return out;
}

struct Recovery {
  std::size_t in_doubt = 0;  ///< listed when the databases were back, before anything else was
  double ms = 0;  ///< from when all processes were back until none of them was listed any more
};

Recovery recover(live::Sandbox& sandbox) {
  Recovery recovery;
  sandbox.start_databases();
  std::set<std::string> left = prepared_in(sandbox);
  recovery.in_doubt = left.size();
  sandbox.start_agents();
  sandbox.start_coordinator();
  const auto back = Clock::now();
  while (!left.empty()) {
    const std::set<std::string> listed = prepared_in(sandbox);
    std::erase_if(left, [&listed](const std::string& name) { return !listed.contains(name); });
    recovery.ms = ms_since(back);
    if (recovery.ms > 60'000) {
      throw std::runtime_error(fmt::format("still in doubt after a minute: {}", *left.begin()));
    }
  }
  return recovery;
}

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(part * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

std::vector<Recovery> kill_again_and_again(live::Sandbox& sandbox, const Options& options) {
  std::mt19937_64 random(options.seed);
  std::vector<std::string> names = sandbox.names();
  std::vector<Recovery> out;
  for (int i = 0; i < options.kills; ++i) {
    std::this_thread::sleep_for(milliseconds(50 + random() % 300));
    std::shuffle(names.begin(), names.end(), random);
    const std::size_t count = 1 + random() % 2;
    for (std::size_t k = 0; k < count; ++k) sandbox.kill(names[k]);
    out.push_back(recover(sandbox));
  }
  return out;
}

void report(const std::vector<Recovery>& recoveries) {
  std::vector<double> times;
  std::size_t branches = 0;
  for (const Recovery& recovery : recoveries) {
    if (recovery.in_doubt == 0) continue;
    branches += recovery.in_doubt;
    times.push_back(recovery.ms);
  }
  if (times.empty()) throw std::runtime_error("no kill left a branch in doubt");
  fmt::print("  {} kills, {} of them left branches in doubt, {} branches\n", recoveries.size(),
             times.size(), branches);
  fmt::print("  until all of them were finished: p50 {:.0f} ms, p99 {:.0f} ms, max {:.0f} ms\n",
             percentile(times, 0.5), percentile(times, 0.99), percentile(times, 1));
}

void measure_kills(const Options& options) {
  House house(options);
  live::Sandbox& sandbox = house.sandbox();
  sandbox.start_all();
  Load load(sandbox, options);
  const std::vector<Recovery> recoveries = kill_again_and_again(sandbox, options);
  report(recoveries);
  load.finish();
  sandbox.stop_all();
}

void run(const Options& options) {
  fmt::print("A coordinator killed under {} clients, with a long log behind it, three times:\n",
             options.clients);
  fmt::print("ms until it accepts again / until it has committed a payment\n");
  fmt::print("{:>10} {:>10} {:>12} {:>45}   {}\n", "records", "bytes/tx", "on disk",
             "accepts / commits", "log made in");
  std::fflush(stdout);
  for (const std::uint64_t records : options.records) measure_long_log(options, records);
  fmt::print(
      "\nRandom kills of coordinator, agents and databases under {} clients, postgres + {}\n",
      options.clients, options.payments);
  std::fflush(stdout);
  measure_kills(options);
}

}  // namespace
}  // namespace assent::bench

int main(int argc, char** argv) {
  assent::bench::Options options;
  CLI::App app("How soon everything is well again after a kill.");
  app.add_option("--records", options.records, "sizes of the log")->delimiter(',');
  app.add_option("--kills", options.kills, "random kills")->check(CLI::Range(1, 100'000));
  app.add_option("--clients", options.clients, "clients that pay meanwhile")
      ->check(CLI::Range(1, 64));
  app.add_option("--payments", options.payments, "kind of the payments database")
      ->check(CLI::IsMember({"postgres", "mariadb"}));
  app.add_option("--seed", options.seed, "of the kills");
  CLI11_PARSE(app, argc, argv);
  try {
    assent::bench::run(options);
    return 0;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "assent-recovery-bench: {}\n", problem.what());
    return 1;
  }
}
