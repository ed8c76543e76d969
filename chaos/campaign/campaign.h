#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "chaos/campaign/house.h"
#include "chaos/campaign/sampler.h"
#include "chaos/faults/injector.h"
#include "chaos/workload/health.h"

namespace assent::live {

struct CampaignOptions {
  Duration time = std::chrono::minutes(3);  // of the faults; the rest takes half a minute more
  std::uint64_t seed = 1;
  // Of a deployment, see deployment.h; empty: a sandbox of three participants is made.
  std::filesystem::path config;
  std::vector<std::string> faults;  // by name; empty: all
  int clients = 8;
  // Where report.html, report.json, history.jsonl and log.txt go; made if it is not there. Empty:
  // nowhere.
  std::filesystem::path out;
};

// Everything that a run has to tell.
struct Campaign {
  CampaignOptions options;
  Instant began;  // of the load
  Instant first_fault;
  Instant healed;  // everything was started again
  Instant ended;
  std::vector<House::Skipped> skipped;  // faults for which this machine lacks something
  std::vector<FaultEvent> faults;
  std::vector<Sample> samples;
  std::map<std::string, std::vector<Duration>> holds;  // by participant
  workload::Health before;
  workload::Health after;
  std::size_t asked = 0;  // keys
  std::size_t tellings = 0;
  std::size_t committed = 0;
  std::size_t no_effect = 0;
  bool log_was_read = false;  // and our processes looked at
  std::size_t log_records = 0;
  std::size_t damaged = 0;  // branches that were rolled back by hand and committed otherwise
  std::vector<workload::Violation> violations;

  bool has_passed() const { return violations.empty(); }
};

// A house with all workloads under load, faults from the seed's schedule, healing, and the verdict.
// What was begun is healed when it throws, and a sandbox is gone. Throws SandboxError for what is
// no verdict, and Interrupted.
Campaign run_campaign(const CampaignOptions& options);

}  // namespace assent::live
