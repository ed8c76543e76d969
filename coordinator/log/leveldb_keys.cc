#include "coordinator/log/leveldb_keys.h"

#include <bit>

namespace assent::coordinator {
namespace {

constexpr char kRecordPrefix = 'r';
constexpr char kGtridPrefix = 'g';
constexpr char kIdempotencyPrefix = 'k';

template <typename Unsigned>
void append_big_endian(Unsigned value, std::string& out) {
  for (std::size_t i = sizeof(Unsigned); i > 0; --i) {
    out += static_cast<char>((value >> (8 * (i - 1))) & 0xFF);
  }
}

std::uint64_t parse_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::uint64_t parse_little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

struct SipState {
  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;

  SipState(std::uint64_t k0, std::uint64_t k1)
      : v0(k0 ^ 0x736f6d6570736575),
        v1(k1 ^ 0x646f72616e646f6d),
        v2(k0 ^ 0x6c7967656e657261),
        v3(k1 ^ 0x7465646279746573) {}

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  std::uint64_t finish() {
    v2 ^= 0xFF;
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::string record_key(std::uint64_t number) {
  std::string key(1, kRecordPrefix);
  append_big_endian(number, key);
  return key;
}

std::optional<std::uint64_t> parse_record_key(std::string_view key) {
  if (key.size() != 1 + sizeof(std::uint64_t) || key.front() != kRecordPrefix) return std::nullopt;
  return parse_big_endian(key.substr(1));
}

std::string gtrid_key(LogId log_id, const Gtrid& gtrid) {
  std::string key(1, kGtridPrefix);
  append_big_endian(static_cast<std::uint32_t>(gtrid.epoch), key);
  append_big_endian(static_cast<std::uint64_t>(gtrid.sequence), key);
  if (gtrid.log_id != log_id) append_big_endian(static_cast<std::uint64_t>(gtrid.log_id), key);
  return key;
}

std::string idempotency_index_key(std::uint64_t hash) {
  std::string key(1, kIdempotencyPrefix);
  append_big_endian(hash, key);
  return key;
}

std::uint64_t idempotency_hash(LogId log_id, std::string_view key) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::uint64_t kSecondKey = 0x617373656e742d6b;  // "assent-k"
  SipState state(static_cast<std::uint64_t>(log_id), kSecondKey);
  const std::uint64_t size = key.size();
  for (; key.size() >= kWord; key.remove_prefix(kWord)) {
    state.absorb(parse_little_endian(key.substr(0, kWord)));
  }
  state.absorb(parse_little_endian(key) | size << 56);
  return state.finish();
}

void append_number(std::uint64_t number, std::string& out) {
  append_big_endian(number, out);
}

std::optional<std::vector<std::uint64_t>> parse_numbers(std::string_view bytes) {
  constexpr std::size_t kNumber = sizeof(std::uint64_t);
  if (bytes.size() % kNumber != 0) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  for (; !bytes.empty(); bytes.remove_prefix(kNumber)) {
    numbers.push_back(parse_big_endian(bytes.substr(0, kNumber)));
  }
  return numbers;
}

}  // namespace assent::coordinator
