// One agent on a real database, and a raw link that plays coordinator: what an agent promises
// whatever crashes or repeats itself (R6-R11).

#include <signal.h>

#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

#include "chaos/sandbox/process.h"
#include "tests/integration/support_agent.h"

using namespace assent;
using namespace assent::testing;
using live::DatabaseKind;
using std::chrono::seconds;

namespace {

DatabaseKind each_kind() {
  return GENERATE(DatabaseKind::kPostgres, DatabaseKind::kMariadb);
}

template <typename Condition>
bool comes_true(Condition condition) {
  return live::wait_until(condition, seconds(30));
}

/// Another application holds the row of a card until told, or for ever.
class RowHolder {
 public:
  RowHolder(AgentHouse& house, int card) : house_(house) {
    const bool postgres = house.database().kind() == DatabaseKind::kPostgres;
    const std::string sleep = postgres ? "SELECT pg_sleep(60);" : "DO SLEEP(60);";
    const std::string sql =
        "BEGIN; UPDATE card SET points = points WHERE id = " + std::to_string(card) + "; " + sleep +
        " ROLLBACK;";
    thread_ = std::thread(
        [&house, sql] { house.database().run_sql("points", sql, live::Role::kApplication); });
    REQUIRE(comes_true([&] { return !house.is_free(card); }));
  }
  ~RowHolder() { let_go(); }
  RowHolder(const RowHolder&) = delete;
  RowHolder& operator=(const RowHolder&) = delete;

  void let_go() {
    if (!thread_.joinable()) return;
    const bool postgres = house_.database().kind() == DatabaseKind::kPostgres;
    for (const auto& row : house_.database().query(
             "points", postgres
                           ? "SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND query "
                             "LIKE '%pg_sleep%';"
                           : "SELECT id FROM information_schema.processlist WHERE user = "
                             "'app';")) {
      house_.database().query("points", postgres ? "SELECT pg_terminate_backend(" + row[0] + ");"
                                                 : "KILL " + row[0] + ";");
    }
    thread_.join();
  }

 private:
  AgentHouse& house_;
  std::thread thread_;
};

/// As a scan does.
void tell_top(TestCoordinator& pay, std::uint64_t top) {
  pay.send(ListPrepared{1, top});
  CHECK_FALSE(pay.receive<PreparedList>().error);
}

}  // namespace

TEST_CASE("a branch is worked, prepared and committed; repeats get the same answers") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  CHECK(pay.welcome().kind == live::to_string(kind));
  CHECK(pay.welcome().work_sessions == 16);
  CHECK_FALSE(pay.welcome().database.id.empty());

  const Voted voted = pay.prepare_work(1, 1);
  CHECK_FALSE(voted.error);
  REQUIRE(voted.vote == Vote::kPrepared);
  REQUIRE(voted.results.size() == 1);
  CHECK(voted.results[0].rows_affected == 1);
  CHECK(house.prepared_branches() == 1);
  CHECK(pay.prepare_work(1, 1) == voted);

  const Finished finished = pay.commit(1, voted.proof);
  CHECK(finished.completion == Completion::kCommitted);
  CHECK(pay.commit(1, voted.proof) == finished);
  CHECK(house.points(1) == "99");
  CHECK(house.prepared_branches() == 0);

  // Work for a finished xid is refused, and so is the opposite of what was done (R6).
  CHECK(pay.prepare_work(1, 1).error->code == ErrorCode::kNoSuchTransaction);
  CHECK(pay.roll_back(1).error->code == ErrorCode::kHazard);
  CHECK(house.points(1) == "99");
}

TEST_CASE("statements one by one, rows come back, prepare, roll back") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);

  pay.send(pay.work(1, 7, AfterWork::kStayOpen));
  CHECK_FALSE(pay.receive<Worked>().error);
  Work look = pay.work(1, 7, AfterWork::kStayOpen);
  look.first_index = 1;
  look.statements = {{"SELECT points FROM card WHERE id = 7 FOR UPDATE", {}, std::nullopt}};
  pay.send(look);
  const auto looked = pay.receive<Worked>();
  REQUIRE(looked.results.size() == 1);
  REQUIRE(looked.results[0].rows.size() == 1);
  CHECK(looked.results[0].rows[0][0] == Value(std::int64_t{99}));

  pay.send(Prepare{pay.xid(1), 1, seconds(5)});
  CHECK(pay.receive<Voted>().error->code == ErrorCode::kStepsDiffer);
  pay.send(Prepare{pay.xid(1), 2, seconds(5)});
  CHECK(pay.receive<Voted>().vote == Vote::kPrepared);

  const Finished finished = pay.roll_back(1);
  CHECK(finished.completion == Completion::kRolledBack);
  CHECK(house.points(7) == "100");
  CHECK(house.is_free(7));
}

TEST_CASE("a failed statement and an unmet guard leave nothing behind") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);

  Work work = pay.work(1, 1);
  work.statements.push_back({"UPDATE card SET points = -1 WHERE id = 2", {}, std::nullopt});
  pay.send(work);
  Voted voted = pay.receive<Voted>();
  CHECK(voted.vote == Vote::kRolledBack);
  CHECK(voted.error->code == ErrorCode::kStatementFailed);

  voted = pay.prepare_work(2, 5000);
  CHECK(voted.vote == Vote::kRolledBack);
  CHECK(voted.error->code == ErrorCode::kGuardNotMet);

  work = pay.work(3, 1);
  work.statements[0] = {"COMMIT", {}, std::nullopt};
  pay.send(work);
  voted = pay.receive<Voted>();
  CHECK(voted.vote == Vote::kRolledBack);
  CHECK(voted.error->code == ErrorCode::kStatementNotAllowed);

  CHECK(pay.roll_back(1).completion == Completion::kRolledBack);
  CHECK(house.prepared_branches() == 0);
  CHECK(house.points(1) == "100");
  CHECK(house.is_free(1));
}

TEST_CASE("what is meant for another incarnation has no effect") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  const Voted voted = pay.prepare_work(1, 1);
  REQUIRE(voted.vote == Vote::kPrepared);

  pay.incarnation = Incarnation{static_cast<std::uint64_t>(pay.incarnation) ^ 1U};
  CHECK(pay.commit(1, voted.proof).error->code == ErrorCode::kWrongIncarnation);
  CHECK(pay.prepare_work(2, 2).error->code == ErrorCode::kWrongIncarnation);
  CHECK(house.prepared_branches() == 1);

  // The next incarnation finishes it with the proof of the commit record (R4).
  house.agent().kill();
  house.agent().start();
  TestCoordinator again(house);
  CHECK(again.incarnation != pay.welcome().incarnation);
  again.send(ListPrepared{5, 1});
  const auto list = again.receive<PreparedList>();
  REQUIRE(list.branches.size() == 1);
  CHECK(list.branches[0].xid == again.xid(1));
  CHECK(again.commit(1, voted.proof).completion == Completion::kCommitted);
  CHECK(again.commit(1, voted.proof).completion == Completion::kCommitted);
  CHECK(house.points(1) == "99");
}

TEST_CASE("strangers are refused with a sentence") {
  AgentHouse house(DatabaseKind::kPostgres);
  house.agent().start();
  Hello hello = TestCoordinator::hello();
  hello.token = "a-token-of-that-test";
  CHECK(refusal_of(house, hello).code == ErrorCode::kUnauthorized);
  hello.token = "";
  CHECK(refusal_of(house, hello).code == ErrorCode::kUnauthorized);
  hello = TestCoordinator::hello();
  hello.coordinator = "shop";
  CHECK(refusal_of(house, hello).code == ErrorCode::kUnauthorized);
  hello = TestCoordinator::hello();
  hello.participant = "payments";
  CHECK(refusal_of(house, hello).code == ErrorCode::kUnknownParticipant);

  RawLink link(house.port());
  link.send(AgentRequest{});
  const auto answer = link.receive();
  REQUIRE(answer);
  CHECK(std::holds_alternative<Refused>(*answer));
}

TEST_CASE("an older epoch, another opening of it and a log that lost its end are refused") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  Hello newer = TestCoordinator::hello();
  newer.epoch = Epoch{5};
  {
    TestCoordinator pay(house, newer);
    tell_top(pay, 40);
  }

  // The next incarnation knows it from the database (R10).
  const bool restart = GENERATE(false, true);
  if (restart) {
    house.agent().stop();
    house.agent().start();
  }
  TestCoordinator pay(house, newer);
  Hello older = newer;
  older.epoch = Epoch{4};
  CHECK(refusal_of(house, older).code == ErrorCode::kFenced);
  Hello twin = newer;
  twin.opening_nonce = 78;
  CHECK(refusal_of(house, twin).code == ErrorCode::kFenced);
  // It went on to record 60 while this database was away.
  Hello shorter = newer;
  shorter.epoch = Epoch{7};
  shorter.held = {{Epoch{6}, 39}, {Epoch{7}, 60}};
  CHECK(refusal_of(house, shorter).code == ErrorCode::kFenced);

  // None of them disturbed the one that is let in.
  CHECK(pay.prepare_work(1, 1).vote == Vote::kPrepared);
}

TEST_CASE("an agent tells what its database says of branches, and whom they hold up") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  const Voted prepared = pay.prepare_work(1, 1);
  const Voted committed = pay.prepare_work(2, 2);
  CHECK(pay.commit(2, committed.proof).completion == Completion::kCommitted);
  std::thread blocked([&] {
    const bool postgres = house.database().kind() == DatabaseKind::kPostgres;
    const std::string patience = postgres ? "" : "SET innodb_lock_wait_timeout = 60; ";
    house.database().run_sql("points", patience + "UPDATE card SET points = 7 WHERE id = 1;",
                             live::Role::kApplication);
  });

  Inspected seen;
  const bool told = comes_true([&] {
    pay.send(Inspect{7, {{pay.xid(2), committed.proof}}});
    seen = pay.receive<Inspected>();
    return seen.branches.size() == 2 && !seen.branches[0].blocked.empty();
  });
  CHECK(pay.roll_back(1).completion == Completion::kRolledBack);
  blocked.join();
  REQUIRE(told);
  CHECK(seen.serial == 7);
  CHECK_FALSE(seen.error);
  CHECK(seen.branches[0].xid == pay.xid(1));
  CHECK(seen.branches[0].completion == Completion::kStillPrepared);
  CHECK(seen.branches[0].transaction_id == prepared.proof.transaction_id);
  CHECK(seen.branches[0].blocked[0].user == "app");
  CHECK(seen.branches[1].xid == pay.xid(2));
  CHECK(seen.branches[1].completion == Completion::kCommitted);
  CHECK(seen.foreign.empty());
}

TEST_CASE("the welcome says what the database had been told of the log") {
  AgentHouse house(each_kind());
  house.agent().start();
  {
    TestCoordinator pay(house);
    CHECK(pay.welcome().fence_top == 0);
    tell_top(pay, 12);
  }
  Hello next = TestCoordinator::hello();
  next.epoch = Epoch{2};
  next.held = {{Epoch{2}, 15}};
  {
    TestCoordinator pay(house, next);
    CHECK(pay.welcome().fence_top == 12);
    tell_top(pay, 0);
  }
  // Neither a hello nor a list that is to leave it has raised it.
  house.agent().stop();
  house.agent().start();
  CHECK(TestCoordinator(house, next).welcome().fence_top == 12);
}

TEST_CASE("a newer hello ends the older link and its unprepared branches") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator old(house);
  old.send(old.work(1, 1, AfterWork::kStayOpen));
  CHECK_FALSE(old.receive<Worked>().error);
  const Voted voted = old.prepare_work(2, 2);
  REQUIRE(voted.vote == Vote::kPrepared);
  RowHolder holder(house, 3);
  old.send(old.work(3, 3));
  REQUIRE(comes_true([&] { return house.is_waiting_for_a_lock(); }));

  TestCoordinator again(house);
  CHECK_FALSE(old.link().receive());
  holder.let_go();
  CHECK(house.is_free(1));
  CHECK(house.is_free(3));
  CHECK(house.prepared_branches() == 1);
  CHECK(again.commit(2, voted.proof).completion == Completion::kCommitted);
  CHECK(again.roll_back(1).completion == Completion::kRolledBack);
  CHECK(again.roll_back(3).completion == Completion::kRolledBack);
  CHECK(house.points(3) == "100");
}

TEST_CASE("unprepared branches go with their link, prepared ones stay") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.write_config("link_grace_ms = 300");
  house.agent().start();
  {
    TestCoordinator pay(house);
    pay.send(pay.work(1, 1, AfterWork::kStayOpen));
    CHECK_FALSE(pay.receive<Worked>().error);
    REQUIRE(pay.prepare_work(2, 2).vote == Vote::kPrepared);
    CHECK_FALSE(house.is_free(1));
  }
  CHECK(comes_true([&] { return house.is_free(1); }));
  CHECK(house.prepared_branches() == 1);
  CHECK_FALSE(house.is_free(2));
  TestCoordinator pay(house);
  CHECK(pay.roll_back(2).completion == Completion::kRolledBack);
  CHECK(house.is_free(2));
}

TEST_CASE("rollback cuts work that waits for a lock") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  RowHolder holder(house, 1);
  pay.send(pay.work(1, 1));
  REQUIRE(comes_true([&] { return house.is_waiting_for_a_lock(); }));
  CHECK(pay.roll_back(1).completion == Completion::kRolledBack);
  CHECK_FALSE(house.is_waiting_for_a_lock());
  holder.let_go();
  CHECK(house.prepared_branches() == 0);
  CHECK(house.points(1) == "100");
}

/// Deadlines nest: the statement's own timeout comes first. What never answers at all is cut: "a
/// database that stands still".
TEST_CASE("work that would outlive its deadline is ended by its database (R11)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  RowHolder holder(house, 1);
  Work work = pay.work(1, 1);
  work.deadline = std::chrono::milliseconds(500);
  pay.send(work);
  const auto voted = pay.receive<Voted>();
  CHECK(voted.vote == Vote::kRolledBack);
  CHECK(voted.error->code == ErrorCode::kConflict);
  CHECK_FALSE(house.is_waiting_for_a_lock());
  CHECK(pay.roll_back(1).completion == Completion::kRolledBack);
  CHECK(pay.prepare_work(2, 2).vote == Vote::kPrepared);
}

TEST_CASE("work waits for a session until its deadline; interactive branches take half (R14)") {
  AgentHouse house(DatabaseKind::kPostgres);
  house.write_config("", "work_sessions = 4\nqueue_max = 2");
  house.agent().start();
  TestCoordinator pay(house);
  const auto interactive = [&](std::uint64_t sequence) {
    Work work = pay.work(sequence, static_cast<int>(sequence), AfterWork::kStayOpen);
    work.interactive = true;
    work.deadline = std::chrono::milliseconds(300);
    return work;
  };
  for (const std::uint64_t sequence : {1U, 2U}) {
    pay.send(interactive(sequence));
    CHECK_FALSE(pay.receive<Worked>().error);
  }
  pay.send(interactive(3));
  CHECK(pay.receive<Worked>().error->code == ErrorCode::kBusy);

  // The other half is for submits; two of them wait, the next is refused at once.
  for (const std::uint64_t sequence : {4U, 5U}) {
    pay.send(pay.work(sequence, static_cast<int>(sequence), AfterWork::kStayOpen));
    CHECK_FALSE(pay.receive<Worked>().error);
  }
  pay.send(pay.work(6, 6));
  pay.send(pay.work(7, 7));
  pay.send(pay.work(8, 8));
  const auto refused = pay.receive<Voted>();
  CHECK(refused.xid == pay.xid(8));
  CHECK(refused.vote == Vote::kRolledBack);
  CHECK(refused.error->code == ErrorCode::kBusy);

  // Phase two does not wait for them.
  CHECK(pay.roll_back(9).completion == Completion::kRolledBack);
  CHECK(pay.roll_back(4).completion == Completion::kRolledBack);
  const auto waited = pay.receive<Voted>();
  CHECK(waited.xid == pay.xid(6));
  CHECK(waited.vote == Vote::kPrepared);
}

TEST_CASE("a second agent of the same database is refused and the first goes on (R9)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  live::Service second = house.second_agent();
  second.launch();
  REQUIRE(second.wait_for_end(seconds(30)));
  CHECK(second.end()->exit_code == 1);
  CHECK(second.wait_for_log({"another agent"}, seconds(1)));
  CHECK(pay.prepare_work(1, 1).vote == Vote::kPrepared);
}

TEST_CASE("the database is killed in the middle of branches; the agent lives on anew (R9)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  const Voted voted = pay.prepare_work(1, 1);
  REQUIRE(voted.vote == Vote::kPrepared);
  pay.send(pay.work(2, 2, AfterWork::kStayOpen));
  CHECK_FALSE(pay.receive<Worked>().error);

  const pid_t agent = house.agent().pid();
  house.database().kill(live::KillScope::kEverything);
  CHECK_FALSE(pay.link().receive());
  CHECK(comes_true([&] {
    return refusal_of(house, TestCoordinator::hello()).code == ErrorCode::kParticipantUnavailable;
  }));
  house.database().start();
  CHECK(comes_true([&] {
    RawLink link(house.port());
    link.send(TestCoordinator::hello());
    return std::holds_alternative<Welcome>(*link.receive());
  }));
  CHECK(house.agent().pid() == agent);

  TestCoordinator again(house);
  CHECK(again.incarnation != pay.incarnation);
  CHECK(again.commit(1, voted.proof).completion == Completion::kCommitted);
  CHECK(again.roll_back(2).completion == Completion::kRolledBack);
  CHECK(house.points(1) == "99");
  CHECK(house.points(2) == "100");
}

TEST_CASE("an agent whose sessions are ended by somebody begins anew (R9)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  const Voted voted = pay.prepare_work(1, 1);
  REQUIRE(voted.vote == Vote::kPrepared);
  pay.send(pay.work(2, 2, AfterWork::kStayOpen));
  CHECK_FALSE(pay.receive<Worked>().error);

  house.end_agent_sessions();
  CHECK_FALSE(pay.link().receive());
  CHECK(comes_true([&] {
    RawLink link(house.port());
    link.send(TestCoordinator::hello());
    return std::holds_alternative<Welcome>(*link.receive());
  }));
  TestCoordinator again(house);
  CHECK(again.incarnation != pay.incarnation);
  CHECK(again.commit(1, voted.proof).completion == Completion::kCommitted);
  CHECK(house.is_free(2));
}

TEST_CASE("a database that stands still costs the agent its control, and no outcome (F 11)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  const Voted voted = pay.prepare_work(1, 1);
  REQUIRE(voted.vote == Vote::kPrepared);
  house.database().pause();
  pay.send(pay.work(2, 2));
  CHECK_FALSE(pay.link().receive());
  CHECK(refusal_of(house, TestCoordinator::hello()).code == ErrorCode::kParticipantUnavailable);
  house.database().resume();
  CHECK(comes_true([&] {
    RawLink link(house.port());
    link.send(TestCoordinator::hello());
    return std::holds_alternative<Welcome>(*link.receive());
  }));

  TestCoordinator again(house);
  CHECK(again.commit(1, voted.proof).completion == Completion::kCommitted);
  CHECK(again.roll_back(2).completion == Completion::kRolledBack);
  CHECK(house.prepared_branches() == 0);
  CHECK(house.points(1) == "99");
  CHECK(house.points(2) == "100");
}

TEST_CASE("an agent killed while its work+prepare waits leaves no zombie prepare (F 8)") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  RowHolder holder(house, 1);
  pay.send(pay.work(1, 1));
  REQUIRE(comes_true([&] { return house.is_waiting_for_a_lock(); }));

  house.agent().kill();
  house.agent().start();
  CHECK_FALSE(house.is_waiting_for_a_lock());
  TestCoordinator again(house);
  holder.let_go();
  CHECK(again.roll_back(1).completion == Completion::kRolledBack);
  CHECK(house.prepared_branches() == 0);
  CHECK(house.is_free(1));
  CHECK(house.points(1) == "100");
}

TEST_CASE("what a person committed while the agent was down is told to a rollback") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  const bool postgres = kind == DatabaseKind::kPostgres;
  AgentHouse house(kind);
  house.agent().start();
  BranchProof proof;
  {
    TestCoordinator pay(house);
    const Voted voted = pay.prepare_work(1, 1);
    REQUIRE(voted.vote == Vote::kPrepared);
    proof = voted.proof;
  }
  house.agent().kill();
  const auto listed = house.database().query(
      "points",
      postgres ? "SELECT quote_literal(gid) FROM pg_prepared_xacts;" : "XA RECOVER FORMAT='SQL';");
  REQUIRE(listed.size() == 1);
  house.database().run_sql("points",
                           (postgres ? "COMMIT PREPARED " : "XA COMMIT ") + listed[0].back() + ";");

  house.agent().start();
  TestCoordinator again(house);
  const Finished finished = again.roll_back(1, proof);
  CHECK(finished.told == Decision::kRollback);
  CHECK(finished.completion == Completion::kCommitted);
  CHECK(finished.evidence == (postgres ? Evidence::kTransactionStatus : Evidence::kWitnessRow));
  REQUIRE(finished.error);
  CHECK(finished.error->code == ErrorCode::kHazard);
  CHECK(again.roll_back(1, proof) == finished);
  CHECK(house.points(1) == "99");
}

TEST_CASE("an agent told to stop rolls back what is not prepared and leaves with status 0") {
  const DatabaseKind kind = each_kind();
  CAPTURE(live::to_string(kind));
  AgentHouse house(kind);
  house.agent().start();
  TestCoordinator pay(house);
  REQUIRE(pay.prepare_work(1, 1).vote == Vote::kPrepared);
  pay.send(pay.work(2, 2, AfterWork::kStayOpen));
  CHECK_FALSE(pay.receive<Worked>().error);
  RowHolder holder(house, 3);
  pay.send(pay.work(3, 3));
  REQUIRE(comes_true([&] { return house.is_waiting_for_a_lock(); }));

  house.agent().stop();
  CHECK(house.agent().end()->succeeded());
  CHECK_FALSE(house.is_waiting_for_a_lock());
  CHECK(house.is_free(2));
  CHECK(house.prepared_branches() == 1);
}
