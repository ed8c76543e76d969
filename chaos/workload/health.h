#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/workload/checker.h"
#include "protocol/base/time.h"

/// How the house does under its load before the first fault, and after the last is healed.

namespace assent::workload {

/// What a process holds.
struct Use {
  long memory_kb = 0;
  long descriptors = 0;
  long threads = 0;
};

struct Health {
  double committed_per_s = 0;
  Duration longest_hold{};         ///< that a branch was seen prepared
  std::map<std::string, Use> use;  ///< by process
};

/// The stated limits. Wide, since a machine is shared and these are no measurements: what they are
/// to find doesn't come back at all, or grows without end.
inline constexpr Duration kLongestHold = std::chrono::seconds(5);
inline constexpr double kRateBack = 0.2;  ///< of what it was
inline constexpr Duration kBackWithin = std::chrono::seconds(30);
inline constexpr long kMoreMemoryKb = 64L * 1024;
inline constexpr long kMoreDescriptors = 16;
inline constexpr long kMoreThreads = 4;

/// Throughput is as before, a part of it at least.
bool is_back(const Health& before, const Health& after);

///   L3 no branch is prepared for longer than kLongestHold
///   L5 throughput is back
///   L6 no process has much more memory, descriptors or threads than before
std::vector<Violation> check_health(const Health& before, const Health& after);

///   L4 every key's outcome is final
std::vector<Violation> check_finality(const History& history);

}  // namespace assent::workload
