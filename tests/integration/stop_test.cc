// assentd told to stop: nothing new, what is decided is told, what holds it up is said.

#include <signal.h>

#include <string>

#include <catch2/catch.hpp>

#include "tests/integration/support_assentctl.h"
#include "tests/integration/support_print_begin.h"
#include "tests/integration/support_program.h"
#include "tests/integration/support_untold.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

House::Adjust with_limits(const std::string& lines) {
  return [lines](live::SandboxSpec& spec) { spec.coordinator_settings = "[limits]\n" + lines; };
}

std::string log_of(House& house) {
  return text_of(house.sandbox().coordinator().spec().log_file);
}

}  // namespace

TEST_CASE("SIGTERM rolls back what nobody asked to commit, and ends") {
  House house(postgres_and_mariadb(), with_limits("drain_timeout_ms = 600000\n"));
  const auto card = house.fresh_card();
  Client other = house.connect();
  auto open = other.begin();
  REQUIRE(open);
  REQUIRE(open->execute("points", "UPDATE card SET points = 0 WHERE id = ?", {card}));

  house.sandbox().stop("coordinator");  // throws when it waits for the ten minutes

  CHECK(house.sandbox().coordinator().end()->succeeded());
  house.sandbox().start("coordinator");
  CHECK(house.left_behind() == "");
  CHECK(house.paid(card) == 0);
}

TEST_CASE("SIGTERM waits for what is decided, says for what, and stops in the end") {
  House house(postgres_and_mariadb(), with_limits("drain_timeout_ms = 1500\n"));
  const auto card = house.fresh_card();
  const std::string gtrid = decided_and_untold(house, card);

  house.sandbox().stop("coordinator");

  CHECK(house.sandbox().coordinator().end()->succeeded());
  CHECK_THAT(log_of(house), Catch::Contains("stopping waits for: transaction " + gtrid) &&
                                Catch::Contains("stopping all the same"));
  start_payments_again(house);
  house.sandbox().start("coordinator");
  CHECK(house.left_behind() == "");
  CHECK(house.paid(card) == 10);
}

TEST_CASE("a second SIGTERM stops at once") {
  House house(postgres_and_mariadb(), with_limits("drain_timeout_ms = 600000\n"));
  decided_and_untold(house, house.fresh_card());
  auto& coordinator = house.sandbox().coordinator();
  ::kill(coordinator.pid(), SIGTERM);
  CHECK(coordinator.wait_for_log({"stopping waits for"}, kPatience));
  CHECK(coordinator.is_running());

  house.sandbox().stop("coordinator");

  CHECK(coordinator.end()->succeeded());
  CHECK_THAT(log_of(house), Catch::Contains("stopping at once"));
  start_payments_again(house);
  house.sandbox().start("coordinator");
  CHECK(house.left_behind() == "");
}

TEST_CASE("a coordinator is ready when every agent was heard and its branches were looked at") {
  House house(postgres_and_mariadb());
  house.sandbox().stop("coordinator");
  house.sandbox().pause("agent-points");  // its port takes the link, and nobody answers
  house.sandbox().start("coordinator");
  const auto early = assentctl(house, {"status"});
  INFO(early.standard_output << early.standard_error);
  CHECK(early.end.exit_code == kUnknown);
  CHECK_THAT(early.standard_output, Catch::Contains("not ready") && Catch::Contains("points"));
  house.sandbox().resume("agent-points");
  CHECK(comes_true([&] { return assentctl(house, {"status"}).end.exit_code == kDone; }));
}
