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

#include "chaos/live/evidence.h"
#include "chaos/live/payers.h"
#include "chaos/live/ports.h"
#include "chaos/live/sandbox.h"
#include "chaos/workload/checker.h"
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

// ---------------------------------------------------------------- a coordinator with a long log

void wait_until_accepting(const std::string& address) {
  const auto deadline = Clock::now() + std::chrono::minutes(5);
  while (!Client::connect({.coordinator = address})) {
    if (Clock::now() > deadline) throw std::runtime_error("the coordinator does not accept");
  }
}

/// From the moment in which the process is started to the first client that it welcomes.
double ms_until_accepting(live::Sandbox& sandbox) {
  sandbox.coordinator().kill();
  const auto start = Clock::now();
  sandbox.coordinator().launch();
  wait_until_accepting(sandbox.coordinator_address());
  return ms_since(start);
}

void measure_long_log(const Options& options, std::uint64_t records) {
  House house(options);
  live::Sandbox& sandbox = house.sandbox();
  const auto made = Clock::now();
  const std::uint64_t bytes = make_full_log(sandbox.spec().directory / "coordinator", records);
  const double made_in = ms_since(made);
  sandbox.coordinator().launch();
  wait_until_accepting(sandbox.coordinator_address());
  std::string times;
  for (int i = 0; i < 3; ++i) times += fmt::format("{:>8.0f}", ms_until_accepting(sandbox));
  fmt::print("{:>10} {:>10.0f} {:>12} {}   {:.0f} s\n", records,
             static_cast<double>(bytes) / (static_cast<double>(records) / 2),
             fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9), times, made_in / 1000);
  std::fflush(stdout);
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
  std::size_t in_doubt = 0;  ///< listed when all processes were back
  double ms = 0;             ///< until none of them was listed any more
};

Recovery recover(live::Sandbox& sandbox) {
  sandbox.start_databases();
  sandbox.start_agents();
  sandbox.start_coordinator();
  const auto back = Clock::now();
  Recovery recovery;
  std::set<std::string> left = prepared_in(sandbox);
  recovery.in_doubt = left.size();
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
  fmt::print("{} kills, {} of them left branches in doubt, {} branches\n", recoveries.size(),
             times.size(), branches);
  fmt::print("until all of them were finished: p50 {:.0f} ms, p99 {:.0f} ms, max {:.0f} ms\n",
             percentile(times, 0.5), percentile(times, 0.99), percentile(times, 1));
}

void measure_kills(const Options& options) {
  House house(options);
  live::Sandbox& sandbox = house.sandbox();
  sandbox.start_all();
  std::mt19937_64 random(options.seed + 1);
  std::int64_t number = 0;
  live::PayersSpec spec;
  spec.coordinator = sandbox.coordinator_address();
  spec.clients = options.clients;
  live::Payers payers(spec, [&]() -> std::optional<workload::Payment> {
    const auto card = static_cast<std::int64_t>(random() % kCards) + 1;
    return workload::point_payment("recovery-" + std::to_string(++number), card, 1);
  });
  const std::vector<Recovery> recoveries = kill_again_and_again(sandbox, options);
  payers.stop();
  workload::History history = payers.finish();
  report(recoveries);
  auto client = Client::connect({.coordinator = sandbox.coordinator_address()});
  if (!client) throw std::runtime_error(client.error().message);
  const bool all_known = live::resolve_open(history, *client, std::chrono::seconds(30));
  fmt::print("{} payments, {} committed{}\n", history.entries().size(),
             history.count(workload::Verdict::kCommitted),
             all_known ? "" : ", some outcomes not told in 30 s");
  sandbox.stop_all();
}

void run(const Options& options) {
  fmt::print("A coordinator killed with a long log: ms until it accepts again, three times\n");
  fmt::print("{:>10} {:>10} {:>12} {:>24}   {}\n", "records", "bytes/tx", "on disk", "ms",
             "log made in");
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
