#include "tests/protocol/channel_fixture.h"

#include <chrono>

#include <catch2/catch.hpp>

namespace assent {

void End::start(std::function<void(std::string_view)> on_body) {
  channel->start(
      [this, on_body = std::move(on_body)](std::string_view body) {
        bodies.emplace_back(body);
        if (on_body) on_body(body);
      },
      [this](const Error& reason) { closed.push_back(reason); });
}

Loopback::Loopback(ChannelLimits limits, std::size_t connections_max) : limits_(limits) {
  auto listener = Listener::open(io_.get_executor(), parse_address("127.0.0.1:0").value(),
                                 connections_max, [this](std::unique_ptr<Transport> transport) {
                                   auto end = std::make_unique<End>();
                                   end->channel = Channel::make(io_.get_executor(),
                                                                std::move(transport), limits_);
                                   servers_.push_back(std::move(end));
                                 });
  REQUIRE(listener.has_value());
  listener_ = std::move(*listener);
}

std::unique_ptr<End> Loopback::connect(ChannelLimits limits) {
  auto client = std::make_unique<End>();
  const std::size_t before = accepted();
  assent::connect(io_.get_executor(), address(), std::chrono::seconds(10),
                  [&](Result<std::unique_ptr<Transport>> transport) {
                    REQUIRE(transport.has_value());
                    client->channel =
                        Channel::make(io_.get_executor(), std::move(*transport), limits);
                  });
  run_until([&] { return client->channel != nullptr && accepted() == before + 1; });
  return client;
}

boost::asio::ip::tcp::socket Loopback::connect_raw() {
  const std::size_t before = accepted();
  boost::asio::ip::tcp::socket socket(io_);
  socket.connect({boost::asio::ip::make_address(address().host), address().port});
  run_until([&] { return accepted() == before + 1; });
  server().start();
  return socket;
}

void Loopback::run_until(const std::function<bool()>& happened) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!happened()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    io_.restart();
    io_.run_one_for(std::chrono::milliseconds(100));
  }
}

void Loopback::run_until_closed(const End& end) {
  run_until([&end] { return !end.closed.empty(); });
}

std::string framed(std::string_view body) {
  std::string out;
  const std::size_t begun = begin_frame(out);
  out += body;
  REQUIRE(end_frame(out, begun).has_value());
  return out;
}

}  // namespace assent
