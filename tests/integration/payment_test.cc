// What a payment does and does not, on every combination of databases.

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_house.h"
#include "tests/integration/support_intruder.h"
#include "tests/integration/support_print_begin.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;
using assent::workload::Payment;

namespace {

House& each_house() {
  const auto setup = GENERATE(postgres_and_postgres(), postgres_and_mariadb(),
                              mariadb_and_mariadb(), three_participants());
  UNSCOPED_INFO(setup.name);
  return House::shared(setup);
}

std::string why(const Answer& answer) {
  return std::string(to_string(answer.outcome)) +
         (answer.error ? ": " + answer.error->message : "");
}

bool is(const Answer& answer, Outcome outcome, ErrorCode code) {
  return answer.outcome == outcome && answer.error && answer.error->code == code;
}

Step update(const std::string& participant, std::int64_t card) {
  const bool bills = participant == "payments";
  Step step;
  step.participant = participant;
  step.statement.sql = bills ? "UPDATE bill SET due = due - 1 WHERE card_id = ?"
                             : "UPDATE card SET points = points - 1 WHERE id = ?";
  step.statement.params = {card};
  return step;
}

}  // namespace

TEST_CASE("a payment commits in every database") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 30);

  const Answer answer = house.client().submit(House::submission(payment));

  INFO(why(answer));
  REQUIRE(answer.outcome == Outcome::kCommitted);
  CHECK(answer.applied);
  CHECK(answer.pending.empty());
  CHECK(answer.gtrid);
  REQUIRE(answer.results.size() == 2 * payment.legs.size());
  for (const auto& result : answer.results) CHECK(result.rows_affected == 1);
  CHECK(house.paid(card) == 30);
  CHECK(house.ledger_rows(payment.key) == static_cast<std::int64_t>(payment.legs.size()));
  CHECK(house.left_behind() == "");
}

TEST_CASE("a payment answered at its decision is applied soon after") {
  House& house = each_house();
  const auto card = house.fresh_card();
  Submission submission = House::submission(house.payment(card, 30));
  submission.wait = WaitFor::kDecided;

  CHECK(house.client().submit(submission).outcome == Outcome::kCommitted);

  CHECK(house.becomes_quiet());
  CHECK(house.paid(card) == 30);
}

// F 13: prepared with the others' work still to come, it would have let go of what it read.
TEST_CASE("a branch with shared locks is prepared when the work of all is done") {
  House& house = House::shared(postgres_and_mariadb());
  const auto card = house.fresh_card();
  Submission submission = House::submission(house.payment(card, 30));
  submission
      .step("payments", "SELECT due FROM bill WHERE card_id = ? LOCK IN SHARE MODE", {card + 1})
      .shared_reads();

  const Answer answer = house.client().submit(submission);

  INFO(why(answer));
  REQUIRE(answer.outcome == Outcome::kCommitted);
  CHECK(answer.results.back().rows.size() == 1);
  CHECK(house.paid(card) == 30);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a guard that is not met leaves every database untouched") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 101);

  const Answer answer = house.client().submit(House::submission(payment));

  INFO(why(answer));
  REQUIRE(is(answer, Outcome::kRolledBack, ErrorCode::kGuardNotMet));
  CHECK(answer.error->participant != "payments");
  CHECK(answer.error->step >= 0);
  CHECK(house.paid(card) == 0);
  CHECK(house.ledger_rows(payment.key) == 0);
  CHECK(house.client().outcome_of(payment.key).outcome == Outcome::kRolledBack);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a payment repeated under its key takes place once") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 10);

  const Answer first = house.client().submit(House::submission(payment));
  Client other = house.connect();
  const Answer repeat = other.submit(House::submission(payment));

  CHECK(first.outcome == Outcome::kCommitted);
  CHECK(repeat.outcome == Outcome::kCommitted);
  CHECK(repeat.gtrid == first.gtrid);
  CHECK(house.paid(card) == 10);
  CHECK(other.outcome_of(payment.key).outcome == Outcome::kCommitted);
}

TEST_CASE("a payment that was rolled back stays rolled back under its key") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 60);
  REQUIRE(house.client().submit(House::submission(house.payment(card, 60))).outcome ==
          Outcome::kCommitted);
  REQUIRE(house.client().submit(House::submission(payment)).outcome == Outcome::kRolledBack);

  house.database("points").query(
      "points", "UPDATE card SET points = 100 WHERE id = " + std::to_string(card) + ";");
  const Answer repeat = house.client().submit(House::submission(payment));

  INFO(why(repeat));
  CHECK(repeat.outcome == Outcome::kRolledBack);
  CHECK(house.balance("points", card) == 100);
}

TEST_CASE("a duplicate key rolls everything back and names the database's code") {
  House& house = each_house();
  const auto card = house.fresh_card();
  Submission submission = House::submission(house.payment(card, 10));
  submission.step("payments", "INSERT INTO bill VALUES (?, 0)", {card});

  const Answer answer = house.client().submit(submission);

  INFO(why(answer));
  REQUIRE(is(answer, Outcome::kRolledBack, ErrorCode::kStatementFailed));
  CHECK(answer.error->sqlstate.substr(0, 2) == "23");
  CHECK(answer.error->participant == "payments");
  CHECK(house.paid(card) == 0);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a participant that only reads needs no second phase") {
  House& house = each_house();
  const auto card = house.fresh_card();
  Submission submission{.key = house.fresh_key()};
  submission.step("points", "SELECT points FROM card WHERE id = ?", {card})
      .expect_rows(1)
      .read_only();
  submission.step("payments", "UPDATE bill SET due = due - 1 WHERE card_id = ?", {card});

  const Answer answer = house.client().submit(submission);

  INFO(why(answer));
  REQUIRE(answer.outcome == Outcome::kCommitted);
  REQUIRE(answer.results.size() == 2);
  REQUIRE(answer.results[0].rows.size() == 1);
  CHECK(answer.results[0].rows[0] == std::vector<Value>{std::int64_t{100}});
  CHECK(house.balance("payments", card) == 999);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a transaction that only reads is committed, and its key remembered") {
  House& house = each_house();
  Submission submission{.key = house.fresh_key()};
  for (const auto& participant : house.setup().participants)
    submission.step(participant.name, "SELECT count(*) FROM ledger").read_only();

  CHECK(house.client().submit(submission).outcome == Outcome::kCommitted);
  CHECK(house.client().outcome_of(submission.key).outcome == Outcome::kCommitted);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a step declared read-only cannot write") {
  House& house = each_house();
  const auto card = house.fresh_card();
  Submission submission{.key = house.fresh_key()};
  submission.step("points", "UPDATE card SET points = 0 WHERE id = ?", {card}).read_only();
  submission.step("payments", "UPDATE bill SET due = 0 WHERE card_id = ?", {card});

  const Answer answer = house.client().submit(submission);

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRolledBack);
  CHECK(house.paid(card) == 0);
  CHECK(house.left_behind() == "");
}

TEST_CASE("an interactive transaction reads its rows and commits everywhere") {
  House& house = each_house();
  const auto card = house.fresh_card();
  auto transaction = house.client().begin(house.fresh_key());
  REQUIRE(transaction);
  const auto rows =
      transaction->execute("points", "SELECT points FROM card WHERE id = ? FOR UPDATE", {card});
  REQUIRE(rows);
  CHECK(rows->rows == std::vector<std::vector<Value>>{{std::int64_t{100}}});
  for (const auto& participant : house.setup().participants)
    REQUIRE(transaction->execute(update(participant.name, card)));

  CHECK(house.paid(card) == 0);
  const Answer answer = transaction->commit();

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kCommitted);
  CHECK(answer.applied);
  CHECK(house.paid(card) == 1);
  CHECK(house.left_behind() == "");
}

TEST_CASE("an interactive transaction rolls back everywhere") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const bool dropped = GENERATE(false, true);
  auto client = house.connect();
  {
    auto transaction = client.begin();
    REQUIRE(transaction);
    for (const auto& participant : house.setup().participants)
      REQUIRE(transaction->execute(update(participant.name, card)));
    if (!dropped) CHECK(transaction->rollback().outcome == Outcome::kRolledBack);
  }
  CHECK(house.left_behind() == "");
  CHECK(house.paid(card) == 0);
}

TEST_CASE("a failed statement dooms an interactive transaction") {
  House& house = each_house();
  const auto card = house.fresh_card();
  auto transaction = house.client().begin();
  REQUIRE(transaction);
  REQUIRE(transaction->execute(update("points", card)));
  CHECK(transaction->execute("payments", "UPDATE nowhere SET due = 0").has_error());
  CHECK(transaction->execute(update("payments", card)).has_error());

  const Answer answer = transaction->commit();

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRolledBack);
  CHECK(house.paid(card) == 0);
  CHECK(house.left_behind() == "");
}

TEST_CASE("payments that deadlock across databases all finish") {
  House& house = each_house();
  const auto card = house.fresh_card();
  int left = 80;
  live::PayersSpec spec;
  spec.coordinator = house.sandbox().coordinator_address();
  live::Payers payers(spec, [&]() -> std::optional<Payment> {
    if (left == 0) return std::nullopt;
    --left;
    return house.payment(card, 1);
  });

  const auto history = payers.finish();

  CHECK(history.count(workload::Verdict::kCommitted) == 80);
  CHECK(house.paid(card) == 80);
  CHECK(house.left_behind() == "");
}

TEST_CASE("payments that take two rows in opposite orders all finish") {
  House& house = each_house();
  const auto first = house.fresh_card();
  const auto second = house.fresh_card();
  constexpr int kRounds = 10;
  const auto pay = [&](std::int64_t one, std::int64_t other, const std::string& name) {
    Client client = house.connect();
    int committed = 0;
    for (int round = 0; round < kRounds; ++round) {
      Submission submission{.key = name + std::to_string(first) + "-" + std::to_string(round)};
      for (const auto& participant : house.setup().participants)
        submission.steps.insert(submission.steps.end(),
                                {update(participant.name, one), update(participant.name, other)});
      Answer answer;
      // A conflict may come back to the caller, whose turn it then is.
      const bool over = comes_true([&] {
        answer = client.submit(submission);
        return answer.outcome != Outcome::kRefused;
      });
      if (over && answer.outcome == Outcome::kCommitted) ++committed;
    }
    return committed;
  };

  int committed_there = 0;
  std::thread there([&] { committed_there = pay(first, second, "there-"); });
  const int committed_back = pay(second, first, "back-");
  there.join();

  CHECK(committed_there == kRounds);
  CHECK(committed_back == kRounds);
  CHECK(house.paid(first) == 2 * kRounds);
  CHECK(house.paid(second) == 2 * kRounds);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a deadlock of interactive transactions ends, and its victim is told why") {
  House& house = each_house();
  const auto card = house.fresh_card();
  Client other_client = house.connect();
  auto one = house.client().begin();
  auto other = other_client.begin();
  REQUIRE(one);
  REQUIRE(other);
  REQUIRE(one->execute(update("points", card)));
  REQUIRE(other->execute(update("payments", card)));

  const auto blocked = one->execute(update("payments", card));
  REQUIRE(blocked.has_error());
  CHECK(blocked.error().code == ErrorCode::kConflict);
  CHECK(blocked.error().participant == "payments");
  // Without effect, and a conflict leaves the key free (R15).
  CHECK(is(one->rollback(), Outcome::kRefused, ErrorCode::kConflict));

  CHECK(other->execute(update("points", card)));
  CHECK(other->commit().outcome == Outcome::kCommitted);
  CHECK(house.balance("points", card) == 99);
  CHECK(house.balance("payments", card) == 999);
  CHECK(house.left_behind() == "");
}

TEST_CASE("a submit that meets a lock waits for it in order, and commits") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 10);
  Answer answer;
  {
    const Intruder intruder(house, card, 1);
    answer = house.client().submit(House::submission(payment));
  }
  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kCommitted);
  CHECK(house.paid(card) == 10);
  CHECK(house.ledger_rows(payment.key) == static_cast<std::int64_t>(payment.legs.size()));
}

TEST_CASE("a submit that meets a lock for too long is refused, and its key stays free") {
  House& house = each_house();
  const auto card = house.fresh_card();
  const Payment payment = house.payment(card, 10);
  Answer answer;
  {
    const Intruder intruder(house, card, 60);
    answer = house.client().submit(House::submission(payment));
  }
  INFO(why(answer));
  // Whichever ends first: the wait for the lock, or the time that the call has.
  const bool told_why = is(answer, Outcome::kRefused, ErrorCode::kConflict) ||
                        is(answer, Outcome::kRefused, ErrorCode::kTimeout);
  CHECK(told_why);
  CHECK(house.paid(card) == 0);
  CHECK(house.client().submit(House::submission(payment)).outcome == Outcome::kCommitted);
  CHECK(house.paid(card) == 10);
  CHECK(house.left_behind() == "");
}
