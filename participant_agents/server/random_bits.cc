#include "participant_agents/server/random_bits.h"

#include <random>

namespace assent::agent {

std::uint64_t random_bits() {
  static std::mt19937_64 generator = [] {
    std::random_device kernel;
    std::seed_seq seed{kernel(), kernel(), kernel(), kernel()};
    return std::mt19937_64(seed);
  }();
  return generator();
}

}  // namespace assent::agent
