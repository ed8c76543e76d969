#include "protocol/channel/channel.h"

#include <deque>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "tests/protocol/channel_fixture.h"
#include "tests/protocol/encoded.h"

namespace assent {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

void write(asio::ip::tcp::socket& socket, std::string_view bytes) {
  asio::write(socket, asio::buffer(bytes.data(), bytes.size()));
}

TEST_CASE("bodies travel both ways in their order") {
  Loopback loopback;
  const auto client = loopback.connect();
  End& server = loopback.server();
  server.start([&](std::string_view body) {
    REQUIRE(server.channel->send_body("re: " + std::string(body)).has_value());
  });
  client->start();
  std::vector<std::string> sent;
  std::vector<std::string> answers;
  for (int i = 0; i < 1000; ++i) {
    sent.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x'));
    answers.push_back("re: " + sent.back());
    REQUIRE(client->channel->send_body(sent.back()).has_value());
  }
  loopback.run_until([&] { return client->bodies.size() == sent.size(); });
  CHECK(server.bodies == sent);
  CHECK(client->bodies == answers);
}

TEST_CASE("a message is sent in its encoding") {
  Loopback loopback;
  const auto client = loopback.connect();
  loopback.server().start();
  client->start();
  const ClientCall call{7, ListTransactions{}};
  REQUIRE(client->channel->send(call).has_value());
  loopback.run_until([&] { return !loopback.server().bodies.empty(); });
  CHECK(loopback.server().bodies.front() == encoded(call));
}

TEST_CASE("the longest frames travel once the hello is accepted") {
  Loopback loopback;
  const auto client = loopback.connect();
  loopback.server().start();
  loopback.server().channel->established();
  client->start();
  REQUIRE(client->channel->send_body(std::string(kFrameBytesMax, 'x')).has_value());
  REQUIRE(client->channel->send_body("short").has_value());
  loopback.run_until([&] { return loopback.server().bodies.size() == 2; });
  CHECK(loopback.server().bodies.front().size() == kFrameBytesMax);
  CHECK(loopback.server().bodies.back() == "short");
}

TEST_CASE("a message over the frame's limit is not sent and the link goes on") {
  Loopback loopback;
  const auto client = loopback.connect();
  loopback.server().start();
  client->start();
  REQUIRE(client->channel->send_body("one").has_value());
  const auto refused = client->channel->send_body(std::string(kFrameBytesMax + 1, 'x'));
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kInvalid);
  REQUIRE(client->channel->send_body("two").has_value());
  loopback.run_until([&] { return loopback.server().bodies.size() == 2; });
  CHECK(loopback.server().bodies == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a closed peer ends the link once, and what is sent after that is dropped") {
  Loopback loopback;
  const auto client = loopback.connect();
  loopback.server().start();
  client->start();
  client->channel->close({.code = ErrorCode::kStopping, .message = "enough"});
  CHECK(client->closed.empty());  // never from within close()
  loopback.run_until_closed(*client);
  loopback.run_until_closed(loopback.server());
  CHECK(client->closed.front().message == "enough");
  CHECK(loopback.server().closed.front().code == ErrorCode::kConnectionLost);
  CHECK(loopback.server().closed.front().effect == Effect::kUnknown);
  CHECK_FALSE(client->channel->is_open());
  CHECK(client->channel->send_body("too late").has_value());
  client->channel->close({});
  loopback.io().poll();
  CHECK(client->closed.size() == 1);
  CHECK(loopback.server().closed.size() == 1);
}

// R6: nothing that was read from a link that has been ended is obeyed.
TEST_CASE("no body is given after close, though it was read already") {
  Loopback loopback;
  const auto client = loopback.connect();
  End& server = loopback.server();
  server.start([&](std::string_view) { server.channel->close({.message = "replaced"}); });
  client->start();
  for (int i = 0; i < 5; ++i) REQUIRE(client->channel->send_body("work").has_value());
  loopback.run_until_closed(server);
  CHECK(server.bodies.size() == 1);
}

TEST_CASE("a refusal arrives before the link ends, whatever the peer was still sending") {
  Loopback loopback;
  const auto client = loopback.connect();
  End& server = loopback.server();
  const Refused refused{{.code = ErrorCode::kUnauthorized, .message = "wrong token"}};
  server.start([&](std::string_view) {
    REQUIRE(server.channel->send(refused).has_value());
    server.channel->close_when_sent(refused.error);
  });
  client->start();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(client->channel->send_body(std::string(kHelloBytesMax, 'x')).has_value());
  }
  loopback.run_until_closed(*client);
  loopback.run_until_closed(server);
  REQUIRE(client->bodies.size() == 1);
  CHECK(client->bodies.front() == encoded(refused));
  CHECK(server.bodies.size() == 1);
  CHECK(server.closed.front() == refused.error);
}

TEST_CASE("a peer that keeps a refused link open is cut in the end") {
  Loopback loopback({.stall_max = 50ms});
  auto socket = loopback.connect_raw();
  loopback.server().channel->close_when_sent({.message = "refused"});
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().message == "refused");
}

TEST_CASE("an owner may live in the callbacks: they are let go at the end") {
  Loopback loopback;
  const auto client = loopback.connect();
  auto owner = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = owner;
  client->channel->start([owner](std::string_view) {}, [owner](const Error&) {});
  owner.reset();
  const std::weak_ptr<Channel> channel = client->channel;
  client->channel->close({});
  client->channel.reset();
  loopback.run_until([&] { return watched.expired() && channel.expired(); });
}

// ---- what hostile or broken peers do

TEST_CASE("bytes that are no frame end the link") {
  Loopback loopback;
  auto socket = loopback.connect_raw();
  write(socket, "GET / HTTP/1.1\r\n\r\n");
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().code == ErrorCode::kInvalid);
  CHECK(loopback.server().bodies.empty());
}

TEST_CASE("a damaged frame ends the link, the frames before it count") {
  Loopback loopback;
  auto socket = loopback.connect_raw();
  std::string damaged = framed("second");
  damaged.back() ^= 1;
  write(socket, framed("first") + damaged + framed("third"));
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().bodies == std::vector<std::string>{"first"});
  CHECK_THAT(loopback.server().closed.front().message, Catch::Contains("checksum"));
}

TEST_CASE("before the hello is accepted a long frame ends the link by its header alone") {
  Loopback loopback;
  auto socket = loopback.connect_raw();
  write(socket, framed(std::string(kHelloBytesMax + 1, 'x')).substr(0, kFrameHeaderBytes));
  loopback.run_until_closed(loopback.server());
  CHECK_THAT(loopback.server().closed.front().message, Catch::Contains("65536"));
}

TEST_CASE("after the hello a frame over the limit ends the link by its header alone") {
  Loopback loopback;
  auto socket = loopback.connect_raw();
  loopback.server().channel->established();
  std::string header = framed("");
  header[4] = 1;  // 16 MiB
  write(socket, header);
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().code == ErrorCode::kInvalid);
}

TEST_CASE("a frame cut off by the peer's end is not given") {
  Loopback loopback;
  auto socket = loopback.connect_raw();
  write(socket, framed("whole") + framed("cut").substr(0, 14));
  socket.close();
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().bodies == std::vector<std::string>{"whole"});
  CHECK(loopback.server().closed.front().code == ErrorCode::kConnectionLost);
}

TEST_CASE("a peer that sends no hello is cut") {
  Loopback loopback({.hello_max = 50ms});
  auto socket = loopback.connect_raw();
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().code == ErrorCode::kTimeout);
  CHECK_THAT(loopback.server().closed.front().message, Catch::Contains("no hello"));
}

TEST_CASE("a peer that dribbles a frame is cut, though a byte comes now and then") {
  Loopback loopback({.hello_max = Duration::zero(), .stall_max = 100ms});
  auto socket = loopback.connect_raw();
  const std::string frame = framed(std::string(60000, 'x'));
  std::size_t at = 0;
  asio::steady_timer timer(loopback.io());
  const std::function<void()> dribble = [&] {
    timer.expires_after(5ms);
    timer.async_wait([&](const boost::system::error_code& error) {
      if (error) return;
      boost::system::error_code gone;  // the link is cut at some byte
      asio::write(socket, asio::buffer(frame.data() + at++, 1), gone);
      if (!gone) dribble();
    });
  };
  dribble();
  loopback.run_until_closed(loopback.server());
  timer.cancel();
  CHECK(loopback.server().closed.front().code == ErrorCode::kTimeout);
  CHECK_THAT(loopback.server().closed.front().message, Catch::Contains("frame"));
}

TEST_CASE("a peer that reads nothing ends its link when too much is waiting") {
  Loopback loopback({.outgoing_bytes_max = 1024 * 1024});
  auto socket = loopback.connect_raw();
  Channel& channel = *loopback.server().channel;
  const std::string body(60000, 'x');
  for (int i = 0; i < 10000 && channel.is_open(); ++i) {
    REQUIRE(channel.send_body(body).has_value());
    loopback.io().restart();
    loopback.io().poll();
  }
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().code == ErrorCode::kBusy);
}

TEST_CASE("a peer that stops reading is cut when a write takes too long") {
  Loopback loopback({.outgoing_bytes_max = 64 * 1024 * 1024, .stall_max = 50ms});
  auto socket = loopback.connect_raw();
  for (int i = 0; i < 8; ++i) {
    REQUIRE(loopback.server().channel->send_body(std::string(kFrameBytesMax, 'x')).has_value());
  }
  loopback.run_until_closed(loopback.server());
  CHECK(loopback.server().closed.front().code == ErrorCode::kTimeout);
}

// ---- on a transport of the test's own

/// Keeps what is written; the test says when a write is done and what is read.
class RecordedTransport final : public Transport {
 public:
  struct Record {
    std::vector<std::string> writes;
    std::shared_ptr<TransportUser> writer;
    std::shared_ptr<TransportUser> reader;
    std::span<char> room;
    bool takes_all = false;  ///< every write at once

    void arrive(std::string_view bytes) {
      REQUIRE(bytes.size() <= room.size());
      std::copy(bytes.begin(), bytes.end(), room.begin());
      std::exchange(reader, nullptr)->on_read({}, bytes.size());
    }
  };

  explicit RecordedTransport(Record& record) : record_(record) {}

  void read(std::span<char> room, std::shared_ptr<TransportUser> user) override {
    record_.room = room;
    record_.reader = std::move(user);
  }
  bool write(std::string_view bytes, std::shared_ptr<TransportUser> user) override {
    record_.writes.emplace_back(bytes);
    if (record_.takes_all) return true;
    record_.writer = std::move(user);
    return false;
  }
  void finish_writing() override {}
  void close() override { record_.reader.reset(); }
  std::string peer() const override { return "recorded"; }

 private:
  Record& record_;
};

TEST_CASE("what is sent during a turn of the loop, or during a write, leaves in one write") {
  asio::io_context io;
  RecordedTransport::Record record;
  End end;
  end.channel = Channel::make(io.get_executor(), std::make_unique<RecordedTransport>(record));
  end.start();
  for (const auto* body : {"one", "two", "three"})
    REQUIRE(end.channel->send_body(body).has_value());
  CHECK(record.writes.empty());
  io.poll();
  CHECK(record.writes == std::vector{framed("one") + framed("two") + framed("three")});

  for (const auto* body : {"four", "five"}) REQUIRE(end.channel->send_body(body).has_value());
  io.restart();
  io.poll();
  CHECK(record.writes.size() == 1);  // the first is still under way
  std::exchange(record.writer, nullptr)->on_written({});
  CHECK(record.writes.size() == 2);
  CHECK(record.writes.back() == framed("four") + framed("five"));
  end.channel->close({});
  record.writer.reset();
  io.restart();
  io.poll();
  CHECK(end.closed.size() == 1);
}

TEST_CASE("a write that the system takes at once is over, and what is sent later leaves too") {
  asio::io_context io;
  RecordedTransport::Record record;
  record.takes_all = true;
  End end;
  end.channel = Channel::make(io.get_executor(), std::make_unique<RecordedTransport>(record));
  end.start();
  for (const auto* body : {"one", "two"}) {
    REQUIRE(end.channel->send_body(body).has_value());
    io.restart();
    io.poll();
    CHECK(record.writes.back() == framed(body));
  }
  CHECK(record.writes.size() == 2);
  end.channel->close({});
  io.restart();
  io.poll();
  CHECK(end.closed.size() == 1);
}

// The timer that a begun frame sets is left to run when the frame has ended in time.
TEST_CASE("a link that rests between frames is not cut") {
  asio::io_context io;
  RecordedTransport::Record record;
  End end;
  end.channel = Channel::make(io.get_executor(), std::make_unique<RecordedTransport>(record),
                              {.hello_max = Duration::zero(), .stall_max = 20ms});
  end.start();
  const std::string frame = framed("one");
  record.arrive(frame.substr(0, 5));
  record.arrive(frame.substr(5));
  CHECK(end.bodies == std::vector<std::string>{"one"});
  const auto timers_run = io.run_for(10s);  // until nothing is left to wait for
  CHECK(timers_run == 1);
  CHECK(end.closed.empty());
  CHECK(end.channel->is_open());
  end.channel->close({});
  io.restart();
  io.run();
}

}  // namespace
}  // namespace assent
