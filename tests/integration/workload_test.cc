// What the workloads draw, and what they say of a state that is not right.

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/workload/mix.h"
#include "chaos/workload/workloads.h"

using namespace assent::workload;
using assent::Answer;
using assent::Duration;
using assent::Error;
using assent::ErrorCode;
using assent::Instant;
using assent::Outcome;
using assent::Result;
using assent::StatementResult;
using assent::Step;

namespace {

const std::vector<std::string> kParticipants{"a", "b", "c"};

/// The nodes of a ring, as databases hold them.
struct Nodes {
  std::map<std::string, std::map<std::int64_t, std::int64_t>> next;
  std::vector<LedgerRow> marks;
  int statements_left = 10'000;

  Nodes() {
    for (std::int64_t node = 0; node < 60; ++node)
      next[kParticipants[static_cast<std::size_t>(node) % 3]][node] = (node + 1) % 60;
  }

  Result<StatementResult> execute(const Step& step) {
    if (statements_left-- == 0) return Error{.code = ErrorCode::kConflict};
    const auto& params = step.statement.params;
    StatementResult result{1, {}, {}};
    const auto number = [&](std::size_t i) { return std::get<std::int64_t>(params.at(i)); };
    auto& here = next[step.participant];
    if (step.statement.sql.starts_with("SELECT")) {
      result.rows = {{here.at(number(0))}};
    } else if (step.statement.sql.starts_with("UPDATE")) {
      here.at(number(1)) = number(0);
    } else {
      marks.push_back({std::get<std::string>(params.at(0)), number(1), number(2)});
    }
    return result;
  }

  Evidence evidence() const {
    Evidence evidence;
    for (const auto& [participant, nodes] : next)
      evidence.push_back({participant, nodes, {}, {}, {}});
    return evidence;
  }
};

std::vector<Violation> state_of(const Workload& ring, const Nodes& nodes) {
  return ring.check_state({}, {}, nodes.evidence(), {});
}

}  // namespace

TEST_CASE("a seed draws the same again, and no key twice but to be asked for twice") {
  Mix one(make_workloads(kParticipants), 7);
  Mix other(make_workloads(kParticipants), 7);
  std::set<std::string> keys;
  std::string last;
  int again = 0;
  for (int i = 0; i < 2'000; ++i) {
    const Transaction drawn = one.next();
    const Transaction same = other.next();
    REQUIRE(drawn.key == same.key);
    REQUIRE(drawn.marks == same.marks);
    REQUIRE(drawn.steps == same.steps);
    if (drawn.key == last) {
      ++again;
    } else {
      REQUIRE(keys.insert(drawn.key).second);
    }
    last = drawn.key;
  }
  CHECK(again > 100);
}

TEST_CASE("every transaction leaves one mark in each of its participants") {
  Mix mix(make_workloads(kParticipants), 7);
  for (int i = 0; i < 500; ++i) {
    const Transaction drawn = mix.next();
    std::set<std::string> participants;
    for (const Mark& mark : drawn.marks) participants.insert(mark.participant);
    REQUIRE(participants.size() == drawn.marks.size());
    REQUIRE(participants.size() >= 2);
    REQUIRE((drawn.talk != nullptr) == drawn.steps.empty());
  }
}

TEST_CASE("a transfer makes no money") {
  const auto transfers = make_transfers(kParticipants);
  Random random(7);
  for (int i = 0; i < 100; ++i) {
    std::int64_t taken = 0;
    for (const Mark& mark : transfers->draw(random).marks) taken += mark.amount;
    REQUIRE(taken == 0);
  }
}

TEST_CASE("money that moved without a mark is named") {
  const auto transfers = make_transfers(kParticipants);
  const Evidence before{{"a", {{1, 100}}, {}, {}, {}}, {"b", {{1, 100}}, {}, {}, {}}};
  Evidence after = before;
  CHECK(transfers->check_state(before, {}, after, {}).empty());
  after[0].balances[1] += 5;
  CHECK(transfers->check_state(before, {}, after, {}).front().invariant == "I4");
}

TEST_CASE("the ring stays one ring, and half a swap breaks it") {
  const auto ring = make_ring(kParticipants);
  Random random(7);
  Nodes nodes;
  CHECK(state_of(*ring, nodes).empty());
  const auto execute = [&](const Step& step) { return nodes.execute(step); };
  for (int i = 0; i < 300; ++i) {
    const Transaction swap = ring->draw(random);
    REQUIRE_FALSE(carry_out(swap, execute).has_error());
    REQUIRE(state_of(*ring, nodes).empty());
  }
  CHECK(nodes.marks.size() == 900);

  nodes.statements_left = 4;  // three reads and the first write
  CHECK(carry_out(ring->draw(random), execute).has_error());
  REQUIRE(state_of(*ring, nodes).size() == 1);
  CHECK(state_of(*ring, nodes).front().what.find("ring") != std::string::npos);
}

TEST_CASE("a history is written as lines of JSON") {
  Transaction asked;
  asked.key = "points-1";
  asked.marks = {{"a", 7, 30}, {"b", 8, -30}};
  Answer answer;
  answer.outcome = Outcome::kRolledBack;
  answer.error = Error{.code = ErrorCode::kGuardNotMet, .message = "too \"few\""};
  History history;
  history.note(asked, Instant{Duration(5)}, Instant{Duration(9)}, answer);
  std::ostringstream out;
  history.write(out);
  CHECK(out.str() ==
        R"({"key":"points-1","marks":[["a",7,30],["b",8,-30]],"asked_us":5,"told_us":9,)"
        R"("outcome":"rolled_back","why":"too \"few\""})"
        "\n");
}
