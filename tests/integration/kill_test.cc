// SIGKILL of the databases at every step of a payment, of coordinator and agents at those that
// matter most (tests/crash goes through all of their crash points). Afterwards, each time: both or
// neither, every acknowledged outcome kept, nothing prepared, no lock left. One house of PostgreSQL
// and MariaDB lives through all of it; others through the steps that matter most.

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_intruder.h"
#include "tests/integration/support_till.h"

using namespace assent;
using namespace assent::testing;
using namespace std::chrono_literals;

namespace {

constexpr int kPayments = 24;

Till& till() {
  static Till till(postgres_and_mariadb());
  return till;
}

live::Service& service(Till& till, const std::string& name) {
  if (name == "coordinator") return till.sandbox().coordinator();
  return till.sandbox().agent(name.substr(std::string("agent-").size()));
}

/// Starts the service so that it dies at the point, and pays until it did: false if it did not.
bool dies_at(Till& till, const std::string& name, const std::string& point, int count,
             const live::Payers& payers) {
  live::Service& victim = service(till, name);
  till.house().kill(name);
  victim.launch({{"ASSENT_CRASH_POINT", point + ":" + std::to_string(count)}});
  const bool over = comes_true([&] { return !victim.is_running() || payers.is_done(); });
  // What follows the last answer, such as the end record, may still come to the point.
  return over && victim.wait_for_end(2s);
}

void start_again(Till& till, const std::string& name) {
  till.house().kill(name);
  till.sandbox().start(name);
}

void kill_and_start_database(Till& till, const std::string& participant) {
  const std::string name = "db-" + participant;
  till.house().kill(name, live::KillScope::kEverything);
  till.sandbox().start(name);
}

void kill_at(Till& till, const std::string& name, const std::string& point, int count) {
  INFO(name << " killed at " << point << ", passing " << count);
  const auto payers = till.pay(kPayments);
  const bool died = dies_at(till, name, point, count, *payers);
  start_again(till, name);
  CHECK(till.settle_up(*payers) == "");
  CHECK(died);
}

/// The step is the agent's; its database dies with it, as when their machine does.
void kill_with_database_at(Till& till, const std::string& participant, const std::string& point) {
  INFO("agent and database of " << participant << " killed at " << point);
  const auto payers = till.pay(kPayments);
  CHECK(dies_at(till, "agent-" + participant, point, 3, *payers));
  kill_and_start_database(till, participant);
  start_again(till, "agent-" + participant);
  CHECK(till.settle_up(*payers) == "");
}

void kill_everything(Till& till) {
  const auto payers = till.pay(kPayments);
  CHECK(comes_true([&] { return payers->counts().answered > 6; }));
  for (const auto& name : till.sandbox().names()) till.house().kill(name);
  till.sandbox().start_all();
  CHECK(till.settle_up(*payers) == "");
}

/// A branch that was reported committed and was not keeps its locks, and is prepared again only
/// when its database starts again (F 9).
void restart_databases(Till& till) {
  for (const auto& participant : till.house().setup().participants) {
    live::DatabaseServer& database = till.house().database(participant.name);
    if (database.pid() != 0) database.restart();
  }
  const auto payers = till.pay(kPayments);
  CHECK(till.settle_up(*payers) == "");
}

}  // namespace

TEST_CASE("a database is killed while the coordinator is dead at a step of a payment") {
  for (const char* point :
       {"coordinator.work.sent", "coordinator.vote.received", "coordinator.commit_record.before",
        "coordinator.durable.received", "coordinator.commit.before_send", "coordinator.commit.sent",
        "coordinator.committed.received"}) {
    for (const char* participant : {"points", "payments"}) {
      INFO("db-" << participant << " killed after " << point);
      const auto payers = till().pay(kPayments);
      CHECK(dies_at(till(), "coordinator", point, 3, *payers));
      kill_and_start_database(till(), participant);
      start_again(till(), "coordinator");
      CHECK(till().settle_up(*payers) == "");
    }
  }
}

TEST_CASE("a database is killed between vote and commit, while the coordinator stands still") {
  for (const char* participant : {"points", "payments"}) {
    INFO("db-" << participant);
    const auto payers = till().pay(kPayments);
    CHECK(comes_true([&] { return payers->counts().answered > 4; }));
    till().sandbox().pause("coordinator");
    kill_and_start_database(till(), participant);
    till().sandbox().resume("coordinator");
    CHECK(till().settle_up(*payers) == "");
  }
}

TEST_CASE("a database is killed before any work, and under load") {
  for (const char* participant : {"points", "payments"}) {
    for (const std::uint64_t answered : {0, 3, 9}) {
      INFO("db-" << participant << " killed after " << answered << " answers");
      const std::string database = std::string("db-") + participant;
      if (answered == 0) till().house().kill(database);
      const auto payers = till().pay(kPayments);
      CHECK(comes_true([&] { return payers->counts().answered >= answered; }));
      start_again(till(), database);
      CHECK(till().settle_up(*payers) == "");
    }
  }
}

TEST_CASE("an agent and its database are killed together at a step of a payment") {
  for (const char* point :
       {"agent.work.before", "agent.work.after", "agent.vote.before_send", "agent.commit.before",
        "agent.commit.after", "agent.finished.before_send"}) {
    for (const char* participant : {"points", "payments"})
      kill_with_database_at(till(), participant, point);
  }
}

TEST_CASE("everything is killed at once") {
  kill_everything(till());
}

// F 8: the database goes on with the dead agent's statement, and would prepare it when the lock is
// free, long after the coordinator gave the payment up.
TEST_CASE("F 8: an agent killed while its work waits for a lock leaves no zombie") {
  House& house = till().house();
  const auto card = house.fresh_card();
  Answer answer;
  {
    const Intruder intruder(house, card, 3);
    std::thread caller([&] {
      Client client = house.connect();
      Submission submission{.key = "zombie"};
      submission.step("points", "UPDATE card SET points = points - 0 WHERE id = ?", {card});
      submission.step("payments", "UPDATE bill SET due = due - 0 WHERE card_id = ?", {card});
      answer = client.submit(submission);
    });
    CHECK(comes_true([&] {
      const auto list = house.client().transactions();
      return list && !list->transactions.empty();
    }));
    start_again(till(), "agent-points");
    caller.join();
  }
  house.mend();
  CHECK(house.left_behind() == "");
  const Answer later = house.client().outcome_of("zombie");
  const bool known = later.outcome == Outcome::kCommitted || later.outcome == Outcome::kRolledBack;
  if (answer.outcome != Outcome::kRefused && answer.outcome != Outcome::kUnknown) {
    CHECK(known);
    CHECK(later.outcome == answer.outcome);
  }
}

// After all of the above.
TEST_CASE("F 9: nothing comes back when both databases start again") {
  restart_databases(till());
}

TEST_CASE("kills on other databases, at the steps that matter most") {
  const Setup setup =
      GENERATE(postgres_and_postgres(), mariadb_and_mariadb(), three_participants());
  INFO(setup.name);
  Till till(setup);
  for (const char* point : {"coordinator.durable.received", "coordinator.commit.sent"})
    kill_at(till, "coordinator", point, 1);
  for (const auto& participant : setup.participants) {
    kill_at(till, "agent-" + participant.name, "agent.commit.before", 1);
    kill_with_database_at(till, participant.name, "agent.vote.before_send");
    kill_with_database_at(till, participant.name, "agent.commit.after");
  }
  kill_everything(till);
  restart_databases(till);
}
