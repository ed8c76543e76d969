#pragma once

#include <cstddef>

/// Numbers in the log's files: little-endian, whatever the machine (docs/LOG_FORMAT.md).

namespace assent::coordinator {

/// Writes sizeof(Unsigned) bytes.
template <typename Unsigned>
void put(char* at, Unsigned value) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    at[i] = static_cast<char>((value >> (8 * i)) & 0xFF);
  }
}

/// Reads sizeof(Unsigned) bytes.
template <typename Unsigned>
Unsigned get(const char* at) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    const auto byte = static_cast<unsigned char>(at[i]);
    value = static_cast<Unsigned>(value | static_cast<Unsigned>(Unsigned{byte} << (8 * i)));
  }
  return value;
}

}  // namespace assent::coordinator
