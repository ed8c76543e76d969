#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "coordinator/log/decision_log.h"

namespace assent::testing {

// For what a log does by itself. Only a test that fails waits for as long, whatever slows it down.
inline constexpr std::chrono::minutes kPatience{5};

// What a log told its listener. Any thread; outlives the log.
class Reports {
 public:
  coordinator::DecisionLog::Listener listener();

  // Waits until `count` tokens were reported, or a failure; false: neither within kPatience.
  bool wait_for(std::size_t count);
  bool wait_for_failure();

  std::vector<coordinator::LogToken> durable() const;  // in the order of the reports
  std::size_t batches() const;                         // calls of `durable`
  std::vector<Error> failures() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<coordinator::LogToken> durable_;
  std::size_t batches_ = 0;
  std::vector<Error> failures_;
};

}  // namespace assent::testing
