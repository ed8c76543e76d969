#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/time.h"

namespace assent::live {

// Counts what was answered, and how soon. Any thread.
class Meter {
 public:
  struct Reading {
    std::uint64_t committed = 0;
    std::uint64_t rolled_back = 0;
    std::uint64_t refused = 0;
    std::uint64_t other = 0;          // unknown, in progress ...
    std::vector<Duration> latencies;  // of those committed, ascending

    // The latency that a part of them does not exceed; 0 when nothing was committed.
    Duration quantile(double part) const;
  };

  void note(Outcome outcome, Duration latency);

  // Since the last reading.
  Reading read();

 private:
  std::mutex mutex_;
  Reading reading_;
};

}  // namespace assent::live
