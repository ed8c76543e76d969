// assent-demo: pay with points on two real databases while processes are killed.

#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "chaos/demo/demo.h"
#include "chaos/sandbox/interrupt.h"

namespace {

using namespace assent::live;

constexpr int kViolated = 1;
constexpr int kRefused = 2;
constexpr int kBySignal = 128;  // as shells say it: 130 after Ctrl-C

int run(const DemoOptions& options) {
  remember_interrupts();
  try {
    return run_demo(options) ? 0 : kViolated;
  } catch (const Interrupted& interrupted) {
    std::fprintf(stderr, "\nassent-demo: interrupted; everything was ended and removed\n");
    return kBySignal + interrupted.signal;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "\nassent-demo: %s\n", error.what());
    return kRefused;
  }
}

}  // namespace

int main(int argc, char** argv) {
  DemoOptions options;
  std::string points = "postgres";
  std::string payments = "mariadb";
  CLI::App app{"Pay with points on two real databases while processes are killed."};
  const auto kinds = CLI::IsMember({"postgres", "mariadb"});
  app.add_option("--points", points, "database of the points")->check(kinds)->capture_default_str();
  app.add_option("--payments", payments, "database of the bills")
      ->check(kinds)
      ->capture_default_str();
  app.add_option("--payments-count", options.payments_count, "payments while processes are killed")
      ->check(CLI::Range(100, 1'000'000))
      ->capture_default_str();
  app.add_option("--clients", options.clients, "clients that pay at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kRefused;
  }
  options.points = *parse_database_kind(points);
  options.payments = *parse_database_kind(payments);
  return run(options);
}
