#include "protocol/wire/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace assent {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

/// The bytes that may follow `first`, for the second byte of a sequence (RFC 3629, section 4).
struct SecondByte {
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

SecondByte second_byte_after(unsigned char first) {
  switch (first) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {};
  }
}

std::size_t bytes_by_first(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

/// Length of the character that begins at `at`; 0: none does.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const unsigned char first = byte_at(text, at);
  const std::size_t count = bytes_by_first(first);
  if (count == 0 || text.size() - at < count) return 0;
  if (count == 1) return 1;
  const auto [low, high] = second_byte_after(first);
  if (byte_at(text, at + 1) < low || byte_at(text, at + 1) > high) return 0;
  for (std::size_t i = 2; i < count; ++i) {
    if ((byte_at(text, at + i) & 0xC0U) != 0x80) return 0;
  }
  return count;
}

/// How many bytes from `at` on are surely ASCII, in steps of eight.
std::size_t ascii_run(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t run = 0;
  while (text.size() - at - run >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at + run, sizeof(word));
    if ((word & kHighBits) != 0) break;
    run += sizeof(word);
  }
  return run;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    at += ascii_run(text, at);
    if (at == text.size()) break;
    const std::size_t count = character_bytes(text, at);
    if (count == 0) return false;
    at += count;
  }
  return true;
}

std::string made_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max && is_utf8(text)) return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t count = character_bytes(text, at);
    if (out.size() + std::max<std::size_t>(count, 1) > bytes_max) break;
    if (count == 0) {
      out += '?';
      ++at;
    } else {
      out += text.substr(at, count);
      at += count;
    }
  }
  return out;
}

}  // namespace assent
