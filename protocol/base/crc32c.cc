#include "protocol/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace assent {
namespace {

constexpr std::uint32_t kPolynomialReversed = 0x82F63B78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? (crc >> 1U) ^ kPolynomialReversed : crc >> 1U;
    }
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_sse42(std::string_view bytes,
                                                                std::uint32_t earlier) {
  std::uint64_t crc = ~earlier;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    crc = _mm_crc32_u64(crc, word);
    bytes.remove_prefix(sizeof(word));
  }
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (const char c : bytes) crc32 = _mm_crc32_u8(crc32, static_cast<unsigned char>(c));
  return ~crc32;
}
#endif

using Crc32c = std::uint32_t (*)(std::string_view, std::uint32_t);

Crc32c fastest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return crc32c_by_sse42;
#endif
  return crc32c_by_table;
}

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t earlier) {
  std::uint32_t crc = ~earlier;
  for (const char c : bytes) {
    crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8U);
  }
  return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t earlier) {
  static const Crc32c chosen = fastest();
  return chosen(bytes, earlier);
}

}  // namespace assent
