#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "chaos/workload/checker.h"
#include "protocol/base/time.h"

namespace assent::sim {

struct RunResult {
  std::vector<workload::Violation> violations;
  std::uint64_t payments = 0;
  std::uint64_t committed = 0;
  std::uint64_t events = 0;
  Duration lived{};                             ///< of virtual time
  Duration until_quiet{};                       ///< after all was healed
  std::map<std::string, std::uint64_t> faults;  ///< injected, by kind
  std::vector<std::string> trace;               ///< if it was asked for
};

/// One life of a small house, all of it drawn from the seed: databases, agents, coordinator and
/// payers under faults, then healed, which is to end every payment and free every lock within 15
/// seconds, or 15 after the last deed of its operator; then it pays again. It is judged when
/// whatever may still come late has come.
RunResult run(std::uint64_t seed, bool tracing);

}  // namespace assent::sim
