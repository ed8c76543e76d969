// assent-chaos: faults on real processes under load, and whether anything was lost.

#include <cmath>
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "chaos/campaign/campaign.h"
#include "chaos/campaign/report.h"
#include "chaos/faults/faults.h"
#include "chaos/sandbox/interrupt.h"

namespace {

using namespace assent::live;

constexpr int kViolated = 1;
constexpr int kRefused = 2;
constexpr int kBySignal = 128;  // as shells say it: 130 after Ctrl-C

int run(const CampaignOptions& options) {
  remember_interrupts();
  const std::string again = command_of(options);
  std::printf("%s\n", again.c_str());
  std::fflush(stdout);
  try {
    const Campaign campaign = run_campaign(options);
    std::printf("%s", to_text(campaign).c_str());
    std::printf("%s; again: %s\n", campaign.has_passed() ? "passed" : "FAILED", again.c_str());
    return campaign.has_passed() ? 0 : kViolated;
  } catch (const Interrupted& interrupted) {
    std::fprintf(stderr, "assent-chaos: interrupted; everything was ended and removed\n");
    return kBySignal + interrupted.signal;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "assent-chaos: %s\nagain: %s\n", error.what(), again.c_str());
    return kRefused;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CampaignOptions options;
  double minutes = 3;
  std::string out = "build/chaos";
  CLI::App app{"Faults on real processes under load, and whether anything was lost."};
  app.add_option("--minutes", minutes, "how long faults are injected")
      ->check(CLI::Range(0.1, 1'440.0))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "what is asked and done, and when")->capture_default_str();
  app.add_option(
         "--config", options.config,
         "a deployment that stands, and what may be done to it; unless told a sandbox is made")
      ->check(CLI::ExistingFile);
  app.add_option("--faults", options.faults, "their names, commas between them; unless told all")
      ->delimiter(',');
  app.add_option("--clients", options.clients, "that ask at the same time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--out", out, "folder for history.jsonl, log.txt and report.json")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kRefused;
  }
  options.time = assent::Duration(std::llround(minutes * 60e6));
  options.out = out;
  return run(options);
}
