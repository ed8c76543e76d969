#include "chaos/workload/health.h"

#include <utility>

namespace assent::workload {
namespace {

class Growth {
 public:
  explicit Growth(std::vector<Violation>& found) : found_(found) {}

  void check(const std::string& process, const char* what, long before, long after, long more) {
    if (after - before <= more) return;
    found_.push_back({"L6", process + " has " + std::to_string(after) + " " + what + " and had " +
                                std::to_string(before)});
  }

 private:
  std::vector<Violation>& found_;
};

}  // namespace

bool is_back(const Health& before, const Health& after) {
  return after.committed_per_s >= before.committed_per_s * kRateBack;
}

std::vector<Violation> check_health(const Health& before, const Health& after) {
  std::vector<Violation> found;
  if (after.longest_hold > kLongestHold)
    found.push_back({"L3", "a branch was prepared for " +
                               std::to_string(after.longest_hold.count() / 1000) +
                               " ms while nothing was wrong any more"});
  if (!is_back(before, after))
    found.push_back({"L5", "there were " + std::to_string(before.committed_per_s) +
                               " commits a second, and after all was healed " +
                               std::to_string(after.committed_per_s)});
  Growth growth(found);
  for (const auto& [process, now] : after.use) {
    const auto then = before.use.find(process);
    if (then == before.use.end()) continue;
    growth.check(process, "kB of memory", then->second.memory_kb, now.memory_kb, kMoreMemoryKb);
    growth.check(process, "descriptors", then->second.descriptors, now.descriptors,
                 kMoreDescriptors);
    growth.check(process, "threads", then->second.threads, now.threads, kMoreThreads);
  }
  return found;
}

std::vector<Violation> check_finality(const History& history) {
  std::vector<Violation> found;
  for (const std::string& key : history.open())
    found.push_back({"L4", key + " has no final outcome"});
  return found;
}

}  // namespace assent::workload
