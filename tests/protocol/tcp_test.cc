#include "protocol/channel/tcp.h"

#include <optional>

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "tests/protocol/channel_fixture.h"

namespace assent {
namespace {

using namespace std::chrono_literals;

TEST_CASE("addresses are read and written") {
  CHECK(parse_address("127.0.0.1:7000").value() == Address{"127.0.0.1", 7000});
  CHECK(parse_address("localhost:0").value() == Address{"127.0.0.1", 0});
  CHECK(parse_address("[::1]:65535").value() == Address{"::1", 65535});
  CHECK(to_string(Address{"::1", 7}) == "[::1]:7");
  CHECK(to_string(Address{"127.0.0.1", 7}) == "127.0.0.1:7");
}

TEST_CASE("what is no address is refused with the text") {
  for (const std::string text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1: 1", "example.com:1", "::1:7000", "[127.0.0.1]:7000", "[::1:7000", ":7000"}) {
    INFO(text);
    const auto address = parse_address(text);
    REQUIRE(address.has_error());
    CHECK(address.error().code == ErrorCode::kInvalid);
    CHECK(address.error().message.starts_with("\"" + text + "\" is not an address: "));
  }
}

TEST_CASE("nothing listens or connects elsewhere than on loopback") {
  boost::asio::io_context io;
  for (const auto* text : {"0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[2001:db8::1]:0"}) {
    INFO(text);
    const auto listener =
        Listener::open(io.get_executor(), parse_address(text).value(), 1, [](auto) {});
    REQUIRE(listener.has_error());
    CHECK_THAT(listener.error().message, Catch::Contains("is not a loopback address"));

    std::optional<Error> refused;
    connect(io.get_executor(), parse_address(text).value(), 1s,
            [&](Result<std::unique_ptr<Transport>> connected) {
              REQUIRE(connected.has_error());
              refused = connected.error();
            });
    CHECK_FALSE(refused);  // from the loop, not from the call
    io.restart();
    io.run();
    REQUIRE(refused);
    CHECK(refused->code == ErrorCode::kInvalid);
  }
}

TEST_CASE("a port that is taken is refused by name") {
  Loopback loopback;
  const auto second =
      Listener::open(loopback.io().get_executor(), loopback.address(), 1, [](auto) {});
  REQUIRE(second.has_error());
  CHECK(second.error().code == ErrorCode::kIo);
  CHECK_THAT(second.error().message, Catch::Contains(to_string(loopback.address())));
}

TEST_CASE("connecting to where nobody listens has no effect and says so") {
  boost::asio::io_context io;
  auto listener = Listener::open(io.get_executor(), {"127.0.0.1", 0}, 1, [](auto) {});
  const Address free_again = (*listener)->address();
  listener->reset();
  std::optional<Error> failed;
  connect(io.get_executor(), free_again, 5s, [&](Result<std::unique_ptr<Transport>> connected) {
    REQUIRE(connected.has_error());
    failed = connected.error();
  });
  io.run();
  REQUIRE(failed);
  CHECK(failed->code == ErrorCode::kConnectionLost);
  CHECK(failed->effect == Effect::kNone);
}

TEST_CASE("a connection without an answer ends at the deadline, once") {
  // A listener that accepts nothing: two fill its queue, the next waits for a place in it.
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor full(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  full.listen(0);
  std::vector<boost::asio::ip::tcp::socket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(io).async_connect(full.local_endpoint(), [](auto) {});
  }
  int told = 0;
  std::optional<ErrorCode> code;
  connect(io.get_executor(), {"127.0.0.1", full.local_endpoint().port()}, 200ms,
          [&](Result<std::unique_ptr<Transport>> connected) {
            ++told;
            if (connected.has_error()) code = connected.error().code;
            for (auto& socket : waiting) socket.close();
          });
  io.run();
  CHECK(told == 1);
  CHECK(code == ErrorCode::kTimeout);
}

TEST_CASE("above the limit newcomers are told Refused; a place that is left is given again") {
  Loopback loopback({}, 1);
  auto first = loopback.connect();
  loopback.server().start();

  auto newcomer = std::make_unique<End>();
  connect(loopback.io().get_executor(), loopback.address(), 5s,
          [&](Result<std::unique_ptr<Transport>> connected) {
            REQUIRE(connected.has_value());
            newcomer->channel = Channel::make(loopback.io().get_executor(), std::move(*connected));
            newcomer->start();
          });
  loopback.run_until([&] { return !newcomer->closed.empty(); });
  REQUIRE(newcomer->bodies.size() == 1);
  const auto refused = decode_to_client(newcomer->bodies.front()).value();
  CHECK(std::get<Refused>(refused).error.code == ErrorCode::kBusy);
  CHECK(loopback.accepted() == 1);

  loopback.server().channel->close({});
  loopback.run_until_closed(loopback.server());
  const auto next = loopback.connect();
  CHECK(loopback.accepted() == 2);
}

}  // namespace
}  // namespace assent
