#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "chaos/campaign/house.h"
#include "chaos/load/meter.h"
#include "chaos/workload/health.h"

// How the house does, looked at twice a second from outside, whatever befalls it.
namespace assent::live {

// Watches the prepared branches of one participant's database.
class PreparedWatch {
 public:
  struct Seen {
    bool answered = false;  // false: the database has not answered the last question
    std::size_t prepared = 0;
    Duration oldest{};  // for how long the one has been seen that was seen for longest
  };

  explicit PreparedWatch(std::unique_ptr<DatabaseView> database);
  ~PreparedWatch();
  PreparedWatch(const PreparedWatch&) = delete;
  PreparedWatch& operator=(const PreparedWatch&) = delete;

  // Any thread.
  Seen seen();
  // How long branches were prepared that are gone by now, as far as the looks can tell: branches
  // that came and went between two looks are in none.
  std::vector<Duration> holds();
  // These are somebody else's: they don't count.
  void leave_out(std::set<std::string> foreign);

 private:
  void watch();
  void take(const std::vector<std::string>& branches);

  const std::unique_ptr<DatabaseView> database_;
  std::mutex mutex_;
  std::map<std::string, Instant> since_;
  std::vector<Duration> holds_;
  std::set<std::string> foreign_;
  Instant looked_;
  bool answered_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last
};

struct Sample {
  Instant at;
  Meter::Reading calls;                                 // since the sample before
  std::map<std::string, PreparedWatch::Seen> prepared;  // by participant
  std::map<std::string, workload::Use> use;             // of ours that run, by part
};

class Sampler {
 public:
  // Both outlive it.
  Sampler(House& house, Meter& meter);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  void leave_out(const std::string& participant, std::set<std::string> foreign);

  std::vector<Sample> samples();
  std::map<std::string, std::vector<Duration>> holds();

  // What the samples of a time say together: rates on average, use at its end.
  workload::Health health(Instant from, Instant to);

  void stop();

 private:
  void run();
  Sample take_sample();

  const House& house_;
  Meter& meter_;
  std::map<std::string, std::unique_ptr<PreparedWatch>> watches_;  // by participant
  std::mutex mutex_;
  std::vector<Sample> samples_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last
};

}  // namespace assent::live
