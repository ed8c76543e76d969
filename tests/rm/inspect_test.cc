// Looking without touching: what is prepared, how old it is, whom it holds up (design section 6,
// F 4, F 14).

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

struct Prepared {
  Xid xid;
  BranchProof proof;
};

Prepared prepare_one(Agent& agent, int card) {
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(card)}));
  require_vote(report, Vote::kPrepared);
  return {xid, report.proof};
}

/// A session of the application that runs a statement, and is waited for at the end.
class Waiter {
 public:
  Waiter(Server& server, const std::string& sql)
      : done_(std::async(std::launch::async, [&server, sql] {
          return server->run_sql("points", sql, live::Role::kApplication);
        })) {}
  live::CommandResult wait() { return done_.get(); }

 private:
  std::future<live::CommandResult> done_;
};

/// So that it waits for as long as a test may need.
std::string patient(const Server& server, const std::string& sql) {
  return server.kind() == Kind::kPostgres ? sql : "SET innodb_lock_wait_timeout = 60; " + sql;
}

std::int64_t waiting_sessions(Server& server) {
  return std::stoll(server->query_value(
      "points", server.kind() == Kind::kPostgres
                    ? "SELECT count(*) FROM pg_locks WHERE NOT granted;"
                    : "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app' AND "
                      "command = 'Query';"));
}

void wait_until_waiting(Server& server, std::int64_t sessions) {
  REQUIRE(live::wait_until([&] { return waiting_sessions(server) == sessions; }, kPatience));
}

/// Looks until a session is told as blocked: a statement begins to wait a moment after it is seen.
Inspection inspect_until_blocked(Agent& agent, std::size_t sessions) {
  Inspection seen;
  const auto look = [&] {
    seen = must(agent.session->inspect({kLog}, {}));
    std::size_t blocked = 0;
    for (const auto& branch : seen.branches) blocked += branch.blocked.size();
    for (const auto& branch : seen.foreign) blocked += branch.blocked.size();
    return blocked >= sessions;
  };
  live::wait_until(look, kPatience);
  return seen;
}

const BranchSight& sight_of(const Inspection& seen, const Xid& xid) {
  for (const BranchSight& sight : seen.branches) {
    if (sight.xid == xid) return sight;
  }
  FAIL("the branch is not told of");
  std::abort();
}

}  // namespace

TEST_CASE("inspect tells whom a branch holds up, and tells its branches apart") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const bool postgres = server.kind() == Kind::kPostgres;
  const Prepared free = prepare_one(agent, 1);
  const Prepared blocking = prepare_one(agent, 2);
  const Prepared other = prepare_one(agent, 3);
  server.prepare_foreign("somebody-elses");  // card 5
  Waiter first(server, patient(server, "UPDATE card SET points = points + 1 WHERE id = 2;"));
  wait_until_waiting(server, 1);
  Waiter second(server, patient(server, "UPDATE card SET points = points + 1 WHERE id = 2;"));
  wait_until_waiting(server, 2);

  const Inspection seen = inspect_until_blocked(agent, 2);
  REQUIRE(seen.branches.size() == 3);
  CHECK(sight_of(seen, free.xid).blocked.empty());
  CHECK(sight_of(seen, other.xid).blocked.empty());
  const BranchSight& sight = sight_of(seen, blocking.xid);
  CHECK(sight.completion == Completion::kStillPrepared);
  CHECK(sight.evidence == Evidence::kListed);
  CHECK(sight.transaction_id == blocking.proof.transaction_id);
  CHECK(sight.age > Duration(0));
  CHECK_FALSE(sight.error);
  REQUIRE(sight.blocked.size() == 2);
  for (const BlockedSession& blocked : sight.blocked) {
    CHECK(blocked.session != 0);
    CHECK(blocked.user == "app");
    CHECK_THAT(blocked.query, Catch::Contains("UPDATE card SET points = points + 1"));
    CHECK(blocked.waiting > Duration(0));
    CHECK_THAT(blocked.lock, Catch::Contains("card"));
  }
  CHECK(sight.blocked[0].session != sight.blocked[1].session);
  REQUIRE(seen.foreign.size() == 1);
  CHECK(seen.foreign[0].name == (postgres ? "somebody-elses" : "'somebody-elses'"));
  CHECK(seen.foreign[0].blocked.empty());
  if (postgres) CHECK(seen.foreign[0].age > Duration(0));

  CHECK(server.prepared_count() == 4);  // nothing was touched
  for (const Prepared& one : {free, blocking, other})
    CHECK(rollback(*agent.session, one.xid).completion == Completion::kRolledBack);
  CHECK(first.wait().end.succeeded());
  CHECK(second.wait().end.succeeded());
  CHECK(server.points(2) == 102);
  server.roll_back_foreign("somebody-elses");
}

TEST_CASE("inspect tells whom a foreign branch holds up") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Prepared ours = prepare_one(agent, 1);
  server.prepare_foreign("somebody-elses");
  Waiter waiter(server, patient(server, "UPDATE card SET points = 7 WHERE id = 5;"));
  wait_until_waiting(server, 1);

  const Inspection seen = inspect_until_blocked(agent, 1);
  REQUIRE(seen.foreign.size() == 1);
  CHECK(seen.foreign[0].age > Duration(0));
  REQUIRE(seen.foreign[0].blocked.size() == 1);
  CHECK_THAT(seen.foreign[0].blocked[0].query, Catch::Contains("points = 7"));
  CHECK(sight_of(seen, ours.xid).blocked.empty());
  CHECK_FALSE(sight_of(seen, ours.xid).error);
  server.roll_back_foreign("somebody-elses");
  CHECK(waiter.wait().end.succeeded());
  CHECK(rollback(*agent.session, ours.xid).completion == Completion::kRolledBack);
}

TEST_CASE("F 4: whom a prepared branch holds up is told after a restart, and for table locks") {
  Server server(Kind::kPostgres);
  Xid xid;
  {
    Agent agent(server);
    xid = prepare_one(agent, 1).xid;
  }
  const bool restarts = GENERATE(false, true);
  if (restarts) server->restart();
  Agent agent(server);
  Waiter table(server, "ALTER TABLE card ADD COLUMN more int;");
  wait_until_waiting(server, 1);
  const Inspection seen = inspect_until_blocked(agent, 1);
  const BranchSight& sight = sight_of(seen, xid);
  REQUIRE(sight.blocked.size() == 1);
  CHECK_THAT(sight.blocked[0].query, Catch::Contains("ALTER TABLE card"));
  CHECK(sight.blocked[0].lock == "AccessExclusiveLock on relation card");
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
  CHECK(table.wait().end.succeeded());
}

TEST_CASE("MariaDB: what can't be told is said") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const Prepared ours = prepare_one(agent, 1);
  server.run("REVOKE PROCESS ON *.* FROM 'assent'@'127.0.0.1';");
  agent.session = agent.another_session();
  const Inspection seen = must(agent.session->inspect({kLog}, {}));
  server.run("GRANT PROCESS ON *.* TO 'assent'@'127.0.0.1';");
  const BranchSight& sight = sight_of(seen, ours.xid);
  CHECK(sight.completion == Completion::kStillPrepared);
  REQUIRE(sight.error);
  CHECK_THAT(sight.error->message, Catch::Contains("PROCESS"));
  CHECK(rollback(*agent.session, ours.xid).completion == Completion::kRolledBack);
}

TEST_CASE("inspect tells what became of branches that are not listed, and changes nothing") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const bool postgres = server.kind() == Kind::kPostgres;
  const Prepared listed = prepare_one(agent, 1);
  const Prepared committed = prepare_one(agent, 2);
  const Prepared undone = prepare_one(agent, 3);
  CHECK(commit(*agent.session, committed.xid, committed.proof).completion ==
        Completion::kCommitted);
  CHECK(rollback(*agent.session, undone.xid).completion == Completion::kRolledBack);
  Xid other_log = next_xid();
  other_log.gtrid.log_id = LogId{7};
  require_vote(agent.session->work(work_of(other_log, {take_point(4)})), Vote::kPrepared);

  BranchProof mistaken = listed.proof;
  mistaken.database.id = "7/7";
  const Xid never = next_xid();
  const Inspection seen = must(agent.session->inspect({kLog}, {{committed.xid, committed.proof},
                                                               {listed.xid, mistaken},
                                                               {undone.xid, undone.proof},
                                                               {never, std::nullopt}}));
  REQUIRE(seen.branches.size() == 4);
  CHECK(seen.branches[0].xid == listed.xid);  // those listed come first
  CHECK(seen.branches[0].completion == Completion::kCannotTell);
  CHECK(seen.branches[0].evidence == Evidence::kListed);
  const BranchSight& done = sight_of(seen, committed.xid);
  CHECK(done.completion == Completion::kCommitted);
  CHECK(done.evidence == (postgres ? Evidence::kTransactionStatus : Evidence::kWitnessRow));
  const BranchSight& gone = sight_of(seen, undone.xid);
  CHECK(gone.completion == Completion::kRolledBack);
  CHECK(gone.evidence == (postgres ? Evidence::kTransactionStatus : Evidence::kNoWitnessRow));
  const BranchSight& unknown = sight_of(seen, never);
  CHECK(unknown.completion == (postgres ? Completion::kCannotTell : Completion::kRolledBack));
  CHECK(unknown.error.has_value() == postgres);
  CHECK(seen.foreign.size() == 1);
  CHECK(server.prepared_count() == 2);
  CHECK(commit(*agent.session, listed.xid, listed.proof).completion == Completion::kCommitted);
}

TEST_CASE("inspect of a database that is gone is an error") {
  Server server(each_kind());
  Agent agent(server);
  server->kill();
  const auto seen = agent.session->inspect({kLog}, {});
  REQUIRE(seen.has_error());
  CHECK(seen.error().code == ErrorCode::kConnectionLost);
  CHECK_FALSE(agent.session->usable());
}
