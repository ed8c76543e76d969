// The traps of facts.md that would lose money, each under its number.

#include <chrono>
#include <future>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/odbc.h"
#include "participant_agents/rm/xa_codes.h"
#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

std::unique_ptr<odbc::Connection> connect(Server& server, const std::string& options) {
  auto opened = odbc::Connection::open(server->odbc_connection("points") + options, kPatience);
  REQUIRE(opened.connection);
  return std::move(opened.connection);
}

/// Waits until a session of the agent's account waits for a lock.
void wait_for_a_waiter(Server& server) {
  const std::string waiters =
      server.kind() == Kind::kPostgres
          ? "SELECT count(*) FROM pg_stat_activity WHERE usename = 'assent' AND wait_event_type = "
            "'Lock';"
          : "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'assent' AND "
            "info LIKE '%UPDATE card%' AND time_ms > 20;";
  REQUIRE(
      live::wait_until([&] { return server->query_value("points", waiters) != "0"; }, kPatience));
}

/// Its commits and prepares wait for this standby; empty: for none.
void wait_for_standby(Server& server, const std::string& name) {
  server.run("ALTER SYSTEM SET synchronous_standby_names = '" + name + "';");
  server.run("SELECT pg_reload_conf();");
  REQUIRE(live::wait_until(
      [&] { return server->query_value("points", "SHOW synchronous_standby_names;") == name; },
      kPatience));
}

bool waits_for_standby(Server& server) {
  return server->query_value(
             "points", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep';") !=
         "0";
}

}  // namespace

TEST_CASE("F 1: psqlODBC calls a prepare a success that prepared nothing, and the vote is no") {
  Server& server = shared_server(Kind::kPostgres);
  const auto raw = connect(server, ";Protocol=7.4-0");
  CHECK_FALSE(raw->execute("BEGIN").failure);
  CHECK(raw->execute("SELECT 1/0").failure);
  const odbc::Answer phantom = raw->execute("PREPARE TRANSACTION 'phantom'");
  CHECK_FALSE(phantom.failure);
  CHECK(server.prepared_count() == 0);

  Agent agent(server);
  const WorkReport report =
      agent.session->work(work_of(next_xid(), {take_point(1), plain("SELECT 1/0")}));
  CHECK(report.vote == Vote::kRolledBack);
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("F 1: the default protocol would prepare partial work; the connection string can't ask") {
  Server& server = shared_server(Kind::kPostgres);
  const auto raw = connect(server, "");
  raw->execute("BEGIN");
  raw->execute("UPDATE card SET points = 7 WHERE id = 1");
  CHECK(raw->execute("SELECT 1/0").failure);
  CHECK_FALSE(raw->execute("PREPARE TRANSACTION 'partial'").failure);
  CHECK(server.prepared_count() == 1);
  server.run("ROLLBACK PREPARED 'partial';");

  Settings settings = server.settings();
  settings.connection += ";protocol=7.4-2";
  const auto refused = make_resource_manager(settings)->take_control(kPatience);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kInvalid);
}

TEST_CASE("F 1: a ROLLBACK that finds no transaction is a success with a notice") {
  const auto raw = connect(shared_server(Kind::kPostgres), ";Protocol=7.4-0");
  const odbc::Answer none = raw->execute("ROLLBACK");
  CHECK_FALSE(none.failure);
  REQUIRE(none.notice);
  CHECK(none.notice->sqlstate == "25P01");
  CHECK_FALSE(raw->execute("BEGIN").notice);
  CHECK_FALSE(raw->execute("ROLLBACK").notice);
}

TEST_CASE("F 2: COMMIT PREPARED inside a multi-statement message is refused") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  const odbc::Answer answer = connect(server, ";Protocol=7.4-0")
                                  ->execute("SELECT 1; COMMIT PREPARED '" + to_gid(xid) + "'");
  REQUIRE(answer.failure);
  CHECK(answer.failure->sqlstate == "25001");
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
}

TEST_CASE("F 3: another database of the cluster lists a branch and can't finish it") {
  Server server(Kind::kPostgres);
  server->create_database("other");
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);

  Settings settings = server.settings();
  settings.connection = server->odbc_connection("other");
  const auto manager = make_resource_manager(settings);
  const auto control = must(manager->take_control(kPatience));
  const auto session = must(manager->open_session());
  const FinishReport finish = rollback(*session, xid);
  CHECK(finish.completion == Completion::kStillPrepared);
  REQUIRE(finish.error);
  CHECK(finish.error->sqlstate == "0A000");
  CHECK(must(control->list_prepared({kLog})).branches.empty());
  CHECK(must(control->identity()).id != report.proof.database.id);
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
}

TEST_CASE("F 3: max_prepared_transactions exhausted is busy, with nothing left") {
  Server server(Kind::kPostgres, {{"max_prepared_transactions", "1"}});
  Agent agent(server);
  CHECK(agent.control->prepared_max() == 1);
  const Xid xid = next_xid();
  const WorkReport first = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(first, Vote::kPrepared);
  const WorkReport second = agent.session->work(work_of(next_xid(), {take_point(2)}));
  CHECK(second.vote == Vote::kRolledBack);
  REQUIRE(second.error);
  CHECK(second.error->code == ErrorCode::kBusy);
  CHECK(second.error->sqlstate == "53200");
  CHECK_THAT(second.error->message, Catch::Contains("set max_prepared_transactions"));
  CHECK(server.prepared_count() == 1);
  CHECK(commit(*agent.session, xid, first.proof).completion == Completion::kCommitted);
}

TEST_CASE("F 4: a deferred constraint fails at the prepare, and that is a no") {
  Server& server = shared_server(Kind::kPostgres);
  server->query("points",
                "CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
                "INSERT INTO late VALUES (1);",
                live::Role::kApplication);
  Agent agent(server);
  const WorkReport report = agent.session->work(
      work_of(next_xid(), {guarded("INSERT INTO late VALUES (1)", 1), take_point(1)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->sqlstate == "23505");
  CHECK(server.prepared_count() == 0);
  server->query("points", "DROP TABLE late;", live::Role::kApplication);
}

// A commit in waiting for a standby that is gone: its locks are still held, and nobody else may
// finish it.
TEST_CASE("F 4: a branch that somebody else is just finishing is still prepared") {
  Server server(Kind::kPostgres);
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  wait_for_standby(server, "nobody");
  auto somebody =
      std::async(std::launch::async, [&] { server.run("COMMIT PREPARED '" + to_gid(xid) + "';"); });
  REQUIRE(live::wait_until([&] { return waits_for_standby(server); }, kPatience));

  const auto another = connect(server, ";Protocol=7.4-0");
  const odbc::Answer busy = another->execute("COMMIT PREPARED '" + to_gid(xid) + "'");
  REQUIRE(busy.failure);
  CHECK(busy.failure->sqlstate == "55000");
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kStillPrepared);

  wait_for_standby(server, "");
  somebody.get();
  const FinishReport finish = commit(*agent.session, xid, report.proof);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == Evidence::kTransactionStatus);
}

TEST_CASE("F 4: a prepare that waits for a standby is seen, and no vote until it answers") {
  Server server(Kind::kPostgres);
  Agent agent(server);
  wait_for_standby(server, "nobody");
  const Xid xid = next_xid();
  const SessionId id = agent.session->id();
  auto work = std::async(std::launch::async,
                         [&] { return agent.session->work(work_of(xid, {take_point(1)})); });
  REQUIRE(live::wait_until([&] { return server.prepared_count() == 1; }, kPatience));
  agent.session->interrupt();
  CHECK(work.get().vote == Vote::kUnknown);
  must(agent.control->end_session(id, kPatience));
  wait_for_standby(server, "");
  CHECK(must(agent.control->list_prepared({kLog})).branches.size() == 1);
  CHECK(rollback(*agent.another_session(), xid).completion == Completion::kRolledBack);
}

TEST_CASE("F 4: transaction ids are known in 64 bits on a cluster that has wrapped around") {
  Server server(Kind::kPostgres);
  server->stop();
  server.move_to_epoch(1);
  server->start();
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  CHECK(report.proof.transaction_id >> 32U == 1);
  const PreparedScan scan = must(agent.control->list_prepared({kLog}));
  REQUIRE(scan.branches.size() == 1);
  CHECK(scan.branches[0].transaction_id == report.proof.transaction_id);
  server.run("COMMIT PREPARED '" + to_gid(xid) + "';");
  agent.restart(server);
  const FinishReport finish = commit(*agent.session, xid, report.proof);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == Evidence::kTransactionStatus);
}

TEST_CASE(
    "F 8: work of a dead agent that waits for a lock is never prepared after the next start") {
  Server& server = shared_server(each_kind());
  auto dead = std::make_unique<Agent>(server);
  const auto holder = dead->another_session();
  const Xid held = next_xid();
  require_vote(holder->work(work_of(held, {take_point(1)})), Vote::kPrepared);
  const Xid waiting = next_xid();
  auto zombie = std::async(std::launch::async, [&] {
    Work work = work_of(waiting, {take_point(1)});
    work.lock_wait = std::chrono::seconds(9);
    return dead->session->work(work);
  });
  wait_for_a_waiter(server);
  dead->control.reset();  // its lock falls; its sessions live on in the server

  Agent next(server);
  CHECK(rollback(*next.session, held).completion == Completion::kRolledBack);
  const WorkReport report = zombie.get();
  CHECK(report.vote == Vote::kUnknown);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kConnectionLost);
  CHECK_FALSE(dead->session->usable());
  CHECK(server.prepared_count() == 0);
  CHECK(must(next.control->list_prepared({kLog})).branches.empty());
}

// A branch without a row of its own to witness: what the agent writes in each of ours.
TEST_CASE(
    "F 13: a branch that only read is rolled back when its owner leaves, and 1402 is no proof") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const Xid xid = next_xid();
  const std::string name = xa_name_of(xid);
  auto owner = connect(server, "");
  for (const std::string& sql : {"XA START " + name, std::string("SELECT * FROM card"),
                                 "XA END " + name, "XA PREPARE " + name}) {
    CHECK_FALSE(owner->execute(sql).failure);
  }
  owner.reset();
  const auto another = connect(server, "");
  odbc::Answer told;
  REQUIRE(live::wait_until(
      [&] {
        told = another->execute("XA COMMIT " + name);
        return told.failure && told.failure->native != 1397;  // the owner is still leaving
      },
      kPatience));
  CHECK(told.failure->native == 1402);
  CHECK(meaning_of(Kind::kMariadb, *told.failure) == Meaning::kBranchRolledBack);
  const FinishReport finish =
      commit(*agent.session, xid, {must(agent.control->identity()), 0, true});
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK(finish.evidence == Evidence::kNoWitnessRow);
}

TEST_CASE("F 13: XA PREPARE drops shared locks, and keeps those of FOR UPDATE") {
  Server& server = shared_server(Kind::kMariadb);
  const auto holder = connect(server, "");
  for (const char* sql :
       {"XA START 'reader'", "SELECT * FROM card WHERE id = 1 LOCK IN SHARE MODE",
        "SELECT * FROM card WHERE id = 2 FOR UPDATE", "UPDATE card SET points = 50 WHERE id = 3",
        "XA END 'reader'", "XA PREPARE 'reader'"}) {
    CHECK_FALSE(holder->execute(sql).failure);
  }
  const auto writer = connect(server, "");
  CHECK_FALSE(writer->execute("SET innodb_lock_wait_timeout = 0").failure);
  CHECK_FALSE(writer->execute("UPDATE card SET points = 40 WHERE id = 1").failure);
  const odbc::Answer locked = writer->execute("UPDATE card SET points = 40 WHERE id = 2");
  REQUIRE(locked.failure);
  CHECK(locked.failure->native == 1205);
  CHECK_FALSE(holder->execute("XA ROLLBACK 'reader'").failure);
}

TEST_CASE("F 10: listing leaves the connection in step") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  for (int i = 0; i < 3; ++i) {
    const PreparedScan scan = must(agent.control->list_prepared({kLog}));
    REQUIRE(scan.branches.size() == 1);
    CHECK(scan.branches[0].xid == xid);
    CHECK_FALSE(must(agent.control->identity()).id.empty());
    must(agent.control->heartbeat());
  }
  CHECK(commit(*agent.session, next_xid(), report.proof).completion == Completion::kRolledBack);
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
}

TEST_CASE("F 11: a call that hangs in a stopped server returns when it is interrupted") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  server->pause();
  auto hung = std::async(std::launch::async,
                         [&] { return agent.session->work(work_of(next_xid(), {take_point(1)})); });
  CHECK(hung.wait_for(std::chrono::milliseconds(200)) == std::future_status::timeout);
  agent.session->interrupt();
  CHECK(hung.wait_for(kPatience) == std::future_status::ready);
  server->resume();
  const WorkReport report = hung.get();
  CHECK(report.vote == Vote::kUnknown);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kConnectionLost);
  CHECK(report.error->effect == Effect::kUnknown);
  CHECK_FALSE(agent.session->usable());
  must(agent.control->end_session(agent.session->id(), kPatience));
  // What the server had received may have been prepared before its session went.
  for (const PreparedBranch& branch : must(agent.control->list_prepared({kLog})).branches)
    CHECK(rollback(*agent.another_session(), branch.xid).completion == Completion::kRolledBack);
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("F 11: a database that goes dark behind the connect does not hold an opening session") {
  Server& server = shared_server(each_kind());
  const auto link = must(Link::open(server.settings(), {}));
  server->pause();
  auto asked = std::async(std::launch::async, [&] {
    const CallWatchdog watchdog(*link, std::chrono::milliseconds(200));
    return link->query("SELECT 1").has_error();
  });
  CHECK(asked.wait_for(kPatience) == std::future_status::ready);
  server->resume();
  CHECK(asked.get());
  CHECK(link->lost());
}

TEST_CASE("F 11: connecting to a stopped server ends, and others can connect afterwards") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  Settings settings = server.settings();
  settings.call_timeout = std::chrono::milliseconds(300);
  server->pause();
  const auto refused = make_resource_manager(settings)->take_control(kPatience);
  server->resume();
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kConnectionLost);
  CHECK(refused.error().effect == Effect::kNone);
  CHECK(rollback(*agent.another_session(), next_xid()).completion == Completion::kRolledBack);
}

TEST_CASE("F 11: an interrupted session does not disturb others, nor sockets opened since") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const auto other = agent.another_session();
  agent.session->interrupt();
  const auto later = agent.another_session();
  agent.session->interrupt();
  CHECK(rollback(*agent.session, next_xid()).completion == Completion::kUnreached);
  agent.session.reset();
  CHECK(rollback(*other, next_xid()).completion == Completion::kRolledBack);
  CHECK(rollback(*later, next_xid()).completion == Completion::kRolledBack);
}

TEST_CASE("F 12: a failed statement dooms its branch, whatever the database would allow") {
  Server& server = shared_server(Kind::kMariadb);
  const auto raw = connect(server, "");
  raw->execute("XA START 'f12'");
  raw->execute("UPDATE card SET points = 7 WHERE id = 1");
  CHECK(raw->execute("INSERT INTO card VALUES (1, 1)").failure->native == 1062);
  CHECK_FALSE(raw->execute("XA END 'f12'").failure);
  CHECK_FALSE(raw->execute("XA PREPARE 'f12'").failure);  // partial work, prepared
  CHECK_FALSE(raw->execute("XA ROLLBACK 'f12'").failure);

  Agent agent(server);
  const std::string failing =
      GENERATE("INSERT INTO card VALUES (1, 1)", "SELECT SLEEP(3)");  // 1062, 1969
  Settings settings = server.settings();
  settings.statement_timeout = std::chrono::milliseconds(300);
  agent.control.reset();
  agent.manager = make_resource_manager(settings);
  agent.control = must(agent.manager->take_control(kPatience));
  agent.session = agent.another_session();
  const WorkReport report =
      agent.session->work(work_of(next_xid(), {take_point(1), plain(failing)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->native == (failing == "SELECT SLEEP(3)" ? 1969 : 1062));
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
}

TEST_CASE("F 14: the driver may not reconnect by itself, and branches of others are left alone") {
  Server& server = shared_server(Kind::kMariadb);
  Settings settings = server.settings();
  settings.connection += ";AUTO_RECONNECT=1";
  const auto refused = make_resource_manager(settings)->take_control(kPatience);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kInvalid);

  Agent agent(server);
  Xid elsewhere = next_xid();
  elsewhere.bqual = "payments";
  const std::string name = xa_name_of(elsewhere);
  server.run("XA START " + name + "; UPDATE card SET points = 1 WHERE id = 1; XA END " + name +
             "; XA PREPARE " + name + ";");
  const PreparedScan scan = must(agent.control->list_prepared({kLog}));
  CHECK(scan.branches.empty());
  CHECK(scan.foreign == 1);
  server.run("XA ROLLBACK " + name + ";");
}

namespace {

constexpr const char* kList = ";OPTION=67108866;CHARSET=utf8mb4";

/// The text reached the server in one message.
bool went_as_one(Server& server, const std::string& text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return server->query_value("points",
                             "SELECT COUNT(*) FROM mysql.general_log WHERE command_type = 'Query' "
                             "AND argument = '" +
                                 quoted + "';") == "1";
}

void log_messages(Server& server) {
  server.run("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1;");
}

std::string as_list(const std::string& name, const std::vector<std::string>& statements) {
  std::string sql = "XA START " + name + "; ";
  for (const std::string& statement : statements) sql += statement + "; ";
  return sql + "XA END " + name + "; XA PREPARE " + name;
}

}  // namespace

TEST_CASE("F 10: answers to a list of statements don't shift") {
  Server server(Kind::kMariadb);
  log_messages(server);
  const auto raw = connect(server, kList);
  const std::string good = "UPDATE card SET points = points - 1 WHERE id = 1";
  const std::string none = "UPDATE card SET points = points - 1 WHERE id = 77";
  const std::string bad = GENERATE("INSERT INTO card VALUES (2, 2)", "UPDATE UPDATE",
                                   "UPDATE card SET points = -1", "DELETE FROM nowhere");
  std::int64_t number = 7000;
  for (std::size_t count = 1; count <= 20; ++count) {
    for (std::size_t failing = 0; failing <= count; ++failing) {
      std::vector<std::string> statements(count, count % 2 == 0 ? good : none);
      if (failing < count) statements[failing] = bad;
      const std::string name = "'list-" + std::to_string(++number) + "'";
      const std::string sql = as_list(name, statements);
      CAPTURE(sql);
      const odbc::Answer answer = raw->execute(sql);
      REQUIRE(answer.failure.has_value() == (failing < count));
      REQUIRE(answer.results.size() == (failing < count ? failing + 1 : count + 3));
      REQUIRE_FALSE(answer.notice);
      if (failing == count) {
        for (std::size_t i = 0; i < count; ++i)
          REQUIRE(answer.results[i + 1].row_count == (count % 2 == 0 ? 1 : 0));
      }
      const odbc::Answer next = raw->execute("SELECT " + std::to_string(number));
      REQUIRE(next.results.at(0).rows.at(0).at(0) == Value(number));
      if (failing < count) REQUIRE_FALSE(raw->execute("XA END " + name).failure);
      REQUIRE_FALSE(raw->execute("XA ROLLBACK " + name).failure);
    }
  }
  // Warnings are no remarks, and each statement has its own time.
  raw->execute("SET SESSION max_statement_time = 0.5");
  const odbc::Answer warned = raw->execute(as_list(
      "'warned'", {"INSERT IGNORE INTO card VALUES (2, 2)", "DO SLEEP(0.3)", "DO SLEEP(0.3)"}));
  CHECK_FALSE(warned.failure);
  CHECK_FALSE(warned.notice);
  CHECK(warned.results.at(1).row_count == 0);
  REQUIRE_FALSE(raw->execute("XA ROLLBACK 'warned'").failure);
  const std::string last = "XA START 'last'; " + good + "; XA PREPARE 'last'";
  const odbc::Answer unprepared = raw->execute(last);
  CHECK(unprepared.failure);
  CHECK(unprepared.results.size() == 2);
  CHECK(went_as_one(server, last));
  CHECK(raw->execute("SELECT 1").results.at(0).rows.at(0).at(0) == Value(std::int64_t{1}));
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("the driver goes on behind an error in a list that returns rows, up to the prepare") {
  Server& server = shared_server(Kind::kMariadb);
  const auto raw = connect(server, kList);
  const std::string name = "'goes-on'";
  CHECK(raw->execute(as_list(name, {"SELECT 1", "INSERT INTO card VALUES (2, 2)"})).failure);
  CHECK(server.prepared_count() == 1);
  CHECK_FALSE(raw->execute("XA ROLLBACK " + name).failure);
  Agent agent(server);
  const WorkReport report = agent.session->work(
      work_of(next_xid(), {plain("SELECT 1"), plain("INSERT INTO card VALUES (2, 2)")}));
  CHECK(report.vote == Vote::kRolledBack);
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("the driver gives no code with a later error of a list, and the server still has it") {
  const auto raw = connect(shared_server(Kind::kMariadb), kList);
  const odbc::Answer first = raw->execute("INSERT INTO card VALUES (2, 2); DO 0");
  REQUIRE(first.failure);
  CHECK(first.failure->native == 1062);
  const odbc::Answer later = raw->execute("DO 0; INSERT INTO card VALUES (2, 2); DO 0");
  REQUIRE(later.failure);
  CHECK(later.failure->native == 0);
  REQUIRE_FALSE(raw->execute("GET DIAGNOSTICS CONDITION 1 @e = MYSQL_ERRNO").failure);
  CHECK(raw->execute("SELECT @e").results.at(0).rows.at(0).at(0) == Value(std::int64_t{1062}));
}

TEST_CASE("a connection that is lost in the midst of a list fails the next call at once") {
  Server& server = shared_server(Kind::kMariadb);
  const auto raw = connect(server, kList);
  const odbc::Answer answer =
      raw->execute("DO 0; UPDATE card SET points = 7 WHERE id = 1; KILL CONNECTION_ID(); DO 0");
  CHECK(answer.failure);
  const auto interrupted = connect(server, kList);
  std::thread cutter([&] {
    server->query_value("points", "SELECT SLEEP(0.2);");
    interrupted->interrupt();
  });
  CHECK(interrupted->execute("DO 0; DO SLEEP(8); DO 0").failure);
  cutter.join();
  CHECK(interrupted->execute("DO 0").failure);
  CHECK(raw->execute("DO 0").failure);
}

TEST_CASE("a branch goes to MariaDB in one message, which is not prepared there") {
  Server server(Kind::kMariadb);
  log_messages(server);
  Agent agent(server);
  const Xid xid = next_xid();
  Statement text = plain("UPDATE card SET points = points - 1 WHERE 'x' <> ? AND id = 3");
  text.params = {"it''s -- \\ \" ` { /* # a text"};
  require_vote(agent.session->work(work_of(xid, {take_point(1),
                                                 plain("DELETE FROM card WHERE id "
                                                       "= 77"),
                                                 text})),
               Vote::kPrepared);
  const std::string sent = "FROM mysql.general_log WHERE argument LIKE 'XA START%" +
                           std::string("UPDATE%DELETE%UPDATE%") +
                           "INSERT INTO assent_witness%XA END%XA PREPARE%'";
  CHECK(server->query_value("points", "SELECT COUNT(*) " + sent + ";") == "1");
  CHECK(server->query_value("points", "SELECT command_type " + sent + ";") == "Query");
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("what the driver's own lexer could misread is sent as a compound statement") {
  Server server(Kind::kMariadb);
  log_messages(server);
  server.run("ALTER TABLE card ADD word VARCHAR(200) CHARACTER SET utf8mb4;");
  Agent agent(server);
  const std::string word = GENERATE(as<std::string>(), "a\n? b", "a\n; SELECT 1; -- ", "a ? b",
                                    "a; DELETE FROM card", "a\r\n' ; UPDATE card SET points = 0");
  const Xid xid = next_xid();
  Statement statement = plain("UPDATE card SET points = points - 1, word = ? WHERE id = 1");
  statement.params = {word};
  const WorkReport report = agent.session->work(work_of(xid, {statement, take_point(2)}));
  require_vote(report, Vote::kPrepared);
  CHECK(report.results.at(0).rows_affected == 1);
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
  CHECK(server.points(1) == 99);
  CHECK(server.points(2) == 99);
  Work look = work_of(next_xid(), {plain("SELECT word FROM card WHERE id = 1")});
  look.access = Access::kReadOnly;
  CHECK(agent.session->work(look).results.at(0).rows.at(0).at(0) == Value(word));
  CHECK(server->query_value("points",
                            "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE "
                            "'BEGIN NOT ATOMIC XA START%';") != "0");
}

TEST_CASE("an error in the midst of a branch is told with its code and its step") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  struct Case {
    const char* sql;
    std::int32_t native;
    const char* sqlstate;
  };
  const auto wrong = GENERATE(Case{"INSERT INTO card VALUES (2, 2)", 1062, "23000"},
                              Case{"UPDATE UPDATE", 1064, "42000"},
                              Case{"UPDATE card SET nothing = 1", 1054, "42S22"},
                              Case{"UPDATE card SET points = -1 WHERE id = 4", 4025, "23000"});
  const auto at = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2});
  std::vector<Statement> statements = {take_point(1), take_point(2), take_point(3)};
  statements[at] = plain(wrong.sql);
  const bool open = GENERATE(false, true);
  const Xid xid = next_xid();
  Work work = work_of(xid, statements);
  if (open) {
    REQUIRE_FALSE(agent.session->work(work_of(xid, {take_point(5)}, AfterWork::kStayOpen)).error);
    work.first_index = 1;
  }
  const WorkReport report = agent.session->work(work);
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kStatementFailed);
  CHECK(report.error->native == wrong.native);
  CHECK(report.error->sqlstate == wrong.sqlstate);
  CHECK(report.error->step == static_cast<std::int32_t>(at) + (open ? 1 : 0));
  CHECK(agent.session->usable());
  CHECK(server.prepared_count() == 0);
  const Xid next = next_xid();
  require_vote(agent.session->work(work_of(next, {take_point(1), take_point(5)})), Vote::kPrepared);
  CHECK(rollback(*agent.session, next).completion == Completion::kRolledBack);
}

TEST_CASE("a guard that was not met is told, and not what failed behind it") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const WorkReport report = agent.session->work(work_of(
      next_xid(), {take_point(1), take_point(77), plain("INSERT INTO card VALUES (2, 2)")}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kGuardNotMet);
  CHECK(report.error->step == 1);
  CHECK(server.prepared_count() == 0);
  CHECK(agent.session->usable());
}

TEST_CASE("a witness row that is there already is a no without a step") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const Xid xid = next_xid();
  server.run("INSERT INTO assent_witness VALUES (" +
             std::to_string(static_cast<std::uint64_t>(xid.gtrid.log_id)) + ", 1, " +
             std::to_string(static_cast<std::uint64_t>(xid.gtrid.sequence)) + ", 'points');");
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->native == 1062);
  CHECK(report.error->step == -1);
  CHECK(server.prepared_count() == 0);
  server.run("DELETE FROM assent_witness;");
}

TEST_CASE("a statement of a branch that a person or its limit stops is a conflict") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const bool by_a_person = GENERATE(true, false);
  const Xid xid = next_xid();
  Work work = work_of(xid, {take_point(1),
                            plain("UPDATE card SET points = points - 1 WHERE id = 2 AND SLEEP(8) = "
                                  "0"),
                            take_point(3)});
  if (!by_a_person) work.deadline = std::chrono::milliseconds(500);
  auto working = std::async(std::launch::async, [&] { return agent.session->work(work); });
  if (by_a_person) {
    wait_for_a_waiter(server);
    server.run("KILL QUERY " + std::to_string(static_cast<std::uint64_t>(agent.session->id())) +
               ";");
  }
  const WorkReport report = working.get();
  CHECK(report.vote == Vote::kRolledBack);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kConflict);
  CHECK(report.error->native == (by_a_person ? 1317 : 1969));
  CHECK(server.prepared_count() == 0);
  CHECK(agent.session->usable());
  CHECK(server.points(1) == 100);
}
