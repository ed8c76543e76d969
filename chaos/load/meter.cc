#include "chaos/load/meter.h"

#include <algorithm>
#include <utility>

namespace assent::live {

Duration Meter::Reading::quantile(double part) const {
  if (latencies.empty()) return {};
  const auto last = static_cast<double>(latencies.size() - 1);
  return latencies[static_cast<std::size_t>(part * last)];
}

void Meter::note(Outcome outcome, Duration latency) {
  const std::lock_guard lock(mutex_);
  switch (outcome) {
    case Outcome::kCommitted:
      ++reading_.committed;
      reading_.latencies.push_back(latency);
      return;
    case Outcome::kRolledBack:
      ++reading_.rolled_back;
      return;
    case Outcome::kRefused:
      ++reading_.refused;
      return;
    default:
      ++reading_.other;
  }
}

Meter::Reading Meter::read() {
  Reading reading;
  {
    const std::lock_guard lock(mutex_);
    reading = std::exchange(reading_, {});
  }
  std::sort(reading.latencies.begin(), reading.latencies.end());
  return reading;
}

}  // namespace assent::live
