#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace assent {

/// Where a process listens. Until links are encrypted (design section 3) that is always a loopback
/// address.
struct Address {
  std::string host;        ///< numeric: 127.0.0.1, ::1
  std::uint16_t port = 0;  ///< 0: the system chooses (for listening only)

  friend bool operator==(const Address&, const Address&) = default;
};

/// "127.0.0.1:7000", "localhost:7000", "[::1]:7000". Names other than localhost are not looked up.
/// kInvalid for anything else, with the text and the reason. Any thread.
Result<Address> parse_address(std::string_view text);

/// As parse_address reads it.
std::string to_string(const Address& address);

}  // namespace assent
