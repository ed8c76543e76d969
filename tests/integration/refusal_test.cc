// Requests that must not have an effect: each gets an error that says what is wrong, and reaches no
// database or leaves it as it was.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_house.h"
#include "tests/integration/support_program.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

/// Both databases write down every statement that reaches them.
House& house() {
  static House house(postgres_and_mariadb(), [](live::SandboxSpec& spec) {
    spec.database_settings["points"]["log_statement"] = "'all'";
    spec.database_settings["payments"]["general_log"] = "ON";
    spec.database_settings["payments"]["general_log_file"] = "statements.log";
  });
  return house;
}

std::string statements_seen(const std::string& participant) {
  if (participant == "points") return text_of(house().database("points").spec().log_file);
  static const std::string file =
      house()
          .database("payments")
          .query_value("payments", "SELECT concat(@@datadir, @@general_log_file);");
  return text_of(file);
}

std::string why(const Answer& answer) {
  return std::string(to_string(answer.outcome)) +
         (answer.error ? ": " + answer.error->message : "");
}

bool has_error(const Answer& answer, ErrorCode code) {
  return answer.error && answer.error->code == code && !answer.error->message.empty();
}

const char* kLower = "UPDATE card SET points = points - ? WHERE id = ?";
const char* kPay = "UPDATE bill SET due = due - ? WHERE card_id = ?";

/// Half of a payment that is in order; the test adds the half that is not.
Submission good_half(std::int64_t card) {
  Submission submission{.key = house().fresh_key()};
  submission.step("points", kLower, {1, card});
  return submission;
}

}  // namespace

TEST_CASE("an unknown participant is refused by name") {
  const auto card = house().fresh_card();
  Submission submission = good_half(card);
  submission.step("nowhere", "UPDATE card SET points = 0");

  const Answer answer = house().client().submit(submission);

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRefused);
  CHECK(has_error(answer, ErrorCode::kUnknownParticipant));
  CHECK(answer.error->participant == "nowhere");
  CHECK(house().paid(card) == 0);
  CHECK(house().client().outcome_of(submission.key).outcome == Outcome::kNoRecord);
}

TEST_CASE("a statement that the database refuses comes back with its SQLSTATE") {
  const auto card = house().fresh_card();
  struct Case {
    const char* participant;
    const char* sql;
    const char* sqlstate;
  };
  const auto each = GENERATE(Case{"points", "UPDATE nowhere SET points = 0", "42P01"},
                             Case{"points", "UPDATE card SET", "42601"},
                             Case{"points", "UPDATE card SET points = -1", "23514"},
                             Case{"payments", "UPDATE nowhere SET due = 0", "42S02"},
                             Case{"payments", "UPDATE bill SET", "42000"},
                             Case{"payments", "UPDATE bill SET due = -1", "23000"});
  Submission submission{.key = house().fresh_key()};
  submission.step("points", kLower, {1, card});
  submission.step("payments", kPay, {1, card});
  submission.step(each.participant, each.sql);

  const Answer answer = house().client().submit(submission);

  INFO(each.sql << ": " << why(answer));
  CHECK(answer.outcome == Outcome::kRolledBack);
  REQUIRE(has_error(answer, ErrorCode::kStatementFailed));
  CHECK(answer.error->sqlstate == each.sqlstate);
  CHECK(answer.error->participant == each.participant);
  CHECK(house().paid(card) == 0);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a wrong number or type of parameters rolls back") {
  const auto card = house().fresh_card();
  const auto participant = GENERATE(std::string("points"), std::string("payments"));
  const auto params =
      GENERATE(std::vector<Value>{}, std::vector<Value>{std::int64_t{1}},
               std::vector<Value>{std::int64_t{1}, std::int64_t{1}, std::int64_t{1}},
               std::vector<Value>{std::string("a few"), std::int64_t{1}});
  Submission submission{.key = house().fresh_key()};
  submission.step("points", kLower, {1, card});
  submission.step("payments", kPay, {1, card});
  submission.step(participant, participant == "points" ? kLower : kPay, params);

  const Answer answer = house().client().submit(submission);

  INFO(participant << " with " << params.size() << " parameters: " << why(answer));
  const bool without_effect =
      answer.outcome == Outcome::kRolledBack || answer.outcome == Outcome::kRefused;
  CHECK(without_effect);
  CHECK(answer.error);
  CHECK(house().paid(card) == 0);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a statement that is not allowed never reaches the database") {
  const auto card = house().fresh_card();
  const auto participant = GENERATE(std::string("points"), std::string("payments"));
  const auto text = GENERATE(
      std::string("COMMIT"), std::string("/* hidden */ COMMIT"), std::string("-- hidden\nCOMMIT"),
      std::string("ROLLBACK"), std::string("SELECT 1; COMMIT"),
      std::string("SELECT 1; PREPARE TRANSACTION 'x'"), std::string("/*! COMMIT */"),
      std::string("/*M! COMMIT */"), std::string("XA COMMIT 'x'"), std::string("BEGIN"),
      std::string("SET autocommit = 1"), std::string("CALL pay()"),
      std::string("DROP TABLE ledger"), std::string("END; COMMIT"),
      std::string("SELECT 'a'; END; COMMIT; --"), std::string(""), std::string("   "),
      std::string(";"));
  const std::string marker = "marker_" + house().fresh_key();
  Submission submission = good_half(card);
  submission.step(participant, text + " -- " + marker);

  const Answer answer = house().client().submit(submission);

  INFO(participant << ": " << text << ": " << why(answer));
  CHECK(answer.outcome == Outcome::kRefused);
  CHECK(has_error(answer, ErrorCode::kStatementNotAllowed));
  CHECK(statements_seen(participant).find(marker) == std::string::npos);
  CHECK(house().paid(card) == 0);
  CHECK(house().left_behind() == "");
}

// PostgreSQL takes it for a comment, and does not mind.
TEST_CASE("a MariaDB comment that is code never reaches MariaDB") {
  const auto text = GENERATE(std::string("SELECT 1 /*! ; COMMIT */"),
                             std::string("SELECT 1 /*M!100000 , SLEEP(1) */"),
                             std::string("UPDATE bill SET /*!40000 due = 0 WHERE 1 = 0 */"));
  const auto card = house().fresh_card();
  Submission submission = good_half(card);
  submission.step("payments", text);

  const Answer answer = house().client().submit(submission);

  INFO(text << ": " << why(answer));
  CHECK(answer.outcome == Outcome::kRefused);
  CHECK(has_error(answer, ErrorCode::kStatementNotAllowed));
  CHECK(house().paid(card) == 0);
}

// The other half of the story before: what is allowed would have been seen.
TEST_CASE("a statement that is allowed is seen by the database") {
  const auto participant = GENERATE(std::string("points"), std::string("payments"));
  const std::string marker = "marker_" + house().fresh_key();
  Submission submission{.key = house().fresh_key()};
  submission.step(participant, "SELECT '" + marker + "'");
  INFO(participant);
  CHECK(house().client().submit(submission).outcome == Outcome::kCommitted);
  CHECK(comes_true([&] { return statements_seen(participant).find(marker) != std::string::npos; }));
}

TEST_CASE("a key used again for something else is refused") {
  const auto card = house().fresh_card();
  const auto payment = house().payment(card, 10);
  REQUIRE(house().client().submit(House::submission(payment)).outcome == Outcome::kCommitted);
  Submission other = House::submission(payment);
  other.steps.front().statement.params.front() = std::int64_t{20};

  const Answer answer = house().client().submit(other);

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRefused);
  CHECK(has_error(answer, ErrorCode::kKeyReused));
  CHECK(house().paid(card) == 10);
  CHECK(house().client().outcome_of(payment.key).outcome == Outcome::kCommitted);
}

TEST_CASE("a settled key is rolled back for good") {
  const auto card = house().fresh_card();
  const auto payment = house().payment(card, 10);
  CHECK(house().client().outcome_of(payment.key).outcome == Outcome::kNoRecord);
  CHECK(house().client().settle(payment.key).outcome == Outcome::kRolledBack);

  const Answer answer = house().client().submit(House::submission(payment));

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRolledBack);
  CHECK(house().paid(card) == 0);
  CHECK(house().client().settle(payment.key).outcome == Outcome::kRolledBack);
}

TEST_CASE("a request beyond its bounds is refused before it is looked at") {
  const auto card = house().fresh_card();
  const auto which = GENERATE(0, 1, 2, 3, 4);
  Submission submission = good_half(card);
  if (which == 0) submission.key = std::string(kKeyBytesMax + 1, 'k');
  if (which == 1) submission.step("points", "SELECT '" + std::string(kSqlBytesMax, 'x') + "'");
  if (which == 2) submission.steps.resize(kStepsMax + 1, submission.steps.front());
  if (which == 3)
    submission.step("points", "SELECT 1", std::vector<Value>(kParamsMax + 1, std::int64_t{1}));
  if (which == 4) submission.steps.clear();

  const Answer answer = house().client().submit(submission);

  INFO("case " << which << ": " << why(answer));
  CHECK(answer.outcome == Outcome::kRefused);
  CHECK(has_error(answer, ErrorCode::kInvalid));
  CHECK(house().paid(card) == 0);
}

TEST_CASE("a statement that returns too many rows fails") {
  const auto participant = GENERATE(std::string("points"), std::string("payments"));
  const auto card = house().fresh_card();
  Submission submission = good_half(card);
  submission.step(participant,
                  participant == "points" ? "SELECT * FROM card" : "SELECT * FROM bill");

  const Answer answer = house().client().submit(submission);

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kRolledBack);
  CHECK(answer.error);
  CHECK(house().paid(card) == 0);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a payment past its not_after is expired") {
  const auto card = house().fresh_card();
  Submission submission = House::submission(house().payment(card, 10));
  submission.not_after = WallTime{read_clocks().wall.ms_since_epoch - 1'000};

  const Answer answer = house().client().submit(submission);

  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kExpired);
  CHECK(house().paid(card) == 0);
}
