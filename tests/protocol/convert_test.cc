#include "protocol/wire/convert.h"

#include <catch2/catch.hpp>

#include "tests/protocol/encoded.h"
#include "tests/protocol/message_generator.h"

namespace assent {
namespace {

constexpr std::uint64_t kSeeds = 3000;

TEST_CASE("every message comes back as it was sent") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    MessageGenerator generate(seed);
    INFO("seed " << seed);
    const ToAgent to_agent = generate.to_agent();
    REQUIRE(decode_to_agent(encoded(to_agent)).value() == to_agent);
    const FromAgent from_agent = generate.from_agent();
    REQUIRE(decode_from_agent(encoded(from_agent)).value() == from_agent);
    const FromClient from_client = generate.from_client();
    REQUIRE(decode_from_client(encoded(from_client)).value() == from_client);
    const ToClient to_client = generate.to_client();
    REQUIRE(decode_to_client(encoded(to_client)).value() == to_client);
  }
}

TEST_CASE("encode appends and leaves what is there") {
  std::string out = "before";
  encode(ClientHello{}, out);
  CHECK(out == "before" + encoded(ClientHello{}));
}

TEST_CASE("messages of the other direction or the other kind of link are refused by name") {
  const std::string call = encoded(ClientCall{7, ListTransactions{}});
  CHECK(decode_to_agent(call).error().message ==
        "A message of kind client_call does not belong on this link.");
  CHECK(decode_to_client(call).error().code == ErrorCode::kInvalid);
  CHECK(decode_from_agent(encoded(Hello{})).has_error());
  CHECK(decode_from_client(encoded(ClientWelcome{})).has_error());
}

TEST_CASE("Refused has one form on both kinds of link") {
  const Refused refused{{.code = ErrorCode::kUnauthorized, .message = "no"}};
  CHECK(std::get<Refused>(decode_from_agent(encoded(refused)).value()) == refused);
  CHECK(std::get<Refused>(decode_to_client(encoded(refused)).value()) == refused);
}

TEST_CASE("a call that is refused still tells its request id") {
  const std::string call = encoded(ClientCall{4711, Submit{}});  // no steps
  REQUIRE(decode_from_client(call).has_error());
  CHECK(request_id_of(call) == 4711);
  CHECK(request_id_of("") == std::nullopt);
  CHECK(request_id_of(encoded(ClientHello{})) == std::nullopt);
  CHECK(request_id_of(std::string(5, '\xff')) == std::nullopt);
}

TEST_CASE("text for people is made fit to travel") {
  Error error{.code = ErrorCode::kStatementFailed, .message = std::string(5000, 'x')};
  const auto cut = decode_from_agent(encoded(Refused{error})).value();
  CHECK(std::get<Refused>(cut).error.message == std::string(4096, 'x'));

  error.message = "caf\xe9";  // Latin 1
  const auto mended = decode_from_agent(encoded(Refused{error})).value();
  CHECK(std::get<Refused>(mended).error.message == "caf?");
}

TEST_CASE("a text value that is not UTF-8 travels as bytes") {
  AgentReply reply{Incarnation{1}, Worked{}};
  auto& worked = std::get<Worked>(reply.body);
  worked.xid = {{LogId{1}, Epoch{1}, Sequence{1}}, "a"};
  worked.results = {{1, {"c"}, {{std::string("caf\xe9")}}}};
  const auto got = std::get<AgentReply>(decode_from_agent(encoded(reply)).value());
  const auto& value = std::get<Worked>(got.body).results.front().rows.front().front();
  CHECK(std::get<Bytes>(value).data == "caf\xe9");
}

TEST_CASE("ages beyond what a duration may be are told as the longest one") {
  ParticipantList list;
  list.participants.push_back({.name = "a", .since = std::chrono::hours(24 * 4000)});
  const auto got =
      std::get<ClientCallReply>(decode_to_client(encoded(ClientCallReply{1, list})).value());
  CHECK(std::get<ParticipantList>(got.reply).participants.front().since ==
        std::chrono::hours(24 * 366));
}

}  // namespace
}  // namespace assent
