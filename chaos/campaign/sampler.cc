#include "chaos/campaign/sampler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "chaos/load/evidence.h"
#include "chaos/load/use.h"

namespace assent::live {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{500};

Instant now() {
  return read_clocks().steady;
}

// Soon over when somebody wants to stop.
void wait_for_next_look(const std::atomic<bool>& stopping) {
  wait_until([&] { return stopping.load(); }, kBetweenLooks);
}

}  // namespace

// ---- prepared branches

PreparedWatch::PreparedWatch(std::unique_ptr<DatabaseView> database)
    : database_(std::move(database)), thread_([this] { watch(); }) {}

PreparedWatch::~PreparedWatch() {
  stopping_ = true;
  thread_.join();
}

void PreparedWatch::watch() {
  while (!stopping_) {
    try {
      take(prepared_branches(*database_));
    } catch (const SandboxError&) {  // it is down, or stands still
      const std::lock_guard lock(mutex_);
      answered_ = false;
    }
    wait_for_next_look(stopping_);
  }
}

void PreparedWatch::take(const std::vector<std::string>& branches) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Instant> since;
  for (const std::string& branch : branches) {
    if (foreign_.contains(branch)) continue;
    const auto known = since_.find(branch);
    since[branch] = known == since_.end() ? now() : known->second;
  }
  for (const auto& [branch, first] : since_) {
    if (!since.contains(branch)) holds_.push_back(looked_ - first);
  }
  since_ = std::move(since);
  looked_ = now();
  answered_ = true;
}

PreparedWatch::Seen PreparedWatch::seen() {
  const std::lock_guard lock(mutex_);
  Seen seen{answered_, since_.size(), {}};
  for (const auto& [branch, first] : since_) seen.oldest = std::max(seen.oldest, looked_ - first);
  return seen;
}

std::vector<Duration> PreparedWatch::holds() {
  const std::lock_guard lock(mutex_);
  return holds_;
}

void PreparedWatch::leave_out(std::set<std::string> foreign) {
  const std::lock_guard lock(mutex_);
  foreign_ = std::move(foreign);
}

// ---- all of it

Sampler::Sampler(House& house, Meter& meter) : house_(house), meter_(meter) {
  for (auto& [participant, database] : house.look())
    watches_[participant] = std::make_unique<PreparedWatch>(std::move(database));
  thread_ = std::thread([this] { run(); });
}

Sampler::~Sampler() {
  stop();
}

void Sampler::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Sampler::run() {
  while (!stopping_) {
    wait_for_next_look(stopping_);
    Sample sample = take_sample();
    const std::lock_guard lock(mutex_);
    samples_.push_back(std::move(sample));
  }
}

Sample Sampler::take_sample() {
  Sample sample;
  sample.at = now();
  sample.calls = meter_.read();
  for (const auto& [participant, watch] : watches_) sample.prepared[participant] = watch->seen();
  sample.use = house_.use();
  return sample;
}

void Sampler::leave_out(const std::string& participant, std::set<std::string> foreign) {
  watches_.at(participant)->leave_out(std::move(foreign));
}

std::vector<Sample> Sampler::samples() {
  const std::lock_guard lock(mutex_);
  return samples_;
}

std::map<std::string, std::vector<Duration>> Sampler::holds() {
  std::map<std::string, std::vector<Duration>> holds;
  for (const auto& [participant, watch] : watches_) holds[participant] = watch->holds();
  return holds;
}

workload::Health Sampler::health(Instant from, Instant to) {
  workload::Health health;
  std::uint64_t committed = 0;
  for (const Sample& sample : samples()) {
    if (sample.at <= from || sample.at > to) continue;
    committed += sample.calls.committed;
    for (const auto& [participant, seen] : sample.prepared)
      health.longest_hold = std::max(health.longest_hold, std::min(seen.oldest, sample.at - from));
    for (const auto& [part, use] : sample.use) {
      health.use[part] = use;
      if (!kMemoryTells) health.use[part].memory_kb = 0;
    }
  }
  const std::chrono::duration<double> time = to - from;
  health.committed_per_s = static_cast<double>(committed) / time.count();
  return health;
}

}  // namespace assent::live
