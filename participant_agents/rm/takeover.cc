#include "participant_agents/rm/takeover.h"

#include <random>

namespace assent::rm {

std::uint64_t draw_takeover() {
  std::random_device kernel;
  const std::uint64_t high = kernel() & 0x7fffffffU;
  return (high << 32U) | (kernel() | 1U);
}

}  // namespace assent::rm
