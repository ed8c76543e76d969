// The start of an agent (R9), the fence (R10), and servers that are refused (design section 8).

#include <chrono>
#include <future>
#include <map>
#include <string>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

std::int64_t sessions_of_the_agent(Server& server) {
  return std::stoll(server->query_value(
      "points",
      server.kind() == Kind::kPostgres
          ? "SELECT count(*) FROM pg_stat_activity WHERE usename = 'assent';"
          : "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'assent';"));
}

Fence fence(std::uint32_t epoch, std::uint64_t nonce, std::uint64_t top,
            std::vector<HeldTop> held = {}) {
  return {.coordinator = "bank",
          .log_id = kLog,
          .epoch = Epoch{epoch},
          .opening_nonce = nonce,
          .log_top = top,
          .held = std::move(held)};
}

void check_fenced(const Result<FenceAnswer>& result, std::uint64_t top, const std::string& why) {
  const FenceAnswer answer = must(result);
  CHECK(answer.top == top);
  REQUIRE(answer.refused);
  CHECK(answer.refused->code == ErrorCode::kFenced);
  CHECK(answer.refused->effect == Effect::kNone);
  CHECK_THAT(answer.refused->message, Catch::Contains(why));
}

/// Raised, and what it was before.
std::uint64_t raised_from(const Result<FenceAnswer>& result) {
  const FenceAnswer answer = must(result);
  CHECK_FALSE(answer.refused);
  return answer.top;
}

ErrorCode refusal_of(Kind kind, const std::map<std::string, std::string>& settings,
                     const std::string& named) {
  Server server(kind, settings);
  const auto refused = server.manager()->take_control(kPatience);
  REQUIRE(refused.has_error());
  CHECK(refused.error().effect == Effect::kNone);
  CHECK_THAT(refused.error().message, Catch::Contains(named));
  return refused.error().code;
}

}  // namespace

TEST_CASE("a second agent is refused with who holds the database, and the first goes on") {
  Server& server = shared_server(each_kind());
  Agent first(server);
  const auto second = server.manager()->take_control(std::chrono::milliseconds(100));
  REQUIRE(second.has_error());
  CHECK(second.error().code == ErrorCode::kFenced);
  CHECK_THAT(second.error().message, Catch::Contains("session "));
  must(first.control->heartbeat());
  CHECK(rollback(*first.session, next_xid()).completion == Completion::kRolledBack);
}

TEST_CASE("a second agent that waits takes over when the first leaves, and ends what it left") {
  Server& server = shared_server(each_kind());
  Agent first(server);
  const auto manager = server.manager();
  auto second = std::async(std::launch::async, [&] { return manager->take_control(kPatience); });
  CHECK(second.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  first.control.reset();
  const auto control = must(second.get());
  CHECK(sessions_of_the_agent(server) == 1);  // seen gone, not told to go
  CHECK(rollback(*first.session, next_xid()).completion == Completion::kUnreached);
  CHECK_FALSE(first.session->usable());
  must(control->heartbeat());
}

TEST_CASE("an agent that lost its lock opens no session") {
  Server& server = shared_server(each_kind());
  Agent asleep(server);
  asleep.control.reset();
  Agent next(server);
  const auto session = asleep.manager->open_session();
  REQUIRE(session.has_error());
  CHECK(session.error().code == ErrorCode::kFenced);
}

TEST_CASE("an agent notices that its control session was ended") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  must(agent.control->heartbeat());
  agent.session.reset();
  server.run(server.kind() == Kind::kPostgres
                 ? "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                   "'assent';"
                 : "KILL CONNECTION USER 'assent'@'127.0.0.1';");
  CHECK(agent.control->heartbeat().has_error());
}

TEST_CASE("end_session returns when the session is gone, and at once when it is not there") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const SessionId id = agent.session->id();
  must(agent.control->end_session(id, kPatience));
  CHECK(sessions_of_the_agent(server) == 1);
  must(agent.control->end_session(id, kPatience));
  CHECK(rollback(*agent.session, next_xid()).completion == Completion::kUnreached);
  CHECK_FALSE(agent.session->usable());
}

TEST_CASE("the fence goes up, never down") {
  Server server(each_kind());
  {
    Agent agent(server);
    constexpr std::uint64_t kNonce = 0xFFFF'FFFF'FFFF'FFF0;
    CHECK(raised_from(agent.control->raise_fence(fence(3, kNonce, 0))) == 0);
    CHECK(raised_from(agent.control->raise_fence(fence(3, kNonce, 10))) == 0);
    CHECK(raised_from(agent.control->raise_fence(fence(3, kNonce, 12))) == 10);
    CHECK(raised_from(agent.control->raise_fence(fence(3, kNonce, 0))) == 12);
    CHECK(raised_from(agent.control->raise_fence(fence(3, kNonce, 11))) == 12);
    check_fenced(agent.control->raise_fence(fence(2, 5, 20)), 12, "epoch 3");
    check_fenced(agent.control->raise_fence(fence(3, 5, 20)), 12, "nonce 18446744073709551600");
    CHECK(raised_from(agent.control->raise_fence(fence(4, 6, 0, {{Epoch{4}, kNonce}}))) == 12);
    CHECK(raised_from(agent.control->raise_fence(fence(4, 6, kNonce))) == 12);
    Fence other = fence(1, 1, 1);
    other.log_id = LogId{0xFFFF'FFFF'FFFF'FFFF};
    CHECK(raised_from(agent.control->raise_fence(other)) == 0);
  }
  server->kill();
  server->start();
  Agent agent(server);
  check_fenced(agent.control->raise_fence(fence(3, 5, 30)), 0xFFFF'FFFF'FFFF'FFF0, "epoch 4");
}

TEST_CASE("a log that lost its end is known by what its openings hold, however long it is by now") {
  Server server(each_kind());
  Agent agent(server);
  const auto check_missing = [&](std::vector<HeldTop> held) {
    const Result<FenceAnswer> refused = agent.control->raise_fence(fence(9, 6, 0, std::move(held)));
    check_fenced(refused, 40, "log top 40");
    CHECK(refused->missing);
  };
  must(agent.control->raise_fence(fence(3, 5, 40)));

  check_missing({});
  check_missing({{Epoch{9}, 39}});
  check_missing({{Epoch{3}, 20}, {Epoch{4}, 30}, {Epoch{7}, 90}, {Epoch{9}, 95}});
  const Result<FenceAnswer> twin = agent.control->raise_fence(fence(3, 6, 0));
  check_fenced(twin, 40, "epoch 3");
  CHECK_FALSE(twin->missing);

  // Whatever this opening told it about is its own.
  const std::vector<HeldTop> held{{Epoch{3}, 20}, {Epoch{4}, 40}, {Epoch{9}, 45}};
  CHECK(raised_from(agent.control->raise_fence(fence(9, 6, 0, held))) == 40);
  CHECK(raised_from(agent.control->raise_fence(fence(9, 6, 90, held))) == 40);
  CHECK(raised_from(agent.control->raise_fence(fence(9, 6, 0, held))) == 90);
}

TEST_CASE("an epoch that another opening of the log has taken deposes every later one of the log") {
  Server server(each_kind());
  Agent agent(server);
  must(agent.control->raise_fence(fence(6, 77, 40)));  // by a copy of the log

  // The log was opened twice since: with that epoch, and with a higher one.
  const std::vector<HeldTop> ours{{Epoch{5}, 20, 5}, {Epoch{6}, 60, 6}, {Epoch{7}, 60, 7}};
  const Result<FenceAnswer> refused = agent.control->raise_fence(fence(7, 7, 0, ours));
  check_fenced(refused, 40, "epoch 6");
  CHECK(refused->deposed);
  CHECK_FALSE(refused->missing);

  // Its own earlier opening deposes nobody; nor does one that a person has given up, or that was
  // recorded before nonces were (0).
  std::vector<HeldTop> held = ours;
  held[1].nonce = GENERATE(77U, 0U);
  CHECK(raised_from(agent.control->raise_fence(fence(7, 7, 0, held))) == 40);
}

TEST_CASE("the logs of a coordinator are those of its name, spelled exactly so") {
  Server server(each_kind());
  Agent agent(server);
  must(agent.control->raise_fence(fence(3, 5, 40)));
  Fence next = fence(1, 1, 0);
  next.log_id = LogId{7};
  for (const char* name : {"Bank", "bank ", "b\u00e4nk"}) {
    next.coordinator = name;
    CHECK(must(agent.control->raise_fence(next)).others.empty());
  }
  next.coordinator = "bank";
  const FenceAnswer answer = must(agent.control->raise_fence(next));
  REQUIRE(answer.others.size() == 1);
  CHECK(answer.others.front().log_id == kLog);
}

TEST_CASE("the list shows our branches of one log, and counts the others") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid ours = next_xid();
  Xid other_log = next_xid();
  other_log.gtrid.log_id = LogId{7};
  const WorkReport report = agent.session->work(work_of(ours, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  require_vote(agent.session->work(work_of(other_log, {take_point(2)})), Vote::kPrepared);
  server.prepare_foreign("somebody-elses");

  const PreparedScan scan = must(agent.control->list_prepared({kLog}));
  REQUIRE(scan.branches.size() == 1);
  CHECK(scan.branches[0].xid == ours);
  CHECK(scan.branches[0].transaction_id == report.proof.transaction_id);
  CHECK(scan.foreign == 2);
  CHECK(rollback(*agent.session, ours).completion == Completion::kRolledBack);
  CHECK(rollback(*agent.session, other_log).completion == Completion::kRolledBack);
  CHECK(must(agent.control->list_prepared({kLog})).branches.empty());
  server.roll_back_foreign("somebody-elses");
}

TEST_CASE("identity: the same at every start but for the takeover, and what votes carry") {
  Server& server = shared_server(each_kind());
  DatabaseIdentity before;
  {
    Agent agent(server);
    before = must(agent.control->identity());
  }
  Agent agent(server);
  const DatabaseIdentity now = must(agent.control->identity());
  CHECK(now.id == before.id);
  CHECK(now.timeline == before.timeline);
  CHECK(now.position >= before.position);
  CHECK(now.takeover != 0);
  CHECK(now.takeover != before.takeover);
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  CHECK(report.proof.database.id == now.id);
  CHECK(report.proof.database.timeline == now.timeline);
  CHECK(report.proof.database.position >= now.position);
  CHECK(report.proof.database.takeover == now.takeover);
  CHECK(report.proof.witness_row == (server.kind() == Kind::kMariadb));
  CHECK((report.proof.transaction_id != 0) == (server.kind() == Kind::kPostgres));
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("servers that would lose branches are refused by name") {
  CHECK(refusal_of(Kind::kPostgres, {{"fsync", "off"}}, "fsync") == ErrorCode::kDatabaseUnfit);
  CHECK(refusal_of(Kind::kPostgres, {{"max_prepared_transactions", "0"}},
                   "max_prepared_transactions") == ErrorCode::kDatabaseUnfit);
  CHECK(refusal_of(Kind::kMariadb, {{"innodb_flush_log_at_trx_commit", "2"}},
                   "innodb_flush_log_at_trx_commit") == ErrorCode::kDatabaseUnfit);
  CHECK(refusal_of(Kind::kMariadb, {{"log_bin", "bin"}, {"sync_binlog", "0"}}, "sync_binlog") ==
        ErrorCode::kDatabaseUnfit);
  CHECK(refusal_of(Kind::kMariadb, {{"default_storage_engine", "Aria"}}, "Aria") ==
        ErrorCode::kDatabaseUnfit);
}

TEST_CASE("a server with a torn-page risk is taken with a warning") {
  Server server(Kind::kPostgres, {{"full_page_writes", "off"}});
  Agent agent(server);
  REQUIRE(agent.control->warnings().size() == 1);
  CHECK_THAT(agent.control->warnings()[0], Catch::Contains("full_page_writes"));
}

TEST_CASE("tables that can't roll back are refused by name") {
  Server& server = shared_server(Kind::kMariadb);
  server->query("points", "CREATE TABLE old (id int) ENGINE=MyISAM;", live::Role::kApplication);
  const auto refused = server.manager()->take_control(kPatience);
  server->query("points", "DROP TABLE old;", live::Role::kApplication);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kDatabaseUnfit);
  CHECK_THAT(refused.error().message, Catch::Contains("InnoDB: old."));
}

TEST_CASE("an account without BINLOG REPLAY is refused, unless the server detaches for it too") {
  Server server(Kind::kMariadb);
  server.run("REVOKE BINLOG REPLAY ON *.* FROM 'assent'@'127.0.0.1';");
  const auto manager = server.manager();
  const auto control = manager->take_control(kPatience);
  if (control.has_error()) {
    CHECK(control.error().code == ErrorCode::kDatabaseUnfit);
    CHECK_THAT(control.error().message, Catch::Contains("BINLOG REPLAY"));
    return;
  }
  // 10.11.19 asks for no privilege.
  const auto owner = must(manager->open_session());
  const Xid xid = next_xid();
  const WorkReport report = owner->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  const auto other = must(manager->open_session());
  CHECK(commit(*other, xid, report.proof).completion == Completion::kCommitted);
}

TEST_CASE("a wrong password is told as such, and a dead server as lost") {
  Server server(each_kind());
  Settings settings = server.settings();
  settings.connection += "wrong";  // the password comes last
  const auto refused = make_resource_manager(settings)->take_control(kPatience);
  REQUIRE(refused.has_error());
  // psqlODBC gives 08001 for whatever stops a login: then only the words tell.
  CHECK(refused.error().code == (server.kind() == Kind::kPostgres ? ErrorCode::kConnectionLost
                                                                  : ErrorCode::kDatabaseUnfit));
  CHECK_THAT(refused.error().message, Catch::Contains("password"));
  server->stop();
  const auto unreachable = server.manager()->take_control(kPatience);
  REQUIRE(unreachable.has_error());
  CHECK(unreachable.error().code == ErrorCode::kConnectionLost);
}

TEST_CASE("check_statement needs no database") {
  Settings settings;
  settings.kind = each_kind();
  const auto manager = make_resource_manager(settings);
  CHECK(manager->check_statement(take_point(1)).has_value());
  CHECK(manager->check_statement(plain("COMMIT")).error().code == ErrorCode::kStatementNotAllowed);
  CHECK(manager->check_statement(plain("SELECT ?")).error().code == ErrorCode::kInvalid);
}
