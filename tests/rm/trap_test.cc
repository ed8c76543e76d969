// The traps of facts.md that would lose money, each under its number.

#include <chrono>
#include <future>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/odbc.h"
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
  CHECK(must(control->list_prepared(kLog)).branches.empty());
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
  const PreparedScan scan = must(agent.control->list_prepared(kLog));
  REQUIRE(scan.branches.size() == 1);
  CHECK(scan.branches[0].transaction_id == report.proof.transaction_id);
  server.run("COMMIT PREPARED '" + to_gid(xid) + "';");
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
  CHECK(must(next.control->list_prepared(kLog)).branches.empty());
}

TEST_CASE("F 10: listing leaves the connection in step") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  for (int i = 0; i < 3; ++i) {
    const PreparedScan scan = must(agent.control->list_prepared(kLog));
    REQUIRE(scan.branches.size() == 1);
    CHECK(scan.branches[0].xid == xid);
    CHECK_FALSE(must(agent.control->identity()).id.empty());
    must(agent.control->heartbeat());
  }
  CHECK(commit(*agent.session, next_xid(), report.proof).completion == Completion::kCannotTell);
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
  for (const PreparedBranch& branch : must(agent.control->list_prepared(kLog)).branches)
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
  const PreparedScan scan = must(agent.control->list_prepared(kLog));
  CHECK(scan.branches.empty());
  CHECK(scan.foreign == 1);
  server.run("XA ROLLBACK " + name + ";");
}
