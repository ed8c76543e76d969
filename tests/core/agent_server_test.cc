// What of assent-agentd's process needs no database: its timers, the queue of its control session,
// its coordinators' links.

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "participant_agents/server/alarm.h"
#include "participant_agents/server/control_thread.h"
#include "participant_agents/server/coordinator_links.h"
#include "protocol/channel/channel.h"
#include "protocol/channel/tcp.h"
#include "protocol/channel/turn.h"
#include "protocol/wire/convert.h"

namespace assent::agent {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Instant now() {
  return read_clocks().steady;
}

/// Ending a session lasts until it is interrupted; `calls` has a letter for each call.
class SlowControl final : public rm::Control {
 public:
  explicit SlowControl(std::string& calls) : calls_(calls) {}

  std::string server_version() const override { return "1"; }
  std::uint32_t prepared_max() const override { return 0; }
  std::vector<std::string> warnings() const override { return {}; }
  Result<DatabaseIdentity> identity() override { return DatabaseIdentity{}; }
  Result<> heartbeat() override {
    calls_ += 'h';
    return {};
  }
  Result<> end_session(rm::SessionId, Duration) override {
    calls_ += 'e';
    begun_.set_value();
    if (cut_.get_future().wait_for(seconds(30)) == std::future_status::timeout) return {};
    return Error{
        .code = ErrorCode::kConnectionLost, .effect = assent::Effect::kUnknown, .message = "cut"};
  }
  Result<rm::FenceAnswer> raise_fence(const rm::Fence&) override { return rm::FenceAnswer{}; }
  Result<rm::PreparedScan> list_prepared(const std::set<LogId>&) override {
    calls_ += 'l';
    return rm::PreparedScan{};
  }
  Result<> forget_witnesses(const std::vector<Gtrid>&) override { return {}; }
  void interrupt() override {
    is_cut_ = true;
    cut_.set_value();
  }

  bool is_cut() const { return is_cut_; }
  void wait_until_begun() { begun_.get_future().wait(); }

 private:
  std::string& calls_;
  std::promise<void> begun_;
  std::promise<void> cut_;
  bool is_cut_ = false;  // the test's thread
};

class SlowManager final : public rm::ResourceManager {
 public:
  Result<std::unique_ptr<rm::Control>> take_control(Duration) override {
    auto made = std::make_unique<SlowControl>(calls);
    control = made.get();
    return std::unique_ptr<rm::Control>(std::move(made));
  }
  Result<std::unique_ptr<rm::Session>> open_session() override { return Error{}; }
  Result<> check_statement(const Statement&) const override { return {}; }

  std::string calls;
  SlowControl* control = nullptr;
};

}  // namespace

TEST_CASE("an alarm that goes while its handler is queued does not ring") {
  boost::asio::io_context io;
  int rung = 0;
  std::unique_ptr<Alarm> one;
  std::unique_ptr<Alarm> other;
  one = std::make_unique<Alarm>(io.get_executor(), [&] {
    ++rung;
    other.reset();
  });
  other = std::make_unique<Alarm>(io.get_executor(), [&] {
    ++rung;
    one.reset();
  });
  // Both have expired when the timers are looked at first, so both handlers are queued at once.
  one->set(now() - seconds(1));
  other->set(now() - seconds(1));
  io.run();
  CHECK(rung == 1);
}

TEST_CASE("a heartbeat goes before what waits, and only the time of a call itself counts") {
  boost::asio::io_context io;
  Turn turn(io);
  SlowManager manager;
  std::promise<bool> taken;
  std::promise<bool> exited;
  std::promise<bool> listed;
  bool alive = false;
  bool ended = false;
  bool cut = false;
  ControlThread control(
      turn, manager, seconds(0),
      {.taken = [&](Result<ControlTaken> result) { taken.set_value(bool(result)); },
       .exited = [&] { exited.set_value(true); }});
  const auto come = [](std::promise<bool>& promise) {
    auto future = promise.get_future();
    REQUIRE(future.wait_for(seconds(30)) == std::future_status::ready);
    CHECK(future.get());
  };
  come(taken);

  turn.run([&] {
    control.run<Result<>>(
        [](rm::Control& slow) { return slow.end_session(rm::SessionId{1}, seconds(1)); },
        [&](Result<> result) {
          ended = true;
          cut = !result;
        });
  });
  manager.control->wait_until_begun();
  turn.run([&] {
    control.run<Result<rm::PreparedScan>>(
        [](rm::Control& slow) { return slow.list_prepared({}); },
        [&](Result<rm::PreparedScan> scan) { listed.set_value(bool(scan)); });
    control.heartbeat([&](Result<> result) { alive = bool(result); });
    control.cut_if_longer(hours(1));
    CHECK_FALSE(manager.control->is_cut());
    control.cut_if_longer(seconds(-1));
    CHECK(manager.control->is_cut());
  });
  come(listed);
  turn.run([&] { control.ask_exit(); });
  // The thread's last words come from the loop.
  auto last = exited.get_future();
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (last.wait_for(seconds(0)) != std::future_status::ready &&
         std::chrono::steady_clock::now() < deadline) {
    io.restart();
    io.run_one_for(seconds(1));
  }
  REQUIRE(last.wait_for(seconds(0)) == std::future_status::ready);
  CHECK(ended);
  CHECK(cut);
  CHECK(alive);
  CHECK(manager.calls == "ehl");
}

TEST_CASE("what an incarnation has said leaves before its links end") {
  boost::asio::io_context io;
  const auto run_until = [&io](const std::function<bool()>& happened) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (!happened()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      io.restart();
      io.run_one_for(seconds(1));
    }
  };
  std::optional<LinkId> link;
  bool gone = false;
  CoordinatorLinks links(io.get_executor(),
                         {.judge = [](const Hello&) { return std::nullopt; },
                          .tell =
                              [&](const Event& event) {
                                if (const auto* hello = std::get_if<HelloArrived>(&event)) {
                                  link = hello->link;
                                } else {
                                  gone = true;
                                }
                              }});
  const auto listener = Listener::open(
      io.get_executor(), parse_address("127.0.0.1:0").value(), 1,
      [&links](std::unique_ptr<Transport> transport) { links.accept(std::move(transport)); });
  REQUIRE(listener.has_value());

  std::shared_ptr<Channel> coordinator;
  std::vector<std::string> heard;
  bool closed = false;
  connect(io.get_executor(), (*listener)->address(), seconds(30),
          [&](Result<std::unique_ptr<Transport>> transport) {
            REQUIRE(transport.has_value());
            coordinator = Channel::make(io.get_executor(), std::move(*transport));
            coordinator->start([&](std::string_view body) { heard.emplace_back(body); },
                               [&](const Error&) { closed = true; });
            const Hello hello{.coordinator = "pay",
                              .token = "t",
                              .participant = "points",
                              .log_id = LogId{1},
                              .epoch = Epoch{1}};
            REQUIRE(coordinator->send(hello).has_value());
          });
  run_until([&] { return link.has_value(); });

  const Error why{.code = ErrorCode::kDatabaseUnfit, .message = "put back"};
  const AgentReply list{Incarnation{7}, PreparedList{.scan = 3, .error = why, .put_back = true}};
  links.reply(*link, list);
  links.close_all(why);
  run_until([&] { return closed; });
  REQUIRE(heard.size() == 1);
  CHECK(std::get<AgentReply>(decode_from_agent(heard.front()).value()) == list);
  CHECK_FALSE(gone);
}

}  // namespace assent::agent
