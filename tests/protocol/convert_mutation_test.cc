#include <catch2/catch.hpp>

#include "protocol/wire/convert.h"
#include "tests/protocol/encoded.h"
#include "tests/protocol/message_generator.h"

/// Damaged and hostile bodies. A failure prints the seed that repeats it.

namespace assent {
namespace {

void flip_bit(std::string& body, MessageGenerator& random) {
  if (body.empty()) return;
  body[random.below(body.size())] ^= static_cast<char>(1U << random.below(8));
}

void overwrite(std::string& body, MessageGenerator& random) {
  if (body.empty()) return;
  body[random.below(body.size())] = random.bytes(1).front();
}

void insert(std::string& body, MessageGenerator& random) {
  body.insert(random.below(body.size() + 1), random.bytes(1 + random.below(8)));
}

void erase(std::string& body, MessageGenerator& random) {
  body.erase(random.below(body.size() + 1), 1 + random.below(8));
}

void truncate(std::string& body, MessageGenerator& random) {
  body.resize(random.below(body.size() + 1));
}

void repeat_a_part(std::string& body, MessageGenerator& random) {
  const std::string part = body.substr(random.below(body.size() + 1), random.below(64));
  body.insert(random.below(body.size() + 1), part);
}

void mutate(std::string& body, MessageGenerator& random) {
  static constexpr auto kMutations = {flip_bit, overwrite, insert, erase, truncate, repeat_a_part};
  for (std::size_t i = 1 + random.below(4); i > 0; --i) {
    kMutations.begin()[random.below(kMutations.size())](body, random);
  }
}

/// An error with a sentence; or a message that means the same after another journey. Returns
/// whether it was a message. Compares bytes because a NaN differs from itself.
template <typename Message>
bool stands(const Result<Message>& decoded, Result<Message> (*decode)(std::string_view)) {
  if (!decoded) {
    REQUIRE(!decoded.error().message.empty());
    REQUIRE(decoded.error().effect == Effect::kNone);
    return false;
  }
  const std::string again = encoded(*decoded);
  const auto twice = decode(again);
  REQUIRE(twice.has_value());
  REQUIRE(encoded(*twice) == again);
  return true;
}

bool any_stands(std::string_view body) {
  bool any = stands(decode_to_agent(body), decode_to_agent);
  any |= stands(decode_from_agent(body), decode_from_agent);
  any |= stands(decode_from_client(body), decode_from_client);
  any |= stands(decode_to_client(body), decode_to_client);
  static_cast<void>(request_id_of(body));
  return any;
}

std::string any_body(MessageGenerator& generate) {
  switch (generate.below(4)) {
    case 0:
      return encoded(generate.to_agent());
    case 1:
      return encoded(generate.from_agent());
    case 2:
      return encoded(generate.from_client());
    default:
      return encoded(generate.to_client());
  }
}

TEST_CASE("a mutated message is an error or a message that keeps the rules") {
  int accepted = 0;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    INFO("seed " << seed);
    MessageGenerator random(seed);
    std::string body = any_body(random);
    mutate(body, random);
    ++(any_stands(body) ? accepted : refused);
  }
  // Both sides of the fence were visited.
  CHECK(accepted > 500);
  CHECK(refused > 5000);
}

TEST_CASE("every truncation of a message is an error or a message that keeps the rules") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    MessageGenerator random(seed);
    const std::string body = any_body(random);
    for (std::size_t size = 0; size < body.size(); ++size) {
      static_cast<void>(any_stands(std::string_view(body).substr(0, size)));
    }
  }
}

TEST_CASE("garbage is an error") {
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    INFO("seed " << seed);
    MessageGenerator random(seed);
    CHECK_FALSE(any_stands(random.bytes(random.below(300))));
  }
}

}  // namespace
}  // namespace assent
