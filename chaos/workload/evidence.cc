#include "chaos/workload/evidence.h"

#include <algorithm>

namespace assent::workload {

std::int64_t ParticipantEvidence::total() const {
  std::int64_t total = 0;
  for (const auto& [id, balance] : balances) total += balance;
  return total;
}

bool is_quiet(const Evidence& evidence) {
  return std::all_of(evidence.begin(), evidence.end(), [](const ParticipantEvidence& each) {
    return each.prepared.empty() && each.locked.empty();
  });
}

}  // namespace assent::workload
