// The judge of the live tests is itself judged: each kind of damage is planted once and must be
// named, and a run without damage must not be blamed.

#include "chaos/workload/checker.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/workload/payment.h"

using namespace assent::workload;
using assent::Answer;
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
