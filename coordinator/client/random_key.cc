#include "coordinator/client/random_key.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

#include "protocol/base/check.h"

namespace assent {

std::string random_key() {
  std::array<std::uint64_t, 2> bits{};
  // Up to 256 bytes are never cut short (getrandom(2)).
  const auto count = ::getrandom(bits.data(), sizeof(bits), 0);
  ASSENT_CHECK(count == static_cast<ssize_t>(sizeof(bits)));
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

}  // namespace assent
