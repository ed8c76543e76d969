// The driver of the core on a real log; nobody is connected.

#include "coordinator/server/driver.h"

#include <chrono>
#include <utility>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_verify.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

using assent::testing::LogFixture;
using assent::testing::RawDatabase;

class Nobody : public AgentsPort, public ClientsPort {
 public:
  void send(const std::string&, AgentRequest) override {}
  void close(const std::string&, const Error&) override {}
  void reply(ClientSessionId, RequestId, ClientReply) override {}
};

class Host : public HostPort {
 public:
  explicit Host(Now now) : now_(now) {}

  Now now() override { return now_; }
  void wake_at(std::optional<Instant>) override {}
  void note(const Note&) override {}
  void later(std::function<void()>) override {}
  void beside(std::function<Result<>()>, std::function<void(Result<>)>) override {}
  void drained() override {}
  void halt(const Error& why) override { FAIL(why.message); }

 private:
  Now now_;
};

TEST_CASE("R15: what the host's clock alone says of the time while it was away makes nothing older",
          "[log][driver]") {
  constexpr auto kAway = std::chrono::hours(10);
  LogFixture f;
  f.retain(std::chrono::hours(72));
  f.open();
  f.close();
  f.open();  // record 2
  const LogOpening& opening = f.log().opening();
  const LogId log_id = opening.log_id;
  Past past;
  past.log_id = log_id;
  past.epoch = opening.epoch;
  past.log_time = opening.log_time;
  Nobody nobody;
  Host host({Instant{}, opening.log_time + kAway});
  Driver driver(Coordinator(Config{}, std::move(past), host.now()), f.log(), nobody, nobody, host);
  driver.start();
  driver.time_passed();
  REQUIRE(f.comes_true([&] { return f.log().stats().log_time >= host.now().wall; }));
  f.close();
  RawDatabase raw(f.dir());
  const auto found = read_recent(raw.db(), log_id);
  REQUIRE(found.has_value());
  const std::vector<UnprovedTime> expected{{2, 10 * 3'600'000}};
  CHECK(found->state.unproved == expected);
}

TEST_CASE("no coordinator is ready that refuses work for want of space", "[log][driver]") {
  LogFixture f;
  f.open();
  Nobody nobody;
  Host host({Instant{}, f.log().opening().log_time});
  Config config;
  config.participants.clear();
  const Past& past = f.log().opening();
  Driver driver(Coordinator(config, past, host.now()), f.log(), nobody, nobody, host);
  driver.start();
  CHECK(driver.status().ready);
  driver.work_refused(Error{.code = ErrorCode::kLogUnavailable, .message = "3 MiB are free"});
  CHECK_FALSE(driver.status().ready);
  CHECK(driver.status().holding_up == std::vector<std::string>{"3 MiB are free"});
  driver.work_refused(std::nullopt);
  CHECK(driver.status().ready);
}

}  // namespace
}  // namespace assent::coordinator
