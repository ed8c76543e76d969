// What an operator meets at night: a decided payment with an agent gone, foreign branches, a
// drained coordinator; seen and mended with assentctl alone.

#include <cstdint>
#include <future>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_assentctl.h"
#include "tests/integration/support_untold.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

/// The list while the database of `participant` answers nobody.
live::CommandResult list_beside_hung(House& house, const std::string& participant) {
  house.database(participant).pause();
  auto listed = assentctl(house, {"list", "--in-doubt"});
  house.database(participant).resume();
  return listed;
}

void wait_long_between_tries(live::SandboxSpec& spec) {
  spec.coordinator_settings = "[limits]\nretry_min_ms = 600000\nretry_max_ms = 600000\n";
}

/// A payment of 10 at payments, which is a MariaDB, and hands at its branch there.
class UntoldBranch {
 public:
  UntoldBranch(House& house, std::int64_t card, const std::string& gtrid)
      : database_(house.database("payments")),
        name_("'" + gtrid + "','payments',1095978580"),
        work_("UPDATE bill SET due = due - 10 WHERE card_id = " + std::to_string(card) + "; "),
        witness_("INSERT INTO assent_witness VALUES (" +
                 std::regex_replace("0x" + gtrid, std::regex("-"), ", 0x") + ", 'payments'); ") {}

  /// As the server leaves it that forgot a branch until its restart (F 9): no telling ends it.
  void forget() {
    run("XA ROLLBACK " + name_ + ";");
    prepare("'holder'", witness_);
  }
  void remember() {
    run("XA ROLLBACK 'holder';");
    prepare(name_, work_ + witness_);
  }

 private:
  void prepare(const std::string& xa, const std::string& statements) {
    run("XA START " + xa + "; " + statements + "XA END " + xa + "; XA PREPARE " + xa + ";");
  }
  void run(const std::string& sql) { database_.query("payments", sql); }

  live::DatabaseServer& database_;
  const std::string name_;
  const std::string work_;
  const std::string witness_;
};

}  // namespace

TEST_CASE("a decided payment whose agent is gone is seen, explained, and finished") {
  House house(postgres_and_mariadb());
  const auto card = house.fresh_card();
  const std::string gtrid = decided_and_untold(house, card);

  const auto listed = assentctl(house, {"list", "--in-doubt"});
  INFO(listed.standard_output << listed.standard_error);
  CHECK(listed.end.exit_code == kUnknown);  // a database was not asked
  CHECK_THAT(listed.standard_output, Catch::StartsWith(gtrid) && Catch::Contains("committed") &&
                                         Catch::Contains("payments") &&
                                         Catch::Contains("not reached"));

  const auto beside_hung = list_beside_hung(house, "points");
  INFO(beside_hung.standard_output << beside_hung.standard_error);
  CHECK(beside_hung.end.exit_code == kUnknown);
  CHECK_THAT(beside_hung.standard_output, Catch::StartsWith(gtrid) &&
                                              Catch::Contains(", at points\n") &&
                                              Catch::Contains(", at payments\n"));

  const auto shown = assentctl(house, {"show", gtrid});
  INFO(shown.standard_output << shown.standard_error);
  CHECK(shown.end.exit_code == kDone);
  CHECK_THAT(shown.standard_output,
             Catch::StartsWith(gtrid) && Catch::Contains("story") && Catch::Contains("record "));
  const auto as_json = assentctl(house, {"show", gtrid, "--json"});
  CHECK_THAT(as_json.standard_output,
             Catch::StartsWith(R"({"gtrid":")" + gtrid) && Catch::Contains(R"("story":[{)"));

  CHECK(assentctl(house, {"retry", gtrid}).end.exit_code == kDone);

  // What was decided is not decided otherwise by anybody.
  const auto against = assentctl(house, {"resolve", gtrid, "--rollback", "--despite", "payments",
                                         "--reason", "the shop wants it", "--yes"});
  INFO(against.standard_output << against.standard_error);
  CHECK(against.end.exit_code == kRefused);
  CHECK_THAT(against.standard_output, Catch::StartsWith("refused, nothing was done"));

  const auto participants = assentctl(house, {"participants"});
  CHECK_THAT(participants.standard_output, Catch::Contains("down") && Catch::Contains("HEALTH"));

  start_payments_again(house);
  CHECK(house.left_behind() == "");
  CHECK(house.paid(card) == 10);
  REQUIRE(house.wait_until_linked());
  const auto all_finished = list_beside_hung(house, "payments");
  INFO(all_finished.standard_output << all_finished.standard_error);
  CHECK(all_finished.end.exit_code == kUnknown);
  CHECK_THAT(all_finished.standard_output, Catch::Contains(", at payments\n"));
  CHECK(comes_true([&] {
    return assentctl(house, {"list", "--in-doubt"}).end.exit_code == kDone;
  }));
  CHECK(assentctl(house, {"list", "--in-doubt"}).standard_output == "nothing is in doubt\n");
  CHECK(comes_true([&] { return assentctl(house, {"status"}).end.exit_code == kDone; }));
}

TEST_CASE("retry ends at once what would wait long for its next try") {
  House house(postgres_and_mariadb(), wait_long_between_tries);
  const auto card = house.fresh_card();
  const std::string gtrid = decided_and_untold(house, card);
  UntoldBranch branch(house, card, gtrid);
  branch.forget();
  start_payments_again(house);
  live::CommandResult listed;
  const bool waits = comes_true([&] {
    listed = assentctl(house, {"list", "--in-doubt"});
    return std::regex_search(listed.standard_output, std::regex("told 2 times, again in [0-9]+m"));
  });
  INFO(listed.standard_output << listed.standard_error);
  REQUIRE(waits);
  branch.remember();

  const auto retried = assentctl(house, {"retry", gtrid});
  INFO(retried.standard_output << retried.standard_error);
  CHECK(retried.end.exit_code == kDone);
  CHECK_THAT(retried.standard_output, Catch::Contains("payments is told again now"));
  CHECK(house.left_behind() == "");
  CHECK(house.paid(card) == 10);
  CHECK(comes_true([&] { return assentctl(house, {"status"}).end.exit_code == kDone; }));
}

TEST_CASE("a live transaction is shown with whom it blocks, and rolled back by hand") {
  House house(postgres_and_mariadb());
  const auto card = house.fresh_card();
  auto& points = house.database("points");
  Submission submission{.key = "live-one", .timeout = kPatience};
  submission.step("points", "UPDATE card SET points = points - 1 WHERE id = ?", {card});
  submission.step("payments", "UPDATE bill SET due = due - 1 WHERE card_id = ? AND SLEEP(9) = 0",
                  {card});
  auto paying = std::async(std::launch::async, [&house, submission] {
    Client client = house.connect();
    return client.submit(submission);
  });
  REQUIRE(comes_true([&] {
    return points.query_value("points", "SELECT count(*) FROM pg_prepared_xacts;") == "1";
  }));
  const std::string row =
      "UPDATE card SET points = points WHERE id = " + std::to_string(card) + ";";
  std::thread blocked([&] { points.query("points", row); });

  live::CommandResult listed;
  const bool seen = comes_true([&] {
    listed = assentctl(house, {"list", "--in-doubt"});
    return listed.standard_output.find(row.substr(0, 20)) != std::string::npos;
  });
  INFO(listed.standard_output << listed.standard_error);
  CHECK(seen);
  CHECK_THAT(listed.standard_output,
             Catch::Contains("key live-one") && Catch::Contains("blocks 1"));
  const std::string gtrid = listed.standard_output.substr(0, listed.standard_output.find(' '));

  const std::vector<std::string> resolve{"resolve", gtrid, "--rollback", "--reason",
                                         "the shop waits"};
  const auto plan = assentctl(house, resolve);
  INFO(plan.standard_output << plan.standard_error);
  CHECK(plan.end.exit_code == kDone);
  auto act = resolve;
  act.emplace_back("--yes");
  const auto done = assentctl(house, act);
  INFO(done.standard_output << done.standard_error);
  CHECK(done.end.exit_code == kDone);
  blocked.join();
  CHECK(paying.get().outcome == Outcome::kRolledBack);

  CHECK(comes_true([&] { return house.left_behind().empty(); }));
  CHECK(house.paid(card) == 0);
  CHECK(house.client().outcome_of("live-one").outcome == Outcome::kRolledBack);
}

TEST_CASE("a drained coordinator takes no work, says what holds it up, and takes work again") {
  House house(postgres_and_mariadb());
  const auto card = house.fresh_card();
  const std::string gtrid = decided_and_untold(house, card);

  const auto drained = assentctl(house, {"drain"});
  INFO(drained.standard_output << drained.standard_error);
  CHECK(drained.end.exit_code == kUnknown);
  CHECK_THAT(drained.standard_output,
             Catch::Contains("waits for") && Catch::Contains(gtrid) && Catch::Contains("payments"));
  const Answer refused = house.client().submit(House::submission(house.payment(card, 10)));
  CHECK(refused.outcome == Outcome::kRefused);
  REQUIRE(refused.error);
  CHECK(refused.error->code == ErrorCode::kStopping);

  start_payments_again(house);
  CHECK(comes_true([&] { return assentctl(house, {"drain"}).end.exit_code == kDone; }));
  CHECK(house.paid(card) == 10);
  CHECK(assentctl(house, {"undrain"}).end.exit_code == kDone);
  REQUIRE(house.wait_until_linked());
  CHECK(comes_true([&] {
    return house.client().submit(House::submission(house.payment(card, 10))).outcome ==
           Outcome::kCommitted;
  }));
}

TEST_CASE("foreign branches are shown with whom they block, and left alone") {
  House house(postgres_and_mariadb());
  const auto card = house.fresh_card();
  const std::string row =
      "UPDATE card SET points = points WHERE id = " + std::to_string(card) + ";";
  auto& points = house.database("points");
  points.query("points", "BEGIN; " + row + " PREPARE TRANSACTION 'other-7';");
  std::thread blocked([&] { points.query("points", row); });

  live::CommandResult listed;
  const bool seen = comes_true([&] {
    listed = assentctl(house, {"list", "--in-doubt"});
    return listed.standard_output.find(row.substr(0, 20)) != std::string::npos;
  });
  points.query("points", "ROLLBACK PREPARED 'other-7';");  // it stood until here
  blocked.join();
  INFO(listed.standard_output << listed.standard_error);
  CHECK(seen);
  CHECK_THAT(listed.standard_output, Catch::StartsWith("nothing is in doubt") &&
                                         Catch::Contains("never touched") &&
                                         Catch::Contains("other-7") && Catch::Contains("blocks 1"));
}

TEST_CASE("the log is copied while the coordinator serves, and the copy is looked at") {
  House house(postgres_and_mariadb());
  const Answer paid =
      house.client().submit(House::submission(house.payment(house.fresh_card(), 1)));
  REQUIRE(paid.outcome == Outcome::kCommitted);
  const auto folder = house.sandbox().spec().directory;
  const std::string copy = folder / "copy";
  const std::string open = folder / "coordinator";

  const auto made = assentctl(house, {"log", "backup", copy});
  INFO(made.standard_output << made.standard_error);
  CHECK(made.end.exit_code == kDone);
  const auto again = assentctl(house, {"log", "backup", copy});
  CHECK(again.end.exit_code == kRefused);
  CHECK_THAT(again.standard_output, Catch::Contains("is there already"));

  const auto verified = assentctl(house, {"log", "verify", copy});
  INFO(verified.standard_output << verified.standard_error);
  CHECK(verified.end.exit_code == kDone);
  CHECK_THAT(verified.standard_output, Catch::Contains("the log is whole"));
  CHECK_THAT(assentctl(house, {"log", "dump", copy}).standard_output,
             Catch::Contains(to_string(*paid.gtrid)));
  CHECK_THAT(assentctl(house, {"log", "stats", copy}).standard_output,
             Catch::Contains("log records"));
  CHECK_THAT(assentctl(house, {"log", "stats"}).standard_output, Catch::Contains("log records"));
  const auto in_use = assentctl(house, {"log", "verify", open});
  CHECK(in_use.end.exit_code == kRefused);
}
