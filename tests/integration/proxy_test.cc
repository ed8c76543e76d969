// The proxy's faults, each on a server that sends back what it gets, then on a real house: whatever
// a network does to its links, payments stay whole, and all is quiet when it is over.

#include "chaos/proxy/proxy.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "chaos/faults/fault_link.h"
#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"
#include "tests/integration/support_till.h"

using namespace assent;
using namespace assent::live;
using namespace assent::testing;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// How long nothing has to come for a test to believe that nothing comes.
constexpr auto kSilence = 150ms;

/// Sends back what it gets, and knows what that was and how each connection ended.
class Echo {
 public:
  Echo() {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Echo() {
    io_.stop();
    thread_.join();
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  std::vector<error_code> ends() {
    const std::lock_guard lock(mutex_);
    return ends_;
  }

 private:
  struct Guest {
    tcp::socket socket;
    std::vector<char> buffer = std::vector<char>(64 * 1024);
  };

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error) return;
      answer(std::make_shared<Guest>(Guest{std::move(socket)}));
      accept();
    });
  }

  void answer(const std::shared_ptr<Guest>& guest) {
    guest->socket.async_read_some(
        asio::buffer(guest->buffer), [this, guest](const error_code& error, std::size_t count) {
          if (error) return note_end(error);
          note_received({guest->buffer.data(), count});
          asio::async_write(guest->socket, asio::buffer(guest->buffer.data(), count),
                            [this, guest](const error_code& failure, std::size_t) {
                              failure ? note_end(failure) : answer(guest);
                            });
        });
  }

  void note_end(const error_code& how) {
    const std::lock_guard lock(mutex_);
    ends_.push_back(how);
  }
  void note_received(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    received_ += bytes;
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::mutex mutex_;
  std::string received_;          ///< under the mutex
  std::vector<error_code> ends_;  ///< under the mutex
  std::thread thread_;
};

/// Blocks, but never for ever.
class Caller {
 public:
  explicit Caller(std::uint16_t port) {
    socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  }

  void send(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }

  /// Up to `count` bytes: fewer when no more come in time, or the connection is over.
  std::string receive(std::size_t count, std::chrono::milliseconds patience = kPatience) {
    std::string bytes;
    const auto deadline = Clock::now() + patience;
    while (bytes.size() < count && !end_ && wait_until_readable(deadline)) {
      std::string some(count - bytes.size(), '\0');
      some.resize(socket_.read_some(asio::buffer(some), end_));
      bytes += some;
    }
    return bytes;
  }

  /// How the connection ended; no error: it did not in time.
  error_code end(std::chrono::milliseconds patience = kPatience) {
    receive(1, patience);
    return end_;
  }

 private:
  bool wait_until_readable(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd one{socket_.native_handle(), POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
  }

  asio::io_context io_;
  tcp::socket socket_{io_};
  error_code end_;
};

/// An echo behind a link of a proxy.
struct Line {
  Echo echo;
  Proxy proxy{7};
  ProxyLink& link;

  explicit Line(Carries carries) : link(proxy.add("echo", carries, echo.port())) {}
  Caller call() const { return Caller(link.port()); }
};

Gtrid gtrid(std::uint64_t sequence) {
  return {LogId{5}, Epoch{1}, Sequence{sequence}};
}

std::string framed(const AgentRequest& request) {
  std::string frame;
  const std::size_t begun = begin_frame(frame);
  encode(request, frame);
  REQUIRE(end_frame(frame, begun).has_value());
  return frame;
}

/// All of one size.
std::string ping(std::uint64_t number) {
  return framed(
      {.incarnation = Incarnation{number}, .lowest_unfinished = gtrid(9), .body = Ping{}});
}

std::string commit(const Gtrid& of) {
  Commit commit;
  commit.xid = {of, "points"};
  commit.proof.database.id = "1/5";
  commit.proof.transaction_id = 700;
  return framed(
      {.incarnation = Incarnation{1}, .lowest_unfinished = of, .body = std::move(commit)});
}

std::string hundred_pings() {
  std::string all;
  for (std::uint64_t i = 1; i <= 100; ++i) all += ping(i);
  return all;
}

std::vector<std::string> cut_up(const std::string& text, std::size_t size) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

int bits_that_differ(const std::string& a, const std::string& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    bits += __builtin_popcount(static_cast<unsigned char>(a[i] ^ b[i]));
  return bits;
}

std::string megabytes(std::size_t count) {
  std::string bytes(count * 1024 * 1024, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

}  // namespace

TEST_CASE("a link without a fault changes nothing") {
  const auto carries = GENERATE(Carries::kBytes, Carries::kAgentFrames, Carries::kClientFrames);
  Line line(carries);
  Caller caller = line.call();
  // To a link of frames these are none: a stranger's bytes reach the server too.
  for (const std::string& text : {ping(3), std::string("GET / HTTP/1.0\r\n\r\n"), megabytes(3)}) {
    std::thread sender([&] { caller.send(text); });
    CHECK((caller.receive(text.size()) == text));  // in no report: it is long
    sender.join();
  }
  CHECK(line.link.counts().connections == 1);
}

TEST_CASE("a part of a frame reaches the server when no more of it comes") {
  Line line(Carries::kAgentFrames);
  const std::string part = ping(3).substr(0, 20);
  {
    Caller caller = line.call();
    caller.send(part);
  }
  CHECK(comes_true([&] { return line.echo.received() == part && !line.echo.ends().empty(); }));
}

TEST_CASE("what is delayed comes later, in its order") {
  Line line(Carries::kAgentFrames);
  line.link.set(Direction::kToServer, {.delay = 50ms, .jitter = 20ms});
  Caller caller = line.call();
  const auto before = Clock::now();
  const std::string sent = hundred_pings();
  caller.send(sent);
  CHECK((caller.receive(sent.size()) == sent));
  CHECK(Clock::now() - before >= 50ms);
}

TEST_CASE("a throttled link takes its time") {
  Line line(Carries::kBytes);
  line.link.set(Direction::kToClient, {.bytes_per_second = 1024 * 1024});
  Caller caller = line.call();
  const std::string sent(100 * 1024, 'x');
  const auto before = Clock::now();
  caller.send(sent);
  CHECK((caller.receive(sent.size()) == sent));
  CHECK(Clock::now() - before >= 90ms);
}

TEST_CASE("a cut ends both sides, and the next connection is a new one") {
  const auto [how, told] = GENERATE(table<Cut, asio::error::basic_errors>(
      {{Cut::kReset, asio::error::connection_reset}, {Cut::kFin, {}}}));
  const error_code expected = how == Cut::kFin ? error_code(asio::error::eof) : error_code(told);
  Line line(Carries::kBytes);
  Caller caller = line.call();
  caller.send("a");
  CHECK(caller.receive(1) == "a");
  line.link.cut(how);
  CHECK(caller.end() == expected);
  CHECK(comes_true([&] { return line.echo.ends() == std::vector{expected}; }));
  Caller next = line.call();
  next.send("b");
  CHECK(next.receive(1) == "b");
  CHECK(line.link.counts().cut == 1);
}

TEST_CASE("an end of one side is told to the other as it was") {
  Line line(Carries::kBytes);
  {
    Caller caller = line.call();
    caller.send("a");
    CHECK(caller.receive(1) == "a");
  }
  CHECK(comes_true([&] { return line.echo.ends() == std::vector<error_code>{asio::error::eof}; }));
}

TEST_CASE("who is refused is reset") {
  Line line(Carries::kBytes);
  line.link.refuse();
  CHECK(line.call().end() == asio::error::connection_reset);
  line.link.heal();
  Caller caller = line.call();
  caller.send("a");
  CHECK(caller.receive(1) == "a");
}

TEST_CASE("a black hole lets nothing pass, and afterwards everything") {
  Line line(Carries::kBytes);
  Caller caller = line.call();
  caller.send("a");
  CHECK(caller.receive(1) == "a");
  line.link.set({.stands_still = true});
  caller.send("b");
  CHECK(caller.receive(1, kSilence).empty());
  CHECK(line.echo.received() == "a");
  line.link.heal();
  CHECK(caller.receive(1) == "b");
}

TEST_CASE("one way: the server hears and is not heard") {
  Line line(Carries::kBytes);
  Caller caller = line.call();
  line.link.set(Direction::kToClient, {.stands_still = true});
  caller.send("a");
  CHECK(comes_true([&] { return line.echo.received() == "a"; }));
  CHECK(caller.receive(1, kSilence).empty());
  line.link.heal();
  CHECK(caller.receive(1) == "a");
}

TEST_CASE("half open: the client does not learn that it is alone") {
  Line line(Carries::kBytes);
  Caller caller = line.call();
  caller.send("a");
  CHECK(caller.receive(1) == "a");
  line.link.half_open(End::kClient);
  CHECK(comes_true([&] { return line.echo.ends().size() == 1; }));
  caller.send("b");
  CHECK_FALSE(caller.end(kSilence));
  Caller other = line.call();
  other.send("c");
  CHECK(other.receive(1) == "c");
  line.link.heal();
  CHECK(caller.end() == asio::error::connection_reset);
  CHECK(line.echo.received() == "ac");
}

TEST_CASE("half open: the server does not learn that it is alone") {
  Line line(Carries::kBytes);
  Caller caller = line.call();
  caller.send("a");
  CHECK(caller.receive(1) == "a");
  line.link.half_open(End::kServer);
  CHECK(caller.end() == asio::error::connection_reset);
  CHECK(line.echo.ends().empty());
  line.link.heal();
  CHECK(comes_true([&] { return line.echo.ends().size() == 1; }));
}

TEST_CASE("a duplicate is the same frame once more") {
  Line line(Carries::kAgentFrames);
  line.link.set(Direction::kToServer, {.duplicate = 1});
  Caller caller = line.call();
  const std::string sent = hundred_pings();
  caller.send(sent);
  auto received = cut_up(caller.receive(2 * sent.size()), ping(1).size());
  REQUIRE(received.size() == 200);
  std::map<std::string, int> times;
  for (const auto& frame : received) ++times[frame];
  CHECK(times.size() == 100);
  CHECK(std::all_of(times.begin(), times.end(), [](const auto& one) { return one.second == 2; }));
  CHECK(line.link.counts().duplicated == 100);
}

TEST_CASE("reordered frames are all there, and whole") {
  Line line(Carries::kAgentFrames);
  line.link.set(Direction::kToServer, {.reorder = 0.5});
  Caller caller = line.call();
  const std::string sent = hundred_pings();
  caller.send(sent);
  auto received = cut_up(caller.receive(sent.size()), ping(1).size());
  auto expected = cut_up(sent, ping(1).size());
  CHECK(received != expected);
  std::sort(received.begin(), received.end());
  std::sort(expected.begin(), expected.end());
  CHECK(received == expected);
  CHECK(line.link.counts().reordered > 0);
}

TEST_CASE("a flipped frame differs in one bit") {
  Line line(Carries::kAgentFrames);
  line.link.set(Direction::kToServer, {.flip = 1});
  Caller caller = line.call();
  caller.send(ping(1));
  REQUIRE(comes_true([&] { return line.echo.received().size() == ping(1).size(); }));
  CHECK(bits_that_differ(line.echo.received(), ping(1)) == 1);
  CHECK(line.link.counts().flipped == 1);
}

TEST_CASE("a truncated frame is the beginning of one, and often the last") {
  Line line(Carries::kAgentFrames);
  line.link.set(Direction::kToServer, {.truncate = 1});
  std::size_t received = 0;
  for (int i = 0; i < 20; ++i) {
    Caller caller = line.call();
    caller.send(ping(1));
    CHECK(comes_true([&] { return line.link.counts().frames == std::uint64_t(i) + 1; }));
  }
  CHECK(comes_true([&] {
    received = line.echo.received().size();
    return line.echo.ends().size() == 20;
  }));
  CHECK(received < 20 * ping(1).size());
  CHECK(line.link.counts().truncated == 20);
}

TEST_CASE("the same seed mangles in the same way") {
  const Conduct conduct{.duplicate = 0.2, .reorder = 0.2, .flip = 0.2, .truncate = 0.2};
  Mangler one(5);
  Mangler same(5);
  Mangler other(6);
  std::string of_one;
  std::string of_same;
  std::string of_other;
  const auto note = [&](Mangler& mangler, std::string& told, std::uint64_t number) {
    for (const Mangled& each : mangler.pass(ping(number), conduct))
      told += std::to_string(static_cast<int>(each.kind)) + each.bytes +
              std::to_string(each.late.count());
  };
  for (std::uint64_t i = 1; i <= 100; ++i) {
    note(one, of_one, i);
    note(same, of_same, i);
    note(other, of_other, i);
  }
  CHECK(of_one == of_same);
  CHECK(of_one != of_other);
}

TEST_CASE("a trap holds the frame that it is for and what comes behind it") {
  Line line(Carries::kAgentFrames);
  Caller caller = line.call();
  Trap trap = line.link.trap(brings<Commit>);
  caller.send(ping(1) + commit(gtrid(7)) + ping(2));
  CHECK(trap.wait(kPatience));
  CHECK(caller.receive(ping(1).size()) == ping(1));
  CHECK(caller.receive(1, kSilence).empty());
  trap.release();
  const std::string rest = commit(gtrid(7)) + ping(2);
  CHECK(caller.receive(rest.size()) == rest);
  caller.send(commit(gtrid(8)));  // a trap is for one
  CHECK(caller.receive(commit(gtrid(8)).size()) == commit(gtrid(8)));
}

TEST_CASE("a trap that was not sprung is gone") {
  Line line(Carries::kAgentFrames);
  Caller caller = line.call();
  { const Trap trap = line.link.trap(brings<Commit>); }
  caller.send(commit(gtrid(7)));
  CHECK(caller.receive(commit(gtrid(7)).size()) == commit(gtrid(7)));
}

TEST_CASE("the first commit message of a transaction is noted") {
  Line line(Carries::kAgentFrames);
  Caller caller = line.call();
  const auto before = Clock::now();
  caller.send(commit(gtrid(7)));
  caller.receive(commit(gtrid(7)).size());
  const auto between = Clock::now();
  caller.send(commit(gtrid(7)) + commit(gtrid(8)));
  caller.receive(2 * commit(gtrid(7)).size());
  const auto decided = line.proxy.decided();
  REQUIRE(decided.size() == 2);
  CHECK(decided.at(gtrid(7)).commit >= before);
  CHECK(decided.at(gtrid(7)).commit <= between);
  CHECK(decided.at(gtrid(8)).commit >= between);
}

// ---- a real house

namespace {

constexpr int kPayments = 40;
constexpr auto kFaultLasts = 700ms;

Till& till() {
  static Till till(postgres_and_mariadb(), [](SandboxSpec& spec) { spec.proxy_seed = 20261122; });
  return till;
}

}  // namespace

// Agents know a repeat by its number in the branch; for a client's link the request id is all.
TEST_CASE("a statement that comes twice on a client's link takes effect once at most") {
  House& house = till().house();
  ProxyLink& link = till().sandbox().proxy().link("coordinator");
  const std::string key = house.fresh_key();
  Client client = house.connect();
  auto begun = client.begin();
  REQUIRE(begun.has_value());
  link.set(Direction::kToServer, {.duplicate = 1});
  begun->execute("points", "INSERT INTO ledger (tx_key, card_id, amount) VALUES (?, 1, 0)", {key});
  Trap copy_done = link.trap(brings<Executed>);
  link.heal();
  copy_done.wait(kSilence);  // never comes where the copy is refused
  copy_done.release();
  const Answer answer = begun->commit();
  CHECK(house.left_behind() == "");
  CHECK(house.ledger_rows(key) == (answer.outcome == Outcome::kCommitted ? 1 : 0));
}

TEST_CASE("under each fault of each link payments are whole, and all is quiet afterwards") {
  for (const auto& name : till().sandbox().proxy().names()) {
    ProxyLink& link = till().sandbox().proxy().link(name);
    bool other_way = false;
    for (const auto& fault : link_faults()) {
      if (fault.of_frames && link.carries() == Carries::kBytes) continue;
      INFO(fault.name << " on the link to " << name);
      const auto payers = till().pay(kPayments);
      CHECK(comes_true([&] { return payers->counts().answered > 2; }));
      fault.inject(link, other_way = !other_way);
      std::this_thread::sleep_for(kFaultLasts);
      link.heal();
      CHECK(till().settle_up(*payers) == "");
    }
  }
}

TEST_CASE("every link at once, frames mangled in every way") {
  const auto payers = till().pay(5 * kPayments);
  Proxy& proxy = till().sandbox().proxy();
  for (const auto& name : proxy.names())
    proxy.link(name).set({.delay = 1ms,
                          .jitter = 10ms,
                          .duplicate = 0.05,
                          .reorder = 0.05,
                          .flip = 0.005,
                          .truncate = 0.005});
  live::wait_until([&] { return payers->is_done(); }, 5s);
  proxy.heal();
  CHECK(till().settle_up(*payers) == "");
  const LinkCounts counts = proxy.link("agent-points").counts();
  CHECK(counts.duplicated > 0);
  CHECK(counts.reordered > 0);
  CHECK_FALSE(proxy.decided().empty());
}

// The coordinator dies when its decision is durable and one agent is told, the other not.
TEST_CASE("an exact interleaving: one agent has its commit, the other's is on the way") {
  Proxy& proxy = till().sandbox().proxy();
  Trap trap = proxy.link("agent-payments").trap(brings<Commit>);
  const auto payers = till().pay(4, 1);
  REQUIRE(trap.wait(kPatience));
  till().house().kill("coordinator");
  trap.release();
  till().sandbox().start("coordinator");
  CHECK(till().settle_up(*payers) == "");
}
