// Databases whose history changed under a running Assent: put back to a copy, replaced by a standby
// or by another server; and what a foreign hand ended. Nothing of it may pass in silence (design
// section 6).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/sandbox/postgres_standby.h"
#include "tests/integration/support_assentctl.h"
#include "tests/integration/support_untold.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

/// The database of `payments` is of either kind.
Setup either_kind() {
  return GENERATE(postgres_and_postgres(), postgres_and_mariadb());
}

/// For the report.
std::string findings(House& house) {
  return assentctl(house, {"status"}).standard_output;
}

bool needs_a_person(House& house, const std::string& words) {
  const auto status = house.client().status();
  if (!status) return false;
  for (const Finding& finding : status->findings) {
    if (finding.what.find(words) != std::string::npos) return true;
  }
  return false;
}

bool is_damaged_at(House& house, const std::string& key, const std::string& participant) {
  const Answer answer = house.client().outcome_of(key);
  return answer.damaged.size() == 1 && answer.damaged[0].participant == participant;
}

/// A payment that leaves every participant but `points` alone.
Submission of_points_alone(House& house, std::int64_t card) {
  Submission submission = House::submission(house.payment(card, 10));
  std::erase_if(submission.steps, [](const Step& step) { return step.participant != "points"; });
  return submission;
}

Answer pay(House& house, const std::string& key = {}) {
  return house.client().submit(House::submission(house.payment(house.fresh_card(), 10, key)));
}

constexpr std::int64_t kTooManyPoints = 200;  // of a card's 100

/// The branch that `participant` holds prepared, as its database's statements name it.
std::string prepared_at(House& house, const std::string& participant) {
  auto& database = house.database(participant);
  const bool postgres = database.kind() == DatabaseKind::kPostgres;
  const auto rows =
      database.query(participant, postgres ? "SELECT '''' || gid || '''' FROM pg_prepared_xacts;"
                                           : "XA RECOVER FORMAT='SQL';");
  return rows.empty() ? "" : rows[0].back();
}

void end_by_hand(House& house, const std::string& participant, const std::string& verb) {
  auto& database = house.database(participant);
  const bool postgres = database.kind() == DatabaseKind::kPostgres;
  const std::string branch = prepared_at(house, participant);
  database.query(participant,
                 postgres ? verb + " PREPARED " + branch + ";" : "XA " + verb + " " + branch + ";");
}

void connect_agent_to(House& house, const std::string& participant, const std::string& connection) {
  const auto file =
      house.sandbox().spec().directory / "config" / ("agent-" + participant + ".toml");
  std::ifstream before(file);
  std::ostringstream after;
  for (std::string line; std::getline(before, line);) {
    after << (line.starts_with("connection = ") ? "connection = '" + connection + "'" : line)
          << "\n";
  }
  std::ofstream(file) << after.str();
}

void restart(House& house, const std::string& part) {
  house.sandbox().stop(part);
  house.sandbox().start(part);
}

/// With --yes. The plan has been printed before.
void allow(House& house, std::vector<std::string> what) {
  what.insert(what.begin(), "allow");
  what.insert(what.end(), {"--reason", "seen and put right, ticket 4711", "--yes"});
  live::CommandResult result;
  CHECK(comes_true([&] {
    result = assentctl(house, what);
    return result.end.exit_code == kDone;
  }));
  INFO(result.standard_output << result.standard_error);
}

void forget(House& house, const std::string& gtrid) {
  const auto result =
      assentctl(house, {"forget", gtrid, "--reason", "seen and put right, ticket 4711", "--yes"});
  INFO(result.standard_output << result.standard_error);
  CHECK(result.end.exit_code == kDone);
}

/// Nothing left for anybody to do.
void check_all_is_well(House& house) {
  CHECK(comes_true([&] { return pay(house).outcome == Outcome::kCommitted; }));
  const auto is_clean = [&] {
    const auto status = house.client().status();
    return status && status->ready && status->findings.empty() && status->damaged == 0;
  };
  CHECK(comes_true(is_clean));
  restart(house, "coordinator");  // and it stays so
  REQUIRE(house.wait_until_linked());
  CHECK(comes_true([&] { return pay(house).outcome == Outcome::kCommitted; }));
  CHECK(comes_true(is_clean));
  CHECK(house.becomes_quiet());
}

/// Its fence row has been told of all that is in the log now.
bool payments_is_told(House& house) {
  return comes_true([&] { return house.knows_log_top(house.client(), "payments"); });
}

/// So has the coordinator: the answer to a list may still be under way when its effect is seen, and
/// an agent that is stopped takes it along.
bool payments_has_answered(House& house) {
  using Steady = std::chrono::steady_clock;
  if (!payments_is_told(house)) return false;
  const auto told = Steady::now();
  return comes_true([&] {
    const auto asked = Steady::now();
    const auto list = house.client().participants();
    if (!list) return false;
    const auto has_answered = [&](const ParticipantSummary& participant) {
      const auto ago = participant.last_scan_ago;
      return participant.name == "payments" && ago.count() > 0 && ago < asked - told;
    };
    return std::any_of(list->participants.begin(), list->participants.end(), has_answered);
  });
}

/// What the newest copy of payments' database lacks.
struct Lost {
  std::string key;
  Gtrid gtrid;
};

Lost commit_behind_the_copy(House& house) {
  REQUIRE(pay(house).outcome == Outcome::kCommitted);  // so that our tables are in the copy
  house.sandbox().stop("agent-payments");
  house.database("payments").back_up();
  house.sandbox().start("agent-payments");
  REQUIRE(house.wait_until_linked());
  Lost lost;
  lost.key = house.fresh_key();
  const Answer answer = pay(house, lost.key);
  REQUIRE(answer.outcome == Outcome::kCommitted);
  lost.gtrid = *answer.gtrid;
  return lost;
}

}  // namespace

TEST_CASE("a database restored from before the prepare is quarantined, and what it lost is named") {
  House house(either_kind());
  INFO(house.setup().name);
  const Lost lost = commit_behind_the_copy(house);
  house.sandbox().stop("agent-payments");
  house.database("payments").restore();
  house.sandbox().start("agent-payments");
  CHECK(comes_true([&] { return is_damaged_at(house, lost.key, "payments"); }));
  CHECK(house.client().outcome_of(lost.key).outcome == Outcome::kCommitted);
  CHECK(needs_a_person(house, "quarantined"));

  // The others go on; it does not, whoever is restarted.
  CHECK(house.client().submit(of_points_alone(house, house.fresh_card())).outcome ==
        Outcome::kCommitted);
  for (const char* part : {"agent-payments", "coordinator", "agent-payments"}) {
    INFO(part);
    restart(house, part);
    CHECK(comes_true([&] { return needs_a_person(house, "quarantined"); }));
    CHECK(pay(house).outcome == Outcome::kRefused);
    CHECK(is_damaged_at(house, lost.key, "payments"));
  }

  allow(house, {"history", "--participant", "payments"});
  forget(house, to_string(lost.gtrid));
  check_all_is_well(house);
}

TEST_CASE("a dump loaded into a running database is noticed, and what it lost is named") {
  House house(either_kind());
  const bool agent_lives = GENERATE(true, false);
  INFO(house.setup().name << ", the agent lives: " << agent_lives);
  REQUIRE(pay(house).outcome == Outcome::kCommitted);
  REQUIRE(house.becomes_quiet());
  REQUIRE(payments_is_told(house));
  live::DatabaseServer& database = house.database("payments");
  const std::string dump = database.dump("payments");
  Lost lost;
  lost.key = house.fresh_key();
  const Answer answer = pay(house, lost.key);
  REQUIRE(answer.outcome == Outcome::kCommitted);
  lost.gtrid = *answer.gtrid;
  REQUIRE(payments_is_told(house));

  if (!agent_lives) house.sandbox().stop("agent-payments");
  database.query("payments", dump);
  if (!agent_lives) house.sandbox().start("agent-payments");
  CHECK(comes_true([&] { return needs_a_person(house, "quarantined"); }));
  CHECK(comes_true([&] { return is_damaged_at(house, lost.key, "payments"); }));
  CHECK(pay(house).outcome == Outcome::kRefused);
  CHECK(house.client().submit(of_points_alone(house, house.fresh_card())).outcome ==
        Outcome::kCommitted);

  allow(house, {"history", "--participant", "payments"});
  forget(house, to_string(lost.gtrid));
  check_all_is_well(house);
}

TEST_CASE("a database restored to between prepare and commit is told to commit again") {
  House house(either_kind());
  INFO(house.setup().name);
  const auto card = house.fresh_card();
  decided_and_untold(house, card);
  house.database("payments").back_up();  // with the branch prepared
  start_payments_again(house);
  CHECK(comes_true([&] { return house.left_behind().empty(); }));
  REQUIRE(house.paid(card) == 10);
  REQUIRE(payments_has_answered(house));

  house.sandbox().stop("agent-payments");
  house.database("payments").restore();
  house.sandbox().start("agent-payments");
  CHECK(comes_true([&] { return house.left_behind().empty(); }));
  CHECK(house.paid(card) == 10);

  // Its fence row has lost what it was told, so it may have lost more.
  CHECK(comes_true([&] { return needs_a_person(house, "quarantined"); }));
  CHECK(pay(house).outcome == Outcome::kRefused);
  allow(house, {"history", "--participant", "payments"});
  check_all_is_well(house);
}

TEST_CASE("a standby promoted without the newest commits is quarantined, and they are named") {
  House house(postgres_and_postgres());
  TemporaryFolder folder;
  live::PortLease port{1};
  live::DatabaseServer& primary = house.database("payments");
  live::DatabaseSpec spec;
  spec.name = "db-standby";
  spec.directory = folder.path() / "db";
  spec.log_file = folder.path() / "db.log";
  spec.port = port.first();
  spec.dies_with_owner = true;
  const std::string seen_key = house.fresh_key();
  REQUIRE(pay(house, seen_key).outcome == Outcome::kCommitted);
  const auto standby = live::make_postgres_standby(primary, spec);
  standby->start();
  live::wait_until_caught_up(*standby, primary);
  standby->stop();

  const std::string key = house.fresh_key();
  const Answer lost = pay(house, key);
  REQUIRE(lost.outcome == Outcome::kCommitted);
  const auto card = house.fresh_card();
  const std::string untold = decided_and_untold(house, card);  // prepared at the primary alone
  house.kill("db-payments", live::KillScope::kEverything);
  standby->start();
  live::promote(*standby);
  connect_agent_to(house, "payments", standby->odbc_connection("payments"));
  start_payments_again(house);

  CHECK(comes_true([&] { return is_damaged_at(house, key, "payments"); }));
  CHECK(comes_true([&] { return needs_a_person(house, "quarantined"); }));
  CHECK(house.client().outcome_of(key).outcome == Outcome::kCommitted);
  // Not what it had replayed; but the unfinished one, too.
  const std::string lost_here = "2 of its committed branches are lost or in hazard";
  CHECK(comes_true([&] { return needs_a_person(house, lost_here); }));
  CHECK(house.client().outcome_of(seen_key).damaged.empty());

  // Of the unfinished one nothing can be told there: the person says what became of it.
  CHECK(comes_true([&] {
    return assentctl(house, {"resolve", untold, "--rollback", "--participant", "payments",
                             "--reason", "not on the standby", "--yes"})
               .end.exit_code == kDone;
  }));
  const auto balance = [&](std::int64_t of) {
    return standby->query_value("payments",
                                "SELECT due FROM bill WHERE card_id = " + std::to_string(of) + ";");
  };
  CHECK(balance(card) == "1000");  // it was not applied by guess
  allow(house, {"history", "--participant", "payments"});
  forget(house, to_string(*lost.gtrid));
  forget(house, untold);
  const bool clean = comes_true([&] {
    const auto status = house.client().status();
    return status && status->findings.empty() && status->damaged == 0;
  });
  INFO(findings(house));
  CHECK(clean);
  CHECK(comes_true([&] { return pay(house).outcome == Outcome::kCommitted; }));
  house.sandbox().stop("agent-payments");
  standby->kill(live::KillScope::kEverything);
}

TEST_CASE("a participant pointed at another server gets no work, and what is unfinished waits") {
  House house(either_kind());
  INFO(house.setup().name);
  REQUIRE(pay(house).outcome == Outcome::kCommitted);
  const auto card = house.fresh_card();
  const std::string untold = decided_and_untold(house, card);
  live::DatabaseServer& database = house.database("payments");
  const std::string right = database.odbc_connection("payments");
  const bool same_server = GENERATE(true, false);
  CAPTURE(same_server);
  const TemporaryFolder folder;
  const live::PortLease port{1};
  const auto other =
      live::DatabaseServer::make(database.kind(), {.name = "db-elsewhere",
                                                   .directory = folder.path() / "db-elsewhere",
                                                   .log_file = folder.path() / "db-elsewhere.log",
                                                   .port = port.first(),
                                                   .settings = {},
                                                   .dies_with_owner = true});
  if (!same_server) {
    other->init();
    other->start();
  }
  live::DatabaseServer& wrong = same_server ? database : *other;
  wrong.create_database("elsewhere");
  connect_agent_to(house, "payments", wrong.odbc_connection("elsewhere"));
  start_payments_again(house);

  CHECK(comes_true([&] { return pay(house).outcome == Outcome::kRefused; }));
  const auto participants = assentctl(house, {"participants"});
  INFO(participants.standard_output);
  CHECK(comes_true([&] {
    return assentctl(house, {"show", untold}).standard_output.find("payments") != std::string::npos;
  }));
  CHECK(prepared_at(house, "payments") != "");  // nobody has ended it

  house.sandbox().stop("agent-payments");
  connect_agent_to(house, "payments", right);
  house.sandbox().start("agent-payments");
  CHECK(comes_true([&] { return house.left_behind().empty(); }));
  CHECK(house.paid(card) == 10);
  check_all_is_well(house);
  if (!same_server) other->kill(live::KillScope::kEverything);
}

TEST_CASE("two participants are never one database") {
  House house(postgres_and_postgres());
  REQUIRE(pay(house).outcome == Outcome::kCommitted);
  house.sandbox().stop("agent-payments");
  connect_agent_to(house, "payments", house.database("points").odbc_connection("points"));
  // The agent of `points` holds that database, so this one never gets to serve.
  house.sandbox().agent("payments").launch();
  CHECK(house.sandbox().agent("payments").wait_for_log({"another agent"}, kPatience));
  CHECK(pay(house).outcome == Outcome::kRefused);
  CHECK(house.client().submit(of_points_alone(house, house.fresh_card())).outcome ==
        Outcome::kCommitted);
}

TEST_CASE(
    "a branch that somebody rolled back after the decision is a damage until it is forgotten") {
  House house(either_kind());
  INFO(house.setup().name);
  const auto card = house.fresh_card();
  const std::string gtrid = decided_and_untold(house, card);
  end_by_hand(house, "payments", "ROLLBACK");
  start_payments_again(house);
  const auto is_damaged = [&] {
    const auto shown = assentctl(house, {"show", gtrid});
    return shown.standard_output.find("heuristic rollback") != std::string::npos;
  };
  CHECK(comes_true(is_damaged));
  CHECK(comes_true([&] { return needs_a_person(house, "No new work"); }));
  CHECK(pay(house).outcome == Outcome::kRefused);
  // Else the next opening can't tell it from what a database that was put back has lost.
  REQUIRE(payments_is_told(house));
  restart(house, "coordinator");
  REQUIRE(house.wait_until_linked());
  CHECK(comes_true(is_damaged));
  CHECK(pay(house).outcome == Outcome::kRefused);  // a restart allows nothing

  // What showed it is in the log.
  const std::string copy = house.sandbox().spec().directory / "copy";
  REQUIRE(assentctl(house, {"log", "backup", copy}).end.exit_code == kDone);
  const auto dump = assentctl(house, {"log", "dump", copy});
  INFO(dump.standard_output);
  CHECK_THAT(dump.standard_output, Catch::Contains("evidence="));

  CHECK(house.balance("payments", card) == 1000);
  house.database("payments")
      .query("payments",
             "UPDATE bill SET due = due - 10 WHERE card_id = " + std::to_string(card) + ";");
  allow(house, {"violation"});
  forget(house, gtrid);
  check_all_is_well(house);
}

TEST_CASE("a branch that somebody committed before the decision is told with the rollback") {
  House house(either_kind());
  INFO(house.setup().name);
  const auto card = house.fresh_card();
  const std::string key = house.fresh_key();
  house.sandbox().pause("agent-points");  // its vote is to be no, and late
  auto answer = std::async(std::launch::async, [&, client = house.connect()]() mutable {
    return client.submit(House::submission(house.payment(card, kTooManyPoints, key)));
  });
  CHECK(comes_true([&] { return prepared_at(house, "payments") != ""; }));
  end_by_hand(house, "payments", "COMMIT");
  house.sandbox().resume("agent-points");
  CHECK(answer.get().outcome == Outcome::kRolledBack);
  CHECK(comes_true([&] { return is_damaged_at(house, key, "payments"); }));
  CHECK(house.client().outcome_of(key).outcome == Outcome::kRolledBack);
  CHECK(comes_true([&] { return needs_a_person(house, "No new work"); }));

  house.database("payments")
      .query("payments",
             "UPDATE bill SET due = 1000 WHERE card_id = " + std::to_string(card) + ";");
  CHECK(house.paid(card) == 0);
  allow(house, {"violation"});
  forget(house, to_string(*house.client().outcome_of(key).gtrid));
  check_all_is_well(house);
}
