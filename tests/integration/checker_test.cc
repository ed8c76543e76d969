// The judge of the live tests is itself judged: each kind of damage is planted once and must be
// named, and a run without damage must not be blamed.

#include "chaos/workload/checker.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/workload/durability.h"
#include "chaos/workload/health.h"
#include "chaos/workload/log_evidence.h"
#include "chaos/workload/payment.h"

using namespace assent::workload;
using assent::Answer;
using assent::Duration;
using assent::Instant;
using assent::Outcome;

namespace {

Evidence untouched() {
  const std::map<std::int64_t, std::int64_t> points{{1, 100}, {2, 100}};
  const std::map<std::int64_t, std::int64_t> due{{1, 1000}, {2, 1000}};
  return {{"points", points, {}, {}, {}}, {"payments", due, {}, {}, {}}};
}

// One run: what callers were told, and what the databases hold.
struct Run {
  Evidence before = untouched();
  Evidence after = untouched();
  History history;
  Instant now;

  Run& told(const std::string& key, Outcome outcome) {
    Answer answer;
    answer.outcome = outcome;
    const Instant asked = now;
    now = now + std::chrono::milliseconds(1);
    history.note(point_payment(key, 1, 10), asked, now, answer);
    now = now + std::chrono::milliseconds(1);
    return *this;
  }

  Run& applied(const std::string& key, std::size_t participant, std::int64_t amount = 10) {
    after[participant].balances[1] -= amount;
    after[participant].ledger.push_back({key, 1, amount});
    return *this;
  }

  Run& applied_everywhere(const std::string& key) { return applied(key, 0).applied(key, 1); }

  std::vector<std::string> broken() const {
    std::vector<std::string> invariants;
    for (const Violation& each : check(before, history, after))
      invariants.push_back(each.invariant);
    return invariants;
  }

  bool breaks(const std::string& invariant) const {
    const auto all = broken();
    return std::find(all.begin(), all.end(), invariant) != all.end();
  }
};

}  // namespace

TEST_CASE("nothing is wrong with a run where all is well") {
  Run run;
  run.told("a", Outcome::kCommitted).applied_everywhere("a");
  run.told("b", Outcome::kRolledBack);
  run.told("c", Outcome::kRefused).told("c", Outcome::kCommitted).applied_everywhere("c");
  run.told("d", Outcome::kUnknown).told("d", Outcome::kCommitted).applied_everywhere("d");
  run.told("e", Outcome::kUnknown);
  run.told("f", Outcome::kUnknown).applied_everywhere("f");
  CHECK(run.broken().empty());
  CHECK(run.history.open().size() == 2);
  CHECK(run.history.count(Verdict::kCommitted) == 3);
}

TEST_CASE("a refusal does not close what an earlier call left open") {
  Run run;
  run.told("a", Outcome::kUnknown).told("a", Outcome::kRefused).applied_everywhere("a");
  CHECK(run.broken().empty());
  CHECK(run.history.open().size() == 1);
}

TEST_CASE("a key that was refused, and then not known, is closed") {
  Run run;
  run.told("a", Outcome::kRefused).told("a", Outcome::kNoRecord);
  CHECK(run.history.open().empty());
  run.told("b", Outcome::kUnknown).told("b", Outcome::kNoRecord);
  CHECK(run.history.open().size() == 1);
  CHECK(run.applied_everywhere("a").breaks("I3"));
}

TEST_CASE("half a payment is named, whatever its caller was told") {
  const Outcome outcome =
      GENERATE(Outcome::kCommitted, Outcome::kRolledBack, Outcome::kUnknown, Outcome::kRefused);
  CHECK(Run().told("a", outcome).applied("a", 0).breaks("I1"));
}

TEST_CASE("a lost acknowledged payment is named") {
  CHECK(Run().told("a", Outcome::kCommitted).breaks("I2"));
}

TEST_CASE("a payment with another amount than was asked is named") {
  CHECK(Run().told("a", Outcome::kCommitted).applied("a", 0, 9).applied("a", 1).breaks("I2"));
}

TEST_CASE("a rolled back or refused payment that took place is named") {
  const Outcome outcome = GENERATE(Outcome::kRolledBack, Outcome::kRefused);
  CHECK(Run().told("a", outcome).applied_everywhere("a").breaks("I3"));
}

TEST_CASE("a payment that nobody asked for is named") {
  CHECK(Run().applied_everywhere("a").breaks("I3"));
}

TEST_CASE("money that no ledger explains is named") {
  Run run;
  run.after[0].balances[2] -= 1;
  CHECK(run.breaks("I4"));
}

TEST_CASE("a balance below zero is named") {
  Run run;
  run.after[0].balances[2] = -1;
  CHECK(run.breaks("I4"));
}

TEST_CASE("a card that vanished is named") {
  Run run;
  run.after[0].balances.erase(2);
  CHECK(run.breaks("I4"));
}

TEST_CASE("a payment applied twice is named") {
  Run run;
  run.told("a", Outcome::kCommitted).applied_everywhere("a").applied_everywhere("a");
  CHECK(run.breaks("I5"));
}

TEST_CASE("two answers, or a forgotten one, are named") {
  CHECK(Run().told("a", Outcome::kCommitted).told("a", Outcome::kRolledBack).breaks("I6"));
  CHECK(Run().told("a", Outcome::kRolledBack).told("a", Outcome::kNoRecord).breaks("I6"));
  CHECK_FALSE(Run().told("a", Outcome::kNoRecord).told("a", Outcome::kRolledBack).breaks("I6"));
}

TEST_CASE("what is left behind is named") {
  Run run;
  run.after[0].prepared = {"assent_1"};
  run.after[1].locked = {"bill 7"};
  CHECK(run.breaks("L1"));
  CHECK(run.breaks("L2"));
}

// ---- what the log and the injected causes say besides

namespace {

const std::string kFirst = "0123456789abcdef-1-1";
const std::string kSecond = "0123456789abcdef-1-2";

LogRecord decided(std::uint64_t number, LogRecord::Kind kind, const std::string& gtrid,
                  const std::string& key) {
  return {number, kind, gtrid, key, ""};
}

/// "a" is committed and "b" rolled back, everywhere alike.
struct Logged {
  Run run;
  LogEvidence log;
  Injected injected;

  Logged() {
    run.told("a", Outcome::kCommitted).applied_everywhere("a");
    run.told("b", Outcome::kRolledBack);
    log.records = {{1, LogRecord::Kind::kOther, "", "", ""},
                   decided(2, LogRecord::Kind::kCommit, kFirst, "a"),
                   decided(3, LogRecord::Kind::kRollback, kSecond, "b")};
    log.witnesses = {{"payments", kFirst}};
  }

  std::vector<std::string> broken() const {
    std::vector<std::string> invariants;
    const Damaged damaged = damaged_by_hand(log, injected);
    for (const auto& each : check_log(log, run.history, run.after, damaged))
      invariants.push_back(each.invariant);
    for (const auto& each : check_injected(log, injected, run.after))
      invariants.push_back(each.invariant);
    for (const auto& each : check_rows(run.history, run.after, damaged))
      invariants.push_back(each.invariant);
    return invariants;
  }
  bool breaks(const std::string& invariant) const {
    const auto all = broken();
    return std::find(all.begin(), all.end(), invariant) != all.end();
  }
};

}  // namespace

TEST_CASE("nothing is wrong with a log that says what was told") {
  CHECK(Logged().broken().empty());
}

TEST_CASE("a log that contradicts what was told or stands is named") {
  Logged logged;
  SECTION("a record is missing") {
    logged.log.records.back().number = 4;
  }
  SECTION("its own verification finds something") {
    logged.log.wrong = {"the chain is broken"};
  }
  SECTION("two decisions for a gtrid") {
    logged.log.records.push_back(decided(4, LogRecord::Kind::kRollback, kFirst, ""));
  }
  SECTION("two decisions for a key") {
    logged.log.records.push_back(
        decided(4, LogRecord::Kind::kRollback, "0123456789abcdef-1-3", "a"));
  }
  SECTION("told committed, logged rolled back") {
    logged.log.records[1].kind = LogRecord::Kind::kRollback;
  }
  SECTION("told rolled back, and nothing logged") {
    logged.log.records.pop_back();
  }
  SECTION("in the ledgers, and nothing logged") {
    logged.run.applied_everywhere("c");
  }
  SECTION("logged, and in no ledger") {
    logged.run.told("c", Outcome::kUnknown);
    logged.log.records.push_back(decided(4, LogRecord::Kind::kCommit, "0123456789abcdef-1-3", "c"));
  }
  SECTION("a witness row of what was rolled back") {
    logged.log.witnesses.push_back({"payments", kSecond});
  }
  SECTION("a witness row of what nobody decided") {
    logged.log.witnesses.push_back({"payments", "0123456789abcdef-1-3"});
  }
  CHECK(logged.breaks("I7"));
}

TEST_CASE("a foreign branch that is gone is named") {
  Logged logged;
  logged.run.after[0].prepared = {"theirs"};
  logged.injected.foreign = {{"points", "theirs", false}, {"points", "ended", true}};
  CHECK(logged.broken().empty());
  CHECK(check_left_behind(logged.run.after, logged.injected.foreign).empty());
  logged.run.after[0].prepared.clear();
  CHECK(logged.breaks("I11"));
  logged.run.after[1].prepared = {"theirs"};  // of that name, but elsewhere
  CHECK(check_left_behind(logged.run.after, logged.injected.foreign).size() == 1);
}

TEST_CASE("a heuristic outcome needs a cause, and a cause has to be noticed") {
  Logged logged;
  const LogRecord heuristic{4, LogRecord::Kind::kHeuristic, kFirst, "", "points"};
  SECTION("without a cause") {
    logged.log.records.push_back(heuristic);
    CHECK(logged.breaks("I12"));
  }
  SECTION("not noticed") {
    logged.injected.rolled_back = {{"points", kFirst}};
    CHECK(logged.breaks("I12"));
  }
  SECTION("noticed: the row that is missing is excused, and no other") {
    logged.injected.rolled_back = {{"points", kFirst}};
    logged.log.records.push_back(heuristic);
    logged.run.after[0].ledger.clear();
    CHECK(logged.broken().empty());
    logged.run.after[1].ledger.clear();
    CHECK(logged.breaks("I2"));
  }
  SECTION("of a transaction that was rolled back anyway") {
    logged.injected.rolled_back = {{"points", kSecond}};
    CHECK(logged.broken().empty());
  }
}

TEST_CASE("a database that was put back explains what it lost, if anybody noticed") {
  Logged logged;
  logged.log.records.push_back({4, LogRecord::Kind::kHeuristic, kFirst, "", "points"});
  SECTION("noticed") {
    logged.injected.put_back = {{"points", true}};
    CHECK(logged.broken().empty());
  }
  SECTION("not noticed") {
    logged.injected.put_back = {{"points", false}};
    CHECK(logged.breaks("I12"));
  }
  SECTION("another one") {
    logged.injected.put_back = {{"payments", true}};
    CHECK(logged.breaks("I12"));
  }
}

TEST_CASE("the lines of a log dump are understood") {
  const auto commit = parse_log_line(
      R"(17 2026-07-21T10:00:00.000Z epoch=1 forced commit 0123456789abcdef-1-1 key="points-7" branch=points database="x")");
  REQUIRE(commit);
  CHECK(commit->number == 17);
  CHECK(commit->kind == LogRecord::Kind::kCommit);
  CHECK(commit->gtrid == kFirst);
  CHECK(commit->key == "points-7");
  const auto heuristic = parse_log_line(
      R"(18 2026-07-21T10:00:00.000Z epoch=1 forced heuristic 0123456789abcdef-1-1/points outcome="heuristic rollback" decision=commit)");
  REQUIRE(heuristic);
  CHECK(heuristic->kind == LogRecord::Kind::kHeuristic);
  CHECK(heuristic->participant == "points");
  const auto settled = parse_log_line(
      R"(19 2026-07-21T10:00:00.000Z epoch=3 forced rollback 0123456789abcdef-3-0 key="ring-1" code=settled reason="the key was bound to rolled back by settle")");
  REQUIRE(settled);
  CHECK(settled->kind == LogRecord::Kind::kRollback);
  CHECK(settled->gtrid.empty());
  CHECK(settled->key == "ring-1");
  const auto opening =
      parse_log_line("1 2026-07-21T10:00:00.000Z epoch=1 forced opening log=0123456789abcdef");
  REQUIRE(opening);
  CHECK(opening->kind == LogRecord::Kind::kOther);
  CHECK_FALSE(parse_log_line("record 19 is damaged"));
}

TEST_CASE("a house that has not come back is named") {
  const Health before{100, {}, {{"agent", {50'000, 20, 8}}}};
  CHECK(check_health(before, before).empty());
  Health after = before;
  std::string expected;
  SECTION("a branch stays prepared") {
    after.longest_hold = kLongestHold + Duration(1);
    expected = "L3";
  }
  SECTION("hardly anything is committed") {
    after.committed_per_s = 10;
    expected = "L5";
  }
  SECTION("memory") {
    after.use["agent"].memory_kb = 500'000;
    expected = "L6";
  }
  SECTION("descriptors") {
    after.use["agent"].descriptors = 900;
    expected = "L6";
  }
  SECTION("threads") {
    after.use["agent"].threads = 100;
    expected = "L6";
  }
  const auto found = check_health(before, after);
  REQUIRE(found.size() == (expected.empty() ? 0 : 1));
  if (!expected.empty()) CHECK(found.front().invariant == expected);
}

TEST_CASE("a key without a final outcome is named") {
  Run run;
  run.told("a", Outcome::kUnknown);
  CHECK(check_finality(run.history).front().invariant == "L4");
  run.told("a", Outcome::kRolledBack);
  CHECK(check_finality(run.history).empty());
}

// ---- what was on the wire, and when

namespace {

Instant at_ms(int ms) {
  return Instant{} + std::chrono::milliseconds(ms);
}

std::size_t too_early(const std::vector<Sync>& syncs, int voted, int sent) {
  return check_durability(syncs, {{kFirst, at_ms(voted), at_ms(sent)}}).size();
}

}  // namespace

TEST_CASE("a commit on the wire before its sync is named") {
  const std::vector<Sync> syncs{
      {at_ms(50), at_ms(60)}, {at_ms(10), at_ms(20)}, {at_ms(55), at_ms(57)}};
  CHECK(too_early(syncs, 9, 20) == 0);
  CHECK(too_early(syncs, 10, 20) == 0);
  CHECK(too_early(syncs, 11, 60) == 0);
  CHECK(too_early(syncs, 40, 58) == 0);     // the third ended before the one that began before it
  CHECK(too_early(syncs, 9, 19) == 1);      // under way
  CHECK(too_early(syncs, 11, 49) == 1);     // it began before the vote
  CHECK(too_early(syncs, 56, 1'000) == 1);  // none at all
  CHECK(too_early({}, 0, 10) == 1);
}
