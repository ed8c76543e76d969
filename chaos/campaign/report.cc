#include "chaos/campaign/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace assent::live {
namespace {

namespace json = boost::json;

struct Invariant {
  const char* name;
  const char* meaning;
  bool of_sandboxes = false;  // a deployment's log and processes are not looked at
};

constexpr Invariant kInvariants[] = {
    {"I1", "a transaction is in all its ledgers or in none"},
    {"I2", "every acknowledged commit is there, as it was asked"},
    {"I3", "nothing else is there"},
    {"I4", "money is conserved, no balance below its floor, one ring"},
    {"I5", "exactly once per key"},
    {"I6", "nobody was told two outcomes, and none was forgotten"},
    {"I7", "log, ledgers, witness rows and what was told agree; the log is dense", true},
    {"I8", "no commit leaves before its record is durable", true},
    {"I11", "foreign branches are untouched"},
    {"I12", "no heuristic outcome without an injected cause, and every one noticed", true},
    {"L1", "no prepared branch of ours is left"},
    {"L2", "no lock is left, also after the databases' restart"},
    {"L3", "no branch stays prepared for long"},
    {"L4", "every key's outcome is final"},
    {"L5", "throughput comes back"},
    {"L6", "descriptors, threads and memory stay flat", true},
    {"alive", "no process ends by itself", true},
};

std::size_t violations_of(const Campaign& campaign, std::string_view invariant) {
  return static_cast<std::size_t>(
      std::count_if(campaign.violations.begin(), campaign.violations.end(),
                    [&](const auto& each) { return each.invariant == invariant; }));
}

// In seconds since the load began, to the millisecond.
class Times {
 public:
  explicit Times(const Campaign& campaign) : began_(campaign.began) {}
  double operator()(Instant at) const { return of(at - began_); }
  static double of(Duration d) { return static_cast<double>(d.count() / 1000) / 1000.0; }

 private:
  Instant began_;
};

// The first sample after healing in which commits came as they did before, a part of them at least.
std::optional<Instant> recovered(const Campaign& campaign, const FaultEvent& fault) {
  const Sample* before = nullptr;
  for (const Sample& sample : campaign.samples) {
    const Sample* last = std::exchange(before, &sample);
    if (sample.at <= fault.healed || last == nullptr) continue;
    const std::chrono::duration<double> time = sample.at - last->at;
    const double rate = static_cast<double>(sample.calls.committed) / time.count();
    if (rate >= campaign.before.committed_per_s * workload::kRateBack) return sample.at;
  }
  return std::nullopt;
}

json::array faults_json(const Campaign& campaign) {
  const Times time(campaign);
  json::array all;
  for (const FaultEvent& fault : campaign.faults) {
    json::object made{{"name", fault.name}, {"target", fault.target}, {"at", time(fault.at)}};
    if (fault.left_out.empty()) {
      made["healed"] = time(fault.healed);
      if (const auto back = recovered(campaign, fault)) made["recovered"] = time(*back);
    } else {
      made["left_out"] = fault.left_out;
    }
    all.push_back(std::move(made));
  }
  return all;
}

json::object use_json(const std::map<std::string, workload::Use>& all) {
  json::object made;
  for (const auto& [part, use] : all)
    made[part] = {
        {"memory_kb", use.memory_kb}, {"descriptors", use.descriptors}, {"threads", use.threads}};
  return made;
}

json::object sample_json(const Times& time, const Sample& sample) {
  json::object prepared;
  for (const auto& [participant, seen] : sample.prepared) {
    if (seen.answered)
      prepared[participant] = {{"count", seen.prepared}, {"oldest_s", Times::of(seen.oldest)}};
  }
  const Meter::Reading& calls = sample.calls;
  return {{"t", time(sample.at)},
          {"committed", calls.committed},
          {"rolled_back", calls.rolled_back},
          {"refused", calls.refused},
          {"other", calls.other},
          {"p50_s", Times::of(calls.quantile(0.5))},
          {"p99_s", Times::of(calls.quantile(0.99))},
          {"max_s", Times::of(calls.quantile(1))},
          {"prepared", std::move(prepared)},
          {"use", use_json(sample.use)}};
}

json::object health_json(const workload::Health& health) {
  return {{"committed_per_s", health.committed_per_s},
          {"longest_hold_s", Times::of(health.longest_hold)},
          {"use", use_json(health.use)}};
}

json::array invariants_json(const Campaign& campaign) {
  json::array all;
  for (const auto& [name, meaning, of_sandboxes] : kInvariants)
    all.push_back({{"name", name},
                   {"meaning", meaning},
                   {"looked_at", campaign.log_was_read || !of_sandboxes},
                   {"violations", violations_of(campaign, name)}});
  return all;
}

json::object holds_json(const Campaign& campaign) {
  json::object all;
  for (const auto& [participant, holds] : campaign.holds) {
    json::array made;
    for (const Duration hold : holds) made.push_back(Times::of(hold));
    all[participant] = std::move(made);
  }
  return all;
}

struct Tally {
  std::size_t injected = 0;
  std::size_t left_out = 0;
};

std::map<std::string, Tally> by_kind(const Campaign& campaign) {
  std::map<std::string, Tally> tallies;
  for (const FaultEvent& fault : campaign.faults)
    ++(fault.left_out.empty() ? tallies[fault.name].injected : tallies[fault.name].left_out);
  return tallies;
}

}  // namespace

std::string command_of(const CampaignOptions& options) {
  std::string command =
      fmt::format("./run chaos --minutes {} --seed {} --clients {}",
                  std::chrono::duration<double, std::ratio<60>>(options.time).count(), options.seed,
                  options.clients);
  if (!options.config.empty()) command += fmt::format(" --config {}", options.config.string());
  if (!options.faults.empty())
    command += fmt::format(" --faults {}", fmt::join(options.faults, ","));
  return command;
}

std::string to_json(const Campaign& campaign) {
  const Times time(campaign);
  json::array skipped;
  for (const auto& [fault, why] : campaign.skipped)
    skipped.push_back({{"fault", fault}, {"why", why}});
  json::array samples;
  for (const Sample& each : campaign.samples) samples.push_back(sample_json(time, each));
  json::array violations;
  for (const auto& [invariant, what] : campaign.violations)
    violations.push_back({{"invariant", invariant}, {"what", what}});
  const json::object made{{"command", command_of(campaign.options)},
                          {"seed", campaign.options.seed},
                          {"passed", campaign.has_passed()},
                          {"first_fault", time(campaign.first_fault)},
                          {"healed", time(campaign.healed)},
                          {"ended", time(campaign.ended)},
                          {"asked", campaign.asked},
                          {"tellings", campaign.tellings},
                          {"committed", campaign.committed},
                          {"no_effect", campaign.no_effect},
                          {"log_records", campaign.log_records},
                          {"damaged_by_hand", campaign.damaged},
                          {"before", health_json(campaign.before)},
                          {"after", health_json(campaign.after)},
                          {"invariants", invariants_json(campaign)},
                          {"violations", std::move(violations)},
                          {"faults", faults_json(campaign)},
                          {"skipped", std::move(skipped)},
                          {"holds_s", holds_json(campaign)},
                          {"samples", std::move(samples)}};
  return json::serialize(made);
}

std::string to_text(const Campaign& campaign) {
  std::string text = fmt::format(
      "{} transactions asked for, {} committed, {} without effect; {} answers, {} log records\n"
      "{:.0f} commits a second before the first fault, {:.0f} after the last was healed\n",
      campaign.asked, campaign.committed, campaign.no_effect, campaign.tellings,
      campaign.log_records, campaign.before.committed_per_s, campaign.after.committed_per_s);
  for (const auto& [name, tally] : by_kind(campaign))
    text += fmt::format("fault {:<12} {:>4} injected, {} left out\n", name, tally.injected,
                        tally.left_out);
  for (const auto& [fault, why] : campaign.skipped)
    text += fmt::format("fault {:<12} skipped: {}\n", fault, why);
  if (campaign.damaged != 0)
    text += fmt::format("{} branches were damaged by hand, and noticed\n", campaign.damaged);
  for (const auto& [name, meaning, of_sandboxes] : kInvariants) {
    if (of_sandboxes && !campaign.log_was_read)
      text += fmt::format("not looked at: {} {}\n", name, meaning);
    if (const std::size_t count = violations_of(campaign, name))
      text += fmt::format("VIOLATED {} {} times: {}\n", name, count, meaning);
  }
  constexpr std::size_t kShown = 40;
  for (std::size_t i = 0; i < campaign.violations.size() && i < kShown; ++i)
    text +=
        fmt::format("  {}: {}\n", campaign.violations[i].invariant, campaign.violations[i].what);
  return text;
}

}  // namespace assent::live
