// The live suite in short, with a fixed seed: every fault that this machine allows.

#include <cstdio>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/campaign/campaign.h"
#include "chaos/campaign/report.h"
#include "chaos/faults/schedule.h"

using namespace assent;

TEST_CASE("three minutes of faults lose nothing") {
  live::CampaignOptions options;
  options.time = std::chrono::minutes(3);
  options.seed = 20261122;
  const live::Campaign campaign = live::run_campaign(options);
  std::printf("%s", live::to_text(campaign).c_str());
  INFO(live::command_of(options) << "\n" << live::to_text(campaign));
  CHECK(campaign.has_passed());
  CHECK(campaign.committed > 0);
}

TEST_CASE("a seed has one schedule, and each fault comes") {
  const auto one = live::make_schedule(5, 9, std::chrono::minutes(1));
  const auto same = live::make_schedule(5, 9, std::chrono::minutes(1));
  REQUIRE(one.size() == same.size());
  std::set<std::size_t> faults;
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].seed == same[i].seed);
    CHECK(one[i].after == same[i].after);
    faults.insert(one[i].fault);
  }
  CHECK(faults.size() == 9);
  CHECK(live::make_schedule(5, 0, std::chrono::minutes(1)).empty());
}
