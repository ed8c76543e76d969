// The host's clock jumps by days under a running assentd, and while it is down; and what goes by
// when time has (R15).

#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include "tests/integration/support_assentctl.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

Submission payment_of(House& house, std::int64_t card, const std::string& key) {
  Submission submission = House::submission(house.payment(card, 10, "any"));
  submission.key = key;
  return submission;
}

void restart_coordinator(House& house) {
  house.sandbox().stop("coordinator");
  house.sandbox().start("coordinator");
  REQUIRE(house.wait_until_linked());
}

bool is_doubted(House& house) {
  const Answer refused = house.client().submit(payment_of(house, 1, house.fresh_key()));
  return refused.outcome == Outcome::kRefused && refused.error &&
         refused.error->message.find("clock") != std::string::npos;
}

bool takes_keyed_work(House& house) {
  const Submission next = payment_of(house, house.fresh_card(), house.fresh_key());
  return house.client().submit(next).outcome == Outcome::kCommitted;
}

}  // namespace

TEST_CASE("a clock that jumps by days forgets no key and lets none expire") {
  const auto jump = GENERATE(std::chrono::days(10), std::chrono::days(-10));
  INFO(jump.count() << " days");
  House house(postgres_and_postgres());
  house.sandbox().host().set_clock({});
  restart_coordinator(house);
  const Submission known = payment_of(house, house.fresh_card(), house.fresh_key());
  REQUIRE(house.client().submit(known).outcome == Outcome::kCommitted);

  house.sandbox().host().set_clock(jump);
  CHECK(comes_true([&] { return is_doubted(house); }));
  CHECK(house.client().submit(known).outcome == Outcome::kCommitted);
  CHECK(assentctl(house, {"status"}).standard_output.find("allow clock") != std::string::npos);

  // While it was down, too: the log's own time tells.
  restart_coordinator(house);
  CHECK(comes_true([&] { return is_doubted(house); }));
  CHECK(house.client().outcome_of(known.key).outcome == Outcome::kCommitted);

  // Set right again, nobody has to say so.
  house.sandbox().host().set_clock({});
  CHECK(comes_true([&] { return takes_keyed_work(house); }));

  // Or a person says that it is right.
  house.sandbox().host().set_clock(jump);
  CHECK(comes_true([&] { return is_doubted(house); }));
  const auto allowed =
      assentctl(house, {"allow", "clock", "--reason", "the host's clock was set right", "--yes"});
  INFO(allowed.standard_output << allowed.standard_error);
  CHECK(allowed.end.exit_code == kDone);
  CHECK(comes_true([&] { return takes_keyed_work(house); }));
  CHECK(house.becomes_quiet());
}

TEST_CASE("what is older than the retention goes, and a key past its not_after is never new") {
  House house(postgres_and_postgres(), [](live::SandboxSpec& spec) {
    spec.coordinator_settings = "[limits]\nretention_hours = 1\n";
  });
  house.sandbox().host().set_clock({});
  restart_coordinator(house);
  const auto card = house.fresh_card();
  Submission old = payment_of(house, card, house.fresh_key());
  old.not_after = read_clocks().wall + std::chrono::minutes(20);
  REQUIRE(house.client().submit(old).outcome == Outcome::kCommitted);
  Submission without = payment_of(house, house.fresh_card(), house.fresh_key());
  REQUIRE(house.client().submit(without).outcome == Outcome::kCommitted);
  const auto log = [&] { return house.client().status()->log; };
  const std::uint64_t before = log().newest;

  // Within the retention its outcome is told, and past it nothing is.
  CHECK(house.client().submit(old).outcome == Outcome::kCommitted);
  house.sandbox().host().set_clock(std::chrono::hours(3));
  REQUIRE(comes_true([&] { return is_doubted(house); }));
  CHECK(house.client().submit(old).outcome == Outcome::kCommitted);
  REQUIRE(assentctl(house, {"allow", "clock", "--reason", "three hours are over", "--yes"})
              .end.exit_code == kDone);
  CHECK(comes_true([&] { return log().oldest > before; }));
  CHECK(log().low_water);
  // While the records are going it may still be told what they say.
  CHECK(comes_true([&] { return house.client().submit(old).outcome == Outcome::kExpired; }));
  CHECK(comes_true(
      [&] { return house.client().outcome_of(without.key).outcome == Outcome::kNoRecord; }));
  CHECK(house.paid(card) == 10);
  CHECK(takes_keyed_work(house));

  restart_coordinator(house);
  CHECK(house.client().submit(old).outcome == Outcome::kExpired);
  CHECK(comes_true([&] { return takes_keyed_work(house); }));
  CHECK(house.paid(card) == 10);
  CHECK(log().oldest > before);
  CHECK(house.becomes_quiet());
}
