// The way of one branch through a real database: work, guards, prepare, the second phase.

#include <chrono>
#include <limits>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

TEST_CASE("work and prepare is one message, and the branch commits") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();

  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  REQUIRE(report.results.size() == 1);
  CHECK(report.results[0].rows_affected == 1);
  CHECK(server.prepared_count() == 1);
  CHECK(server.points(1) == 100);

  const auto by = GENERATE(PreparedBy::kUnknown, PreparedBy::kThisIncarnation);
  const FinishReport finish = agent.session->commit(xid, report.proof, by);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 99);
}

TEST_CASE("a prepared branch rolls back from another session") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  require_vote(agent.session->work(work_of(xid, {take_point(1)})), Vote::kPrepared);

  const FinishReport finish = rollback(*agent.another_session(), xid);
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK(finish.evidence == Evidence::kDatabaseAnswer);
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
}

TEST_CASE("statements that return rows and those that don't are told apart") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(
      work_of(xid, {plain("UPDATE card SET points = points WHERE id <= 3"),
                    guarded("SELECT id, points FROM card WHERE id < 3 ORDER BY id FOR UPDATE", 2),
                    plain("DELETE FROM card WHERE id = 5 RETURNING id"), take_point(2),
                    plain("WITH c AS (SELECT id FROM card WHERE id = 99) SELECT id FROM c")}));
  require_vote(report, Vote::kPrepared);
  REQUIRE(report.results.size() == 5);
  CHECK(report.results[0].rows_affected == 3);
  CHECK(report.results[0].columns.empty());
  CHECK(report.results[1].columns == std::vector<std::string>{"id", "points"});
  CHECK(report.results[1].rows ==
        std::vector<std::vector<Value>>{{std::int64_t{1}, std::int64_t{100}},
                                        {std::int64_t{2}, std::int64_t{100}}});
  CHECK(report.results[2].rows == std::vector<std::vector<Value>>{{std::int64_t{5}}});
  CHECK(report.results[2].rows_affected == 1);
  CHECK(report.results[3].rows_affected == 1);
  CHECK(report.results[4].rows.empty());
  CHECK(report.results[4].columns == std::vector<std::string>{"id"});
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("values arrive as they were sent") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  const bool postgres = kind == Kind::kPostgres;
  Statement statement;
  statement.sql = postgres ? "SELECT ?::text, ?::bigint, ?::float8, ?::bytea, ?::text, ?::boolean, "
                             "12.50::numeric, '{\"a\": 1}'::jsonb, repeat('ab', 5000)"
                           : "SELECT ?, ?, ?, ?, ?, ?, 12.50, '{\"a\": 1}', repeat('ab', 5000)";
  const std::string text = "it's ? a \\ 'trap'; -- {fn é€😀 $$ \" ` \n";
  statement.params = {text,
                      std::numeric_limits<std::int64_t>::min(),
                      0.1,
                      Bytes{std::string("\x00\xff'", 3)},
                      std::monostate{},
                      true};
  const WorkReport report =
      agent.session->work(work_of(next_xid(), {statement}, AfterWork::kStayOpen));
  REQUIRE_FALSE(report.error);
  const std::vector<Value>& row = report.results.at(0).rows.at(0);
  CHECK(row[0] == Value(text));
  CHECK(row[1] == Value(std::numeric_limits<std::int64_t>::min()));
  CHECK(row[2] == Value(0.1));
  CHECK(row[3] == Value(Bytes{std::string("\x00\xff'", 3)}));
  CHECK(row[4] == Value(std::monostate{}));
  CHECK(row[5] == (postgres ? Value(true) : Value(std::int64_t{1})));
  CHECK(row[6] == Value("12.50"));
  CHECK(row[7] == Value("{\"a\": 1}"));
  CHECK(std::get<std::string>(row[8]).size() == 10000);
}

TEST_CASE("an unmet guard leaves nothing, and says which step met how many rows") {
  Server& server = shared_server(each_kind());
  Agent agent(server);

  const WorkReport report =
      agent.session->work(work_of(next_xid(), {take_point(1), take_point(77), take_point(2)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kGuardNotMet);
  CHECK(report.error->effect == Effect::kNone);
  CHECK(report.error->step == 1);
  CHECK_THAT(report.error->message, Catch::Contains("0 rows"));
  CHECK(agent.session->usable());
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
}

TEST_CASE("an unmet guard on returned rows leaves nothing") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const WorkReport report = agent.session->work(
      work_of(next_xid(), {take_point(1), guarded("SELECT id FROM card WHERE id > 3", 1)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kGuardNotMet);
  CHECK(report.error->step == 1);
  CHECK_THAT(report.error->message, Catch::Contains("2 rows"));
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
}

TEST_CASE("expect_rows counts rows met, also when they keep their values") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  require_vote(agent.session->work(work_of(
                   xid, {guarded("UPDATE card SET points = points WHERE id IN (1, 2)", 2)})),
               Vote::kPrepared);
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("more rows than allowed fail the statement and leave nothing") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  const std::string many =
      kind == Kind::kPostgres ? "SELECT generate_series(1, 1001)" : "SELECT seq FROM seq_1_to_1001";
  const std::string large = "SELECT repeat('x', 1048577)";
  const WorkReport report = agent.session->work(
      work_of(next_xid(), {take_point(1), plain(GENERATE_COPY(as<std::string>(), many, large))}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kStatementFailed);
  CHECK(report.error->step == 1);
  CHECK(server.prepared_count() == 0);
  // The session goes on.
  const Xid xid = next_xid();
  require_vote(agent.session->work(work_of(xid, {take_point(2)})), Vote::kPrepared);
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("a branch that stays open goes on, is prepared, and commits") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  REQUIRE_FALSE(agent.session->work(work_of(xid, {take_point(1)}, AfterWork::kStayOpen)).error);
  Work more = work_of(xid, {take_point(2), plain("SELECT points FROM card WHERE id = 2")},
                      AfterWork::kStayOpen);
  more.first_index = 1;
  const WorkReport second = agent.session->work(more);
  REQUIRE_FALSE(second.error);
  CHECK(second.results.at(1).rows == std::vector<std::vector<Value>>{{std::int64_t{99}}});
  CHECK(server.prepared_count() == 0);

  const WorkReport prepared = agent.session->prepare(xid);
  require_vote(prepared, Vote::kPrepared);
  CHECK(server.prepared_count() == 1);
  CHECK(commit(*agent.session, xid, prepared.proof).completion == Completion::kCommitted);
  CHECK(server.points(1) == 99);
  CHECK(server.points(2) == 99);
}

TEST_CASE("a branch that stays open can be rolled back") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  REQUIRE_FALSE(agent.session->work(work_of(xid, {take_point(1)}, AfterWork::kStayOpen)).error);
  const FinishReport finish = agent.session->roll_back_open(xid);
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK(finish.evidence == Evidence::kNeverPrepared);
  CHECK(server.points(1) == 100);
  require_vote(agent.session->work(work_of(xid, {take_point(1)})), Vote::kPrepared);
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("a read-only branch is ended, votes read-only, and the database enforces it") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  Work work = work_of(next_xid(), {plain("SELECT points FROM card WHERE id = 1")});
  work.access = Access::kReadOnly;
  const WorkReport report = agent.session->work(work);
  require_vote(report, Vote::kReadOnly);
  CHECK(report.results.at(0).rows == std::vector<std::vector<Value>>{{std::int64_t{100}}});

  work.xid = next_xid();
  work.statements = {take_point(1)};
  const WorkReport refused = agent.session->work(work);
  CHECK(refused.vote == Vote::kRolledBack);
  REQUIRE(refused.error);
  CHECK(refused.error->sqlstate == "25006");
  CHECK(server.points(1) == 100);
  CHECK(server.prepared_count() == 0);

  // A guard on a read: nothing is left to undo.
  work.xid = next_xid();
  work.statements = {guarded("SELECT points FROM card WHERE id = 1", 2)};
  CHECK(agent.session->work(work).vote == Vote::kRolledBack);
  CHECK(agent.session->usable());
}

TEST_CASE("a syntax error, an unknown column and a broken constraint are a no, with nothing left") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const std::string sql =
      GENERATE("SELECT FROM WHERE", "SELECT nothing FROM card", "INSERT INTO card VALUES (1, 1)");
  const WorkReport report = agent.session->work(work_of(next_xid(), {take_point(1), plain(sql)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kStatementFailed);
  CHECK(report.error->participant == "points");
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
  const Xid next = next_xid();
  require_vote(agent.session->work(work_of(next, {take_point(2)})), Vote::kPrepared);
  CHECK(rollback(*agent.session, next).completion == Completion::kRolledBack);
}

TEST_CASE("a lock that is not free in time is a conflict, with nothing left") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  const Xid holder = next_xid();
  require_vote(agent.session->work(work_of(holder, {take_point(1)})), Vote::kPrepared);

  const auto other = agent.another_session();
  Work work = work_of(next_xid(), {take_point(2), take_point(1)});
  work.lock_wait = Duration(GENERATE(0, 30'000, 1'000'000));
  const WorkReport report = other->work(work);
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kConflict);
  CHECK(server.prepared_count() == 1);
  CHECK(rollback(*agent.session, holder).completion == Completion::kRolledBack);
  // The next work on that session waits as long as it is told anew.
  const Xid next = next_xid();
  require_vote(other->work(work_of(next, {take_point(1), take_point(2)})), Vote::kPrepared);
  CHECK(rollback(*other, next).completion == Completion::kRolledBack);
}

TEST_CASE("a statement ends before the deadline of its work") {
  const Kind kind = each_kind();
  Agent agent(shared_server(kind));
  Work work = work_of(next_xid(), {plain(kind == Kind::kPostgres ? "SELECT pg_sleep(8)"
                                                                 : "SELECT SLEEP(8) FROM card")});
  work.deadline = std::chrono::milliseconds(500);
  const WorkReport report = agent.session->work(work);
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kConflict);
  CHECK(agent.session->usable());
  // The next has its own time.
  work = work_of(next_xid(), {take_point(1)});
  require_vote(agent.session->work(work), Vote::kPrepared);
  CHECK(rollback(*agent.session, work.xid).completion == Completion::kRolledBack);
}

TEST_CASE("work with little time leaves none of it to the second phase") {
  const Kind kind = each_kind();
  Agent agent(shared_server(kind));
  Work work = work_of(next_xid(), {take_point(1)});
  work.deadline = std::chrono::milliseconds(1500);
  const WorkReport report = agent.session->work(work);
  require_vote(report, Vote::kPrepared);
  CHECK(commit(*agent.session, work.xid, report.proof).completion == Completion::kCommitted);
  Work shown = work_of(next_xid(), {});
  shown.access = Access::kReadOnly;
  shown.deadline = {};
  const std::string limit = kind == Kind::kPostgres
                                ? "SELECT current_setting('statement_timeout')"
                                : "SELECT variable_value + 0 FROM information_schema.session_"
                                  "variables WHERE variable_name = 'max_statement_time'";
  shown.statements = {plain(limit)};
  const WorkReport seen = agent.session->work(shown);
  require_vote(seen, Vote::kReadOnly);
  CHECK(seen.results.at(0).rows.at(0).at(0) ==
        (kind == Kind::kPostgres ? Value("10s") : Value(10.0)));
}

TEST_CASE("a deadlock is a conflict for one of the two, and the other is prepared") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const auto other = agent.another_session();
  const Xid one = next_xid();
  const Xid two = next_xid();
  REQUIRE_FALSE(agent.session->work(work_of(one, {take_point(1)}, AfterWork::kStayOpen)).error);
  REQUIRE_FALSE(other->work(work_of(two, {take_point(2)}, AfterWork::kStayOpen)).error);
  const auto cross = [](Session& session, const Xid& xid, int card) {
    Work work = work_of(xid, {take_point(card)});
    work.first_index = 1;
    work.lock_wait = std::chrono::seconds(5);
    return session.work(work);
  };
  WorkReport first;
  std::thread thread([&] { first = cross(*agent.session, one, 2); });
  const WorkReport second = cross(*other, two, 1);
  thread.join();
  const WorkReport& won = first.error ? second : first;
  const WorkReport& lost = first.error ? first : second;
  require_vote(won, Vote::kPrepared);
  CHECK(lost.vote == Vote::kRolledBack);
  REQUIRE(lost.error);
  CHECK(lost.error->code == ErrorCode::kConflict);
  CHECK(server.prepared_count() == 1);
  CHECK(rollback(*agent.session, first.error ? two : one).completion == Completion::kRolledBack);
}

TEST_CASE("a second branch of the same name does not vote yes, nor end the first") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport first = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(first, Vote::kPrepared);
  const auto other = agent.another_session();
  const WorkReport second = other->work(work_of(xid, {take_point(2)}));
  CHECK(second.vote == Vote::kUnknown);
  CHECK_FALSE(other->usable());
  CHECK(second.error);
  CHECK(server.prepared_count() == 1);
  CHECK(commit(*agent.session, xid, first.proof).completion == Completion::kCommitted);
  CHECK(server.points(1) == 99);
  CHECK(server.points(2) == 100);
}

TEST_CASE("a session whose statements took session locks is not used again") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  const Xid xid = next_xid();
  const std::string lock = kind == Kind::kPostgres
                               ? "SELECT count(*) FROM (SELECT pg_advisory_lock(7)) AS taken"
                               : "SELECT GET_LOCK('seven', 1)";
  REQUIRE_FALSE(agent.session->work(work_of(xid, {plain(lock)}, AfterWork::kStayOpen)).error);
  CHECK(agent.session->usable());
  CHECK(agent.session->roll_back_open(xid).completion == Completion::kRolledBack);
  CHECK_FALSE(agent.session->usable());
  const SessionId id = agent.session->id();
  agent.session.reset();
  must(agent.control->end_session(id, kPatience));
  const auto next = agent.another_session();
  REQUIRE_FALSE(next->work(work_of(next_xid(), {plain(lock)}, AfterWork::kStayOpen)).error);
}

TEST_CASE("a function that changes what a literal means does not let a COMMIT through") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  server.run(
      "CREATE OR REPLACE FUNCTION change_literals() RETURNS text LANGUAGE sql AS "
      "$$ SELECT set_config('standard_conforming_strings', 'off', false) $$;");
  const Xid xid = next_xid();
  Work work =
      work_of(xid, {take_point(1), plain("SELECT change_literals()")}, AfterWork::kStayOpen);
  REQUIRE_FALSE(agent.session->work(work).error);
  work.first_index = 2;
  work.statements = {plain(R"(SELECT '\', '; COMMIT; --')")};
  const WorkReport report = agent.session->work(work);
  REQUIRE_FALSE(report.error);
  CHECK(report.results.at(0).rows ==
        std::vector<std::vector<Value>>{{Value(R"(\)"), Value("; COMMIT; --")}});
  CHECK(agent.session->roll_back_open(xid).completion == Completion::kRolledBack);
  CHECK(server.points(1) == 100);
}

TEST_CASE("what a function did to its session does not reach the next branch") {
  const Kind kind = each_kind();
  Server& server = shared_server(kind);
  Agent agent(server);
  if (kind == Kind::kPostgres) {
    server.run(
        "CREATE OR REPLACE FUNCTION quietly() RETURNS bigint LANGUAGE sql AS $$ SELECT "
        "set_config('search_path', 'elsewhere', false); SELECT pg_advisory_lock(9); SELECT "
        "1::bigint "
        "$$;");
  } else {
    server.run(
        "CREATE OR REPLACE FUNCTION quietly() RETURNS INT DETERMINISTIC RETURN GET_LOCK('nine', "
        "0);");
  }
  const std::string call = GENERATE("SELECT quietly()", "SELECT quietly /* (really) */ ()");
  const Xid xid = next_xid();
  require_vote(agent.session->work(work_of(xid, {take_point(1), plain(call)})), Vote::kPrepared);
  CHECK_FALSE(agent.session->usable());
  CHECK(rollback(*agent.another_session(), xid).completion == Completion::kRolledBack);
}

TEST_CASE("a session goes on after plain statements and common functions") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  require_vote(
      agent.session->work(work_of(
          xid, {plain("INSERT INTO card (id, points) VALUES (6, 1), (7, 2)"),
                plain("SELECT count(*), coalesce(max(points), 0) FROM card WHERE id IN (6, 7) AND "
                      "(points > 0)")})),
      Vote::kPrepared);
  CHECK(agent.session->usable());
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("LAST_INSERT_ID() of an earlier branch is not told to the next") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  server.run("CREATE OR REPLACE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, n INT);");
  const Xid first = next_xid();
  require_vote(agent.session->work(work_of(first, {plain("INSERT INTO counted (n) VALUES (7)"),
                                                   plain("SELECT LAST_INSERT_ID() + 0")})),
               Vote::kPrepared);
  CHECK(agent.session->usable());
  CHECK(rollback(*agent.session, first).completion == Completion::kRolledBack);

  const auto then = GENERATE(AfterWork::kPrepare, AfterWork::kStayOpen);
  const Xid next = next_xid();
  const WorkReport report =
      agent.session->work(work_of(next, {plain("SELECT last_insert_id() + 0")}, then));
  REQUIRE_FALSE(report.error);
  CHECK(report.results.at(0).rows == std::vector<std::vector<Value>>{{std::int64_t{0}}});
  if (then == AfterWork::kStayOpen) {
    CHECK(agent.session->roll_back_open(next).completion == Completion::kRolledBack);
  } else {
    CHECK(rollback(*agent.session, next).completion == Completion::kRolledBack);
  }
}
