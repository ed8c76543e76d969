// assent-bench: Assent beside the yardstick (bare_commit.h), in turns on the same private
// databases. Machines are noisy and figures age; the ratio within one run is what holds.

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/sandbox.h"
#include "tests/bench/assent_payer.h"
#include "tests/bench/bare_commit.h"
#include "tests/bench/cpu_time.h"

namespace assent::bench {
namespace {

constexpr std::int64_t kRows = 10'000;
constexpr std::uint16_t kPorts = 20;

struct Options {
  double seconds = 5;
  int rounds = 3;
  std::vector<int> clients = {1, 8, 32};
  std::vector<std::string> payments = {"postgres", "mariadb"};
};

double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

CpuReader cpu_of(live::Sandbox& sandbox) {
  return [&sandbox] {
    return std::map<std::string, double>{
        {"client", own_cpu_us()},
        {"coordinator", cpu_us_of_tree(sandbox.coordinator().pid())},
        {"agent-points", cpu_us_of_tree(sandbox.agent("points").pid())},
        {"agent-payments", cpu_us_of_tree(sandbox.agent("payments").pid())},
        {"db-points", cpu_us_of_tree(sandbox.database("points").pid())},
        {"db-payments", cpu_us_of_tree(sandbox.database("payments").pid())},
    };
  };
}

BareTarget target_of(live::Sandbox& sandbox, const std::string& participant, std::string update) {
  live::DatabaseServer& server = sandbox.database(participant);
  const live::Account account = server.account(live::Role::kAgent);
  return {server.kind() == live::DatabaseKind::kMariadb,
          server.spec().port,
          participant,
          account.user,
          account.password,
          std::move(update)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The rounds of one kind of client at one number of clients.
struct Rounds {
  std::vector<LoadResult> results;

  double median_of(const std::function<double(const LoadResult&)>& figure) const {
    std::vector<double> values;
    for (const LoadResult& result : results) values.push_back(figure(result));
    return median(values);
  }
  double per_second() const {
    return median_of([](const LoadResult& r) { return r.payments_per_second; });
  }
  double p50_ms() const {
    return median_of([](const LoadResult& r) { return r.p50_ms; });
  }
  double p99_ms() const {
    return median_of([](const LoadResult& r) { return r.p99_ms; });
  }
  double busy_us(const std::string& process) const {
    return median_of([&](const LoadResult& r) { return r.busy_us.at(process); });
  }
};

void print_head(const std::string& points, const std::string& payments) {
  fmt::print("\n{} + {}\n", points, payments);
  fmt::print("{:>7} {:<7} {:>9} {:>8} {:>8}   {}\n", "clients", "", "pay/s", "p50 ms", "p99 ms",
             "busy us a payment: client coord agent-a agent-b   db-a   db-b    all");
}

void print_rounds(int clients, const char* name, const Rounds& rounds) {
  double all = 0;
  std::string busy;
  for (const char* process :
       {"client", "coordinator", "agent-points", "agent-payments", "db-points", "db-payments"}) {
    all += rounds.busy_us(process);
    busy += fmt::format("{:>7.0f}", rounds.busy_us(process));
  }
  fmt::print("{:>7} {:<7} {:>9.0f} {:>8.2f} {:>8.2f}   {:>18}{}{:>7.0f}\n", clients, name,
             rounds.per_second(), rounds.p50_ms(), rounds.p99_ms(), "", busy, all);
}

void print_ratios(int clients, const Rounds& bare, const Rounds& assent) {
  std::vector<double> throughput;
  std::vector<double> p50;
  for (std::size_t i = 0; i < bare.results.size(); ++i) {
    throughput.push_back(assent.results[i].payments_per_second /
                         bare.results[i].payments_per_second);
    p50.push_back(assent.results[i].p50_ms / bare.results[i].p50_ms);
  }
  fmt::print("{:>7} {:<7} {:>9.2f} {:>8.2f}\n", clients, "ratio", median(throughput), median(p50));
  std::fflush(stdout);
}

void compare(live::Sandbox& sandbox, BareLog& log, const Options& options, int clients) {
  const BareTarget points =
      target_of(sandbox, "points", "UPDATE card SET points = points + 1 WHERE id=");
  const BareTarget payments =
      target_of(sandbox, "payments", "UPDATE bill SET due = due + 1 WHERE card_id=");
  const auto bare_payer = [&](int number) {
    return make_bare_payer(points, payments, log, number, kRows);
  };
  const auto assent_payer = [&](int) {
    return make_assent_payer(sandbox.coordinator_address(), kRows);
  };
  Rounds bare;
  Rounds assent;
  for (int round = 0; round < options.rounds; ++round) {
    bare.results.push_back(run_load(clients, options.seconds, bare_payer, cpu_of(sandbox)));
    assent.results.push_back(run_load(clients, options.seconds, assent_payer, cpu_of(sandbox)));
  }
  print_rounds(clients, "bound", bare);
  print_rounds(clients, "assent", assent);
  print_ratios(clients, bare, assent);
}

void run_pair(const Options& options, const std::string& payments_kind) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("assent-bench-{}", ::getpid());
  live::SandboxSpec spec;
  spec.directory = folder;
  const live::PortLease ports(kPorts);
  spec.base_port = ports.first();
  spec.participants = live::points_and_payments(live::DatabaseKind::kPostgres,
                                                *live::parse_database_kind(payments_kind));
  live::Sandbox sandbox(spec);
  sandbox.create();
  sandbox.start_all();
  print_head("postgres", payments_kind);
  {
    BareLog log(folder / "yardstick.log");
    for (const int clients : options.clients) compare(sandbox, log, options, clients);
  }
  sandbox.stop_all();
  sandbox.remove();
}

}  // namespace
}  // namespace assent::bench

int main(int argc, char** argv) {
  assent::bench::Options options;
  CLI::App app("Assent's submit beside a client that does two-phase commit by hand, in turns.");
  app.add_option("--seconds", options.seconds, "length of a round");
  app.add_option("--rounds", options.rounds, "rounds of each kind")->check(CLI::Range(1, 100));
  app.add_option("--clients", options.clients, "numbers of clients")->delimiter(',');
  app.add_option("--payments", options.payments, "kinds of the payments database")
      ->delimiter(',')
      ->check(CLI::IsMember({"postgres", "mariadb"}));
  CLI11_PARSE(app, argc, argv);
  try {
    fmt::print(
        "Medians of {} rounds of {} s, in turns; {} rows, ids drawn independently for the two "
        "databases.\n",
        options.rounds, options.seconds, assent::bench::kRows);
    for (const std::string& kind : options.payments) assent::bench::run_pair(options, kind);
    return 0;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "assent-bench: {}\n", problem.what());
    return 1;
  }
}
