// What the client library promises about its answers (R15): against a coordinator that follows a
// script, and against a real one that is killed, stopped and overrun.

#include "coordinator/client/client.h"

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "coordinator/client/async_client.h"
#include "tests/integration/support_fake_coordinator.h"
#include "tests/integration/support_house.h"
#include "tests/integration/support_print_begin.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;
using namespace std::chrono_literals;

namespace {

Client connect(const std::string& address, Duration timeout = 5s) {
  auto client = Client::connect({.coordinator = address, .application = "", .timeout = timeout});
  REQUIRE(client);
  return std::move(*client);
}

Submission submission(std::string key = {}) {
  Submission made{.key = std::move(key)};
  made.step("points", "UPDATE card SET points = points - 1 WHERE id = ?", {1});
  return made;
}

bool is(const Answer& answer, Outcome outcome, ErrorCode code, Effect effect) {
  return answer.outcome == outcome && answer.error && answer.error->code == code &&
         answer.error->effect == effect;
}

std::string why(const Answer& answer) {
  return std::string(to_string(answer.outcome)) +
         (answer.error ? ": " + answer.error->message : "");
}

House& house() {
  return House::shared(postgres_and_mariadb());
}

/// A client on a loop of the test's own.
struct Async {
  explicit Async(const std::string& address, Duration timeout = 5s)
      : client(std::make_unique<AsyncClient>(
            io, ClientOptions{.coordinator = address, .application = "", .timeout = timeout})) {}

  template <typename T>
  void spawn(boost::asio::awaitable<T> work, T& result) {
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      REQUIRE_FALSE(failed);
      result = std::move(value);
    });
  }

  template <typename T>
  T run(boost::asio::awaitable<T> work) {
    auto result = boost::asio::co_spawn(io, std::move(work), boost::asio::use_future);
    io.restart();
    while (result.wait_for(0s) != std::future_status::ready) io.run_one();
    return result.get();
  }

  boost::asio::io_context io;
  std::unique_ptr<AsyncClient> client;
};

/// Connections are made, and nobody ever says a word.
class DeafListener {
 public:
  DeafListener() : acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {}
  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
};

Setup points_alone() {
  return {"PostgreSQL alone", {{"points", DatabaseKind::kPostgres, live::Schema::kCards}}};
}

}  // namespace

// ---------------------------------------------------------------- the builder

TEST_CASE("a submission is built step by step") {
  Submission made{.key = "k"};
  made.step("points", "UPDATE card SET points = ?", {100, 1.5, "text", true, Bytes{"raw"}, {}})
      .expect_rows(1)
      .shared_reads();
  made.step("payments", "SELECT 1").read_only();

  REQUIRE(made.steps.size() == 2);
  CHECK(made.steps[0].participant == "points");
  CHECK(made.steps[0].statement.params == std::vector<Value>{std::int64_t{100}, 1.5,
                                                             std::string("text"), true,
                                                             Bytes{"raw"}, std::monostate{}});
  CHECK(made.steps[0].statement.expect_rows == 1);
  CHECK(made.steps[0].shared_reads);
  CHECK_FALSE(made.steps[0].read_only);
  CHECK(made.steps[1].read_only);
  CHECK_FALSE(made.steps[1].statement.expect_rows);
}

// ---------------------------------------------------------------- a coordinator with a script

TEST_CASE("nobody there: refused, and certainly no effect") {
  const live::PortLease port{1};
  const auto client = Client::connect({"127.0.0.1:" + std::to_string(port.first())});
  REQUIRE(client.has_error());
  CHECK(client.error().code == ErrorCode::kConnectionLost);
  CHECK(client.error().effect == Effect::kNone);
}

TEST_CASE("the coordinator went away before the call: refused, and certainly no effect") {
  std::optional<FakeCoordinator> coordinator;
  coordinator.emplace(std::vector{FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator->address());
  CHECK(client.submit(submission()).outcome == Outcome::kCommitted);
  coordinator.reset();

  CHECK(is(client.submit(submission()), Outcome::kRefused, ErrorCode::kConnectionLost,
           Effect::kNone));
  CHECK(
      is(client.outcome_of("k"), Outcome::kUnknown, ErrorCode::kConnectionLost, Effect::kUnknown));
}

TEST_CASE("a lost answer is asked for again under the same key, also one that the library made") {
  const std::string key = GENERATE("order-1", "");
  FakeCoordinator coordinator({FakeCoordinator::hang_up(), FakeCoordinator::hang_up(),
                               FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator.address());

  CHECK(client.submit(submission(key)).outcome == Outcome::kCommitted);

  const auto requests = coordinator.requests();
  REQUIRE(requests.size() == 3);
  const auto& first = std::get<Submit>(requests[0]);
  CHECK_FALSE(first.key.empty());
  if (!key.empty()) CHECK(first.key == key);
  for (const auto& request : requests) {
    CHECK(std::get<Submit>(request).key == first.key);
    CHECK(std::get<Submit>(request).steps == first.steps);
  }
}

TEST_CASE("two submits without a key are two transactions") {
  FakeCoordinator coordinator({FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator.address());
  client.submit(submission());
  client.submit(submission());
  const auto requests = coordinator.requests();
  REQUIRE(requests.size() == 2);
  CHECK(std::get<Submit>(requests[0]).key != std::get<Submit>(requests[1]).key);
}

TEST_CASE("busy and conflict come back to the caller at once") {
  const auto code = GENERATE(ErrorCode::kBusy, ErrorCode::kConflict);
  FakeCoordinator coordinator({FakeCoordinator::answer(Outcome::kRefused, code)});
  Client client = connect(coordinator.address());
  CHECK(is(client.submit(submission("k")), Outcome::kRefused, code, Effect::kNone));
  CHECK(coordinator.requests().size() == 1);
}

TEST_CASE("a coordinator that has just started is asked until it can tell of a key") {
  const auto too_early =
      FakeCoordinator::answer(Outcome::kUnknown, ErrorCode::kParticipantUnavailable);
  SECTION("for a submit, whose refusal is then one of a request that nobody has heard before") {
    FakeCoordinator coordinator(
        {too_early, too_early,
         FakeCoordinator::answer(Outcome::kRefused, ErrorCode::kParticipantUnavailable)});
    Client client = connect(coordinator.address());
    CHECK(is(client.submit(submission("k")), Outcome::kRefused, ErrorCode::kParticipantUnavailable,
             Effect::kNone));
    CHECK(coordinator.requests().size() == 3);
  }
  SECTION("for a submit that is repeated") {
    FakeCoordinator coordinator({FakeCoordinator::hang_up(), too_early,
                                 FakeCoordinator::answer(Outcome::kRefused),
                                 FakeCoordinator::answer(Outcome::kCommitted)});
    Client client = connect(coordinator.address());
    CHECK(client.submit(submission("k")).outcome == Outcome::kCommitted);
  }
  SECTION("for an outcome") {
    FakeCoordinator coordinator({too_early, FakeCoordinator::answer(Outcome::kCommitted)});
    CHECK(connect(coordinator.address()).outcome_of("k").outcome == Outcome::kCommitted);
  }
  SECTION("for a transaction that is opened") {
    FakeCoordinator coordinator({too_early, FakeCoordinator::begun()});
    Client client = connect(coordinator.address());
    const auto begun = client.begin("k");
    CHECK(begun.has_value());
    CHECK(coordinator.requests().size() == 2);
  }
  SECTION("for a commit whose answer was lost") {
    FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up(), too_early,
                                 FakeCoordinator::answer(Outcome::kCommitted)});
    Client client = connect(coordinator.address());
    auto begun = client.begin("k");
    REQUIRE(begun.has_value());
    CHECK(begun->commit().outcome == Outcome::kCommitted);
  }
  SECTION("until the time for the call is over") {
    FakeCoordinator coordinator({too_early});
    Client client = connect(coordinator.address());
    Submission brief = submission("k");
    brief.timeout = std::chrono::milliseconds(100);
    CHECK(is(client.submit(brief), Outcome::kUnknown, ErrorCode::kParticipantUnavailable,
             Effect::kUnknown));
    CHECK(coordinator.requests().size() > 1);
  }
}

TEST_CASE("a refusal of a repeat says nothing of the first copy") {
  FakeCoordinator coordinator(
      {FakeCoordinator::hang_up(),
       FakeCoordinator::answer(Outcome::kRefused, ErrorCode::kParticipantUnavailable),
       FakeCoordinator::answer(Outcome::kRefused, ErrorCode::kBusy),
       FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator.address());
  CHECK(client.submit(submission("k")).outcome == Outcome::kCommitted);
  CHECK(coordinator.requests().size() == 4);
}

TEST_CASE("a repeat that is refused until the timeout is unknown, never refused") {
  FakeCoordinator coordinator(
      {FakeCoordinator::hang_up(), FakeCoordinator::answer(Outcome::kRefused, ErrorCode::kBusy)});
  Client client = connect(coordinator.address());
  Submission asked = submission("k");
  asked.timeout = 200ms;
  CHECK(is(client.submit(asked), Outcome::kUnknown, ErrorCode::kBusy, Effect::kUnknown));
  CHECK(coordinator.requests().size() > 2);
}

TEST_CASE("a coordinator that says nothing: unknown when the time is up") {
  FakeCoordinator coordinator({FakeCoordinator::say_nothing()});
  Client client = connect(coordinator.address(), 300ms);
  Submission asked = submission("k");
  asked.timeout = 100ms;
  CHECK(is(client.submit(asked), Outcome::kUnknown, ErrorCode::kTimeout, Effect::kUnknown));
  CHECK(is(client.outcome_of("k"), Outcome::kUnknown, ErrorCode::kTimeout, Effect::kUnknown));
  CHECK(client.transactions().has_error());
  CHECK(coordinator.requests().size() == 3);
}

TEST_CASE("an answer to something else ends in unknown") {
  FakeCoordinator coordinator({[](Channel& channel, std::uint64_t request_id) {
    (void)channel.send(ClientCallReply{request_id, TransactionList{}});
  }});
  Client client = connect(coordinator.address());
  CHECK(client.submit(submission("k")).outcome == Outcome::kUnknown);
  CHECK(client.transactions().has_value());
}

TEST_CASE("a request longer than a frame is refused before anything is sent") {
  FakeCoordinator coordinator({FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator.address());
  Submission asked{.key = "k"};
  asked.step("points", "UPDATE card SET name = ?", {std::string(kFrameBytesMax, 'x')});
  CHECK(is(client.submit(asked), Outcome::kRefused, ErrorCode::kInvalid, Effect::kNone));
  CHECK(client.submit(submission("k")).outcome == Outcome::kCommitted);
  CHECK(coordinator.requests().size() == 1);
}

// ---------------------------------------------------------------- interactive, with a script

TEST_CASE("once a commit was sent, nobody but the coordinator says rolled back") {
  FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up()});
  Async async(coordinator.address());
  const auto open = async.run(async.client->begin());
  REQUIRE(open);
  CHECK(is(async.run(async.client->commit(*open)), Outcome::kUnknown, ErrorCode::kConnectionLost,
           Effect::kUnknown));
  // Tidying up, or asking again, after the connection is gone.
  CHECK(async.run(async.client->rollback(*open)).outcome == Outcome::kUnknown);
  CHECK(async.run(async.client->commit(*open)).outcome == Outcome::kUnknown);
  CHECK(coordinator.requests().size() == 2);
}

TEST_CASE("a rollback whose answer is lost after a commit was sent: unknown") {
  FakeCoordinator coordinator(
      {FakeCoordinator::begun(), FakeCoordinator::say_nothing(), FakeCoordinator::hang_up()});
  Async async(coordinator.address());
  const auto open = async.run(async.client->begin());
  REQUIRE(open);
  CHECK(is(async.run(async.client->commit(*open, WaitFor::kApplied, 10ms)), Outcome::kUnknown,
           ErrorCode::kTimeout, Effect::kUnknown));
  CHECK(is(async.run(async.client->rollback(*open)), Outcome::kUnknown, ErrorCode::kConnectionLost,
           Effect::kUnknown));
}

TEST_CASE("a commit that was sent under a key: its outcome is asked for, whatever is called next") {
  FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up(),
                               FakeCoordinator::answer(Outcome::kNoRecord),
                               FakeCoordinator::answer(Outcome::kCommitted)});
  Async async(coordinator.address());
  const auto open = async.run(async.client->begin("k"));
  REQUIRE(open);
  CHECK(async.run(async.client->commit(*open)).outcome == Outcome::kUnknown);
  // The connection is a new one.
  CHECK(async.run(async.client->rollback(*open)).outcome == Outcome::kCommitted);
  CHECK(async.run(async.client->commit(*open)).outcome == Outcome::kCommitted);
  const auto requests = coordinator.requests();
  REQUIRE(requests.size() == 5);
  for (std::size_t i = 2; i < requests.size(); ++i)
    CHECK(std::get<OutcomeOf>(requests[i]).key == "k");
}

TEST_CASE("a connection that ends before the commit: refused, nothing is said of the key") {
  const std::string key = GENERATE("k", "");
  const bool reconnected = GENERATE(false, true);
  FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up(),
                               FakeCoordinator::answer(Outcome::kCommitted)});
  Client client = connect(coordinator.address());
  auto open = client.begin(key);
  REQUIRE(open);
  CHECK(open->execute("points", "SELECT 1").error().effect == Effect::kNone);
  if (reconnected) CHECK(client.outcome_of("other").outcome == Outcome::kCommitted);

  const bool commit = GENERATE(true, false);
  CHECK(is(commit ? open->commit() : open->rollback(), Outcome::kRefused,
           ErrorCode::kConnectionLost, Effect::kNone));
  CHECK(coordinator.requests().size() == (reconnected ? 3 : 2));
}

TEST_CASE("a rollback whose answer is lost: no effect, but the key may be bound") {
  FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up()});
  Client client = connect(coordinator.address());
  auto open = client.begin("k");
  REQUIRE(open);
  CHECK(is(open->rollback(), Outcome::kUnknown, ErrorCode::kConnectionLost, Effect::kNone));
}

TEST_CASE("begin under a key that is finished tells its outcome") {
  const auto outcome = GENERATE(Outcome::kCommitted, Outcome::kRolledBack, Outcome::kInProgress);
  FakeCoordinator coordinator({FakeCoordinator::answer(outcome)});
  Client client = connect(coordinator.address());
  const auto begun = client.begin("k");
  REQUIRE(begun.has_error());
  CHECK(begun.error().outcome == outcome);
}

// ---------------------------------------------------------------- another log, the end, the clock

TEST_CASE("a submit is not sent again to another log") {
  FakeCoordinator coordinator(
      {FakeCoordinator::hang_up(), FakeCoordinator::answer(Outcome::kCommitted)},
      {LogId{1}, LogId{2}});
  Client client = connect(coordinator.address());
  CHECK(is(client.submit(submission("k")), Outcome::kUnknown, ErrorCode::kLogUnavailable,
           Effect::kUnknown));
  CHECK(coordinator.requests().size() == 1);
}

TEST_CASE("another log is not asked what became of a commit") {
  FakeCoordinator coordinator({FakeCoordinator::begun(), FakeCoordinator::hang_up(),
                               FakeCoordinator::answer(Outcome::kRolledBack)},
                              {LogId{1}, LogId{2}});
  Client client = connect(coordinator.address());
  auto open = client.begin("k");
  REQUIRE(open);
  CHECK(is(open->commit(), Outcome::kUnknown, ErrorCode::kLogUnavailable, Effect::kUnknown));
  CHECK(coordinator.requests().size() == 2);
}

TEST_CASE("a client that is destroyed during a submit sends nothing more") {
  std::promise<void> arrived;
  FakeCoordinator coordinator({[&](Channel&, std::uint64_t) { arrived.set_value(); },
                               FakeCoordinator::answer(Outcome::kCommitted)});
  Async async(coordinator.address());
  Answer answer;
  async.spawn(async.client->submit(submission("k")), answer);
  const auto sent = arrived.get_future();
  while (sent.wait_for(0s) != std::future_status::ready) async.io.poll();
  async.client.reset();
  async.io.run();
  CHECK(is(answer, Outcome::kUnknown, ErrorCode::kConnectionLost, Effect::kUnknown));
  CHECK(coordinator.requests().size() == 1);
}

TEST_CASE("a client that is destroyed while it connects: refused at once") {
  const DeafListener listener;
  Async async(listener.address());
  Answer answer;
  async.spawn(async.client->submit(submission("k")), answer);
  async.io.poll();
  async.client.reset();
  async.io.run();
  CHECK(is(answer, Outcome::kRefused, ErrorCode::kConnectionLost, Effect::kNone));
}

// Its loop never runs again, so nobody is told; what the call holds is freed all the same.
TEST_CASE("a call goes with its client and its loop") {
  const DeafListener deaf;
  FakeCoordinator silent({FakeCoordinator::say_nothing()});
  for (const std::string& address : {deaf.address(), silent.address()}) {
    auto held = std::make_shared<int>(7);
    const std::weak_ptr<int> seen = held;
    {
      Async async(address);
      const auto call = [](AsyncClient& client,
                           std::shared_ptr<int>) -> boost::asio::awaitable<void> {
        co_await client.submit(submission("k"));
      };
      boost::asio::co_spawn(async.io, call(*async.client, std::exchange(held, {})),
                            boost::asio::detached);
      async.io.run_for(100ms);
      CHECK_FALSE(seen.expired());
    }
    CHECK(seen.expired());
  }
}

TEST_CASE("connecting takes no longer than the call may: refused, nothing was sent") {
  const DeafListener listener;
  Async async(listener.address(), 60s);
  Submission asked = submission("k");
  asked.timeout = 50ms;
  const Instant asked_at = read_clocks().steady;
  CHECK(is(async.run(async.client->submit(asked)), Outcome::kRefused, ErrorCode::kTimeout,
           Effect::kNone));
  CHECK(read_clocks().steady - asked_at < 30s);  // not the 60 s of a connection
}

// ---------------------------------------------------------------- a real coordinator

TEST_CASE("begin under the key of a payment that is made: committed, nothing is opened") {
  const auto card = house().fresh_card();
  const std::string key = house().fresh_key();
  Client client = house().connect();
  auto begun = client.begin(key);
  REQUIRE(begun);
  REQUIRE(begun->execute("points", "UPDATE card SET points = points - 1 WHERE id = ?", {card}));
  REQUIRE(begun->commit().outcome == Outcome::kCommitted);

  const auto again = client.begin(key);
  REQUIRE(again.has_error());
  CHECK(again.error().outcome == Outcome::kCommitted);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a request too long for an agent's frame is refused and costs nobody the link") {
  Client client = house().connect();
  Submission asked{.key = house().fresh_key()};
  asked.step("points", "SELECT ?", {std::string(kFrameBytesMax - 1024, 'x')});
  const Answer answer = client.submit(asked);
  INFO(why(answer));
  CHECK(is(answer, Outcome::kRefused, ErrorCode::kInvalid, Effect::kNone));
  const auto payment = house().payment(house().fresh_card(), 10);
  CHECK(client.submit(House::submission(payment)).outcome == Outcome::kCommitted);
}

TEST_CASE("the coordinator is killed in the middle of a submit and comes back: one outcome") {
  const std::string point =
      GENERATE("coordinator.submit.received", "coordinator.vote.received",
               "coordinator.durable.received", "coordinator.committed.before_answer");
  INFO(point);
  auto& coordinator = house().sandbox().coordinator();
  house().sandbox().kill("coordinator");
  coordinator.start({{"ASSENT_CRASH_POINT", point + ":1"}});
  REQUIRE(house().wait_until_linked());
  const auto card = house().fresh_card();
  const auto payment = house().payment(card, 10);
  Submission asked = House::submission(payment);
  asked.timeout = 30s;

  Client client = house().connect();
  Answer answer;
  std::thread caller([&] { answer = client.submit(asked); });
  CHECK(coordinator.wait_for_end(kPatience));
  house().sandbox().start("coordinator");
  caller.join();

  INFO(why(answer));
  CHECK((answer.outcome == Outcome::kCommitted || answer.outcome == Outcome::kRolledBack));
  const bool committed = answer.outcome == Outcome::kCommitted;
  CHECK(house().paid(card) == (committed ? 10 : 0));
  CHECK(client.outcome_of(asked.key).outcome == answer.outcome);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a coordinator that stands still: unknown in time, and the outcome later") {
  const auto card = house().fresh_card();
  Submission asked = House::submission(house().payment(card, 10));
  asked.timeout = 300ms;
  Client client = house().connect();

  house().sandbox().pause("coordinator");
  const Answer answer = client.submit(asked);
  house().sandbox().resume("coordinator");

  CHECK(is(answer, Outcome::kUnknown, ErrorCode::kTimeout, Effect::kUnknown));
  CHECK(comes_true([&] {
    const Outcome outcome = client.settle(asked.key).outcome;
    return outcome == Outcome::kCommitted || outcome == Outcome::kRolledBack;
  }));
  const bool committed = client.outcome_of(asked.key).outcome == Outcome::kCommitted;
  CHECK(comes_true([&] { return house().paid(card) == (committed ? 10 : 0); }));
  CHECK(house().left_behind() == "");
}

TEST_CASE("an interactive transaction ends with its object or its connection") {
  const auto card = house().fresh_card();
  const bool drop_connection = GENERATE(true, false);
  {
    Client other = house().connect();
    std::optional<Transaction> open;
    {
      auto begun = other.begin();
      REQUIRE(begun);
      open.emplace(std::move(*begun));
    }
    REQUIRE(open->execute("points", "UPDATE card SET points = points - 1 WHERE id = ?", {card}));
    if (drop_connection) {
      house().sandbox().kill("coordinator");
      house().sandbox().start("coordinator");
      const auto executed = open->execute("points", "SELECT 1");
      REQUIRE(executed.has_error());
      CHECK(executed.error().code == ErrorCode::kConnectionLost);
      CHECK(executed.error().effect == Effect::kNone);
      CHECK(is(open->commit(), Outcome::kRefused, ErrorCode::kConnectionLost, Effect::kNone));
    }
  }
  CHECK(house().wait_until_linked());
  CHECK(house().balance("points", card) == 100);
  CHECK(house().left_behind() == "");
}

TEST_CASE(
    "the answer of a commit is lost: with a key its outcome is found, without it is unknown") {
  const bool keyed = GENERATE(true, false);
  auto& coordinator = house().sandbox().coordinator();
  house().sandbox().kill("coordinator");
  coordinator.start({{"ASSENT_CRASH_POINT", "coordinator.committed.before_answer:1"}});
  REQUIRE(house().wait_until_linked());
  const auto card = house().fresh_card();
  Client client = house().connect();
  auto begun = client.begin(keyed ? house().fresh_key() : "");
  REQUIRE(begun);
  REQUIRE(begun->execute("points", "UPDATE card SET points = points - 1 WHERE id = ?", {card}));

  Answer answer;
  std::thread caller([&] { answer = begun->commit(WaitFor::kApplied, 30s); });
  CHECK(coordinator.wait_for_end(kPatience));
  house().sandbox().start("coordinator");
  caller.join();

  INFO(why(answer));
  CHECK(answer.outcome == (keyed ? Outcome::kCommitted : Outcome::kUnknown));
  CHECK(house().wait_until_linked());
  CHECK(comes_true([&] { return house().balance("points", card) == 99; }));
  CHECK(house().left_behind() == "");
}

TEST_CASE("many calls at once over one connection") {
  constexpr int kCalls = 50;
  boost::asio::io_context io;
  auto client =
      std::make_unique<AsyncClient>(io, ClientOptions{house().sandbox().coordinator_address()});
  int committed = 0;
  int finished = 0;
  for (int i = 0; i < kCalls; ++i) {
    auto done = [&](std::exception_ptr failed, const Answer& answer) {
      REQUIRE_FALSE(failed);
      committed += answer.outcome == Outcome::kCommitted ? 1 : 0;
      if (++finished == kCalls) client.reset();
    };
    Submission asked = House::submission(house().payment(house().fresh_card(), 1));
    boost::asio::co_spawn(io, client->submit(std::move(asked)), done);
  }
  io.run();  // ends because the client is gone
  CHECK(committed == kCalls);
}

TEST_CASE("requests beyond a session's limit are refused as busy, questions are not") {
  House small(points_alone(), [](live::SandboxSpec& spec) {
    spec.coordinator_settings = "[limits]\nsession_requests_max = 2\n";
  });
  auto begun = small.client().begin();
  REQUIRE(begun);
  REQUIRE(begun->execute("points", "UPDATE card SET points = points - 1 WHERE id = ?", {1}));

  boost::asio::io_context io;
  auto client =
      std::make_unique<AsyncClient>(io, ClientOptions{small.sandbox().coordinator_address()});
  int busy = 0;
  int finished = 0;
  for (int i = 0; i < 4; ++i) {
    auto done = [&](std::exception_ptr, const Answer& answer) {
      // Refused, not unknown: the keys were looked up and are free.
      busy += is(answer, Outcome::kRefused, ErrorCode::kBusy, Effect::kNone) ? 1 : 0;
      if (++finished == 4) client.reset();
      if (finished == 2) {
        auto asked = [](std::exception_ptr, const Answer& outcome) {
          CHECK(outcome.outcome == Outcome::kNoRecord);
        };
        boost::asio::co_spawn(io, client->outcome_of("nobody's"), asked);
        begun->rollback();  // lets the other two go on
      }
    };
    boost::asio::co_spawn(io, client->submit(submission()), done);
  }
  std::optional<Outcome> of_begin;
  boost::asio::co_spawn(
      io, client->begin("k"),
      [&of_begin](std::exception_ptr, const BeginResult<OpenTransaction>& result) {
        if (result.has_error()) of_begin = result.error().outcome;
      });
  io.run();
  CHECK(busy == 2);
  CHECK(of_begin == Outcome::kRefused);
}
