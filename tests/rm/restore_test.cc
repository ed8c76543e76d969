// A database put back to an earlier copy of itself has the same name and, in PostgreSQL, the same
// timeline: what is said of branches that it has lost, or that came back (design section 6).

#include <cstdint>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

struct Branch {
  Xid xid;
  BranchProof proof;
};

Branch prepare_one(Agent& agent, int card) {
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(card)}));
  require_vote(report, Vote::kPrepared);
  return {xid, report.proof};
}

void commit_some_transactions(Server& server, int count) {
  std::string sql;
  for (int i = 0; i < count; ++i) sql += "UPDATE card SET points = points WHERE id = 5;";
  server.run(sql);
}

/// The status of the vote's number, whoever has it now.
std::string status_of(Server& server, const Branch& branch) {
  const std::string id = std::to_string(branch.proof.transaction_id);
  return server->run_sql("points", "SELECT pg_xact_status('" + id + "'::xid8);").standard_output;
}

/// To somebody who commits, and the log goes on past the vote.
void give_number_away(Server& server, Agent& agent, const Branch& lost) {
  const auto is_away = [&] {
    commit_some_transactions(server, 100);
    return status_of(server, lost) == "committed\n" &&
           must(agent.control->identity()).position > lost.proof.database.position;
  };
  REQUIRE(live::wait_until(is_away, std::chrono::seconds(60)));
}

/// Neither committed nor still there.
void require_lost(Agent& agent, const Branch& branch) {
  const FinishReport told = commit(*agent.session, branch.xid, branch.proof);
  const bool postgres = branch.proof.transaction_id != 0;
  CHECK(told.completion == (postgres ? Completion::kCannotTell : Completion::kRolledBack));
  CHECK(told.evidence == (postgres ? Evidence::kNone : Evidence::kNoWitnessRow));
  REQUIRE(told.error);
  CHECK(told.error->code == ErrorCode::kHazard);
  CHECK_THAT(told.error->message,
             Catch::Contains(postgres ? "restore" : "a copy of the database from before"));
  CHECK(agent.session->rollback(branch.xid, branch.proof).completion == Completion::kRolledBack);
}

}  // namespace

TEST_CASE("a database restored from before the prepare never says committed") {
  Server server(each_kind(), {});
  { const Agent agent(server); }  // our tables are in the copy
  server->back_up();
  Branch lost;
  {
    Agent agent(server);
    // The branch's number is ahead of the copy's, however few transactions its next agent needs.
    commit_some_transactions(server, 100);
    lost = prepare_one(agent, 1);
    CHECK(commit(*agent.session, lost.xid, lost.proof).completion == Completion::kCommitted);
  }
  server->restore();

  Agent agent(server);
  CHECK(must(agent.control->identity()).id == lost.proof.database.id);
  CHECK(must(agent.control->identity()).timeline == lost.proof.database.timeline);
  require_lost(agent, lost);
  CHECK(server.points(1) == 100);
  if (server.kind() == Kind::kMariadb) return;

  // Somebody else gets the number and commits, on the same timeline, behind the vote's position:
  // only where this agent took over tells that it was not the branch.
  give_number_away(server, agent, lost);
  require_lost(agent, lost);
  const Inspection seen = must(agent.session->inspect({kLog}, {{lost.xid, lost.proof}}));
  REQUIRE(seen.branches.size() == 1);
  CHECK(seen.branches[0].completion == Completion::kCannotTell);

  // The next agents take over behind the vote's position and number; where the first did stays.
  for (int i = 0; i < 2; ++i) {
    agent.restart(server);
    require_lost(agent, lost);
  }
}

TEST_CASE("a dump that is put back below an agent is noticed, and what it lost is not committed") {
  Server server(each_kind(), {});
  Agent agent(server);
  Fence fence{.coordinator = "bank", .log_id = kLog, .epoch = Epoch{1}, .opening_nonce = 1};
  must(agent.control->raise_fence(fence));
  fence.log_top = 5;
  must(agent.control->raise_fence(fence));
  const std::string dump = server->dump("points");
  const Branch lost = prepare_one(agent, 1);
  CHECK(commit(*agent.session, lost.xid, lost.proof).completion == Completion::kCommitted);
  fence.log_top = 8;
  must(agent.control->raise_fence(fence));
  fence.left = {{Epoch{1}, 8}};
  CHECK_FALSE(must(agent.control->raise_fence(fence)).refused);

  server.run(dump);
  const auto check_refused = [&](const std::string& words) {
    const FenceAnswer answer = must(agent.control->raise_fence(fence));
    REQUIRE(answer.refused);
    CHECK(answer.put_back);
    CHECK(answer.refused->code == ErrorCode::kDatabaseUnfit);
    CHECK_THAT(answer.refused->message, Catch::Contains(words));
  };
  for (int i = 0; i < 2; ++i) check_refused("says record 5 of epoch 1, and said record 8");
  CHECK(server.points(1) == 100);
  const bool postgres = server.kind() == Kind::kPostgres;
  const std::string table = postgres ? "assent.fence" : "assent_fence";
  server.run("DELETE FROM " + table + ";");
  check_refused("is gone");
  server.run("DROP TABLE " + table + ";");
  check_refused("is gone");

  // Another agent: its row is behind the vote, as if nothing had happened.
  agent.restart(server);
  commit_some_transactions(server, 10);
  require_lost(agent, lost);
  const Branch later = prepare_one(agent, 2);
  CHECK(commit(*agent.session, later.xid, later.proof).completion == Completion::kCommitted);
  CHECK(commit(*agent.session, later.xid, later.proof).completion == Completion::kCommitted);
}

TEST_CASE("only a fence row that is gone was put back, not one that can't be read") {
  Server server(each_kind(), {});
  const bool postgres = server.kind() == Kind::kPostgres;
  if (!postgres) {
    // What is granted for a whole database stays with the sessions that are in it.
    { const Agent agent(server); }  // our tables are there
    server.run("REVOKE SELECT ON points.* FROM 'assent'@'127.0.0.1';");
    for (const std::string table : {"fence", "identity", "witness"})
      server.run("GRANT SELECT ON points.assent_" + table + " TO 'assent'@'127.0.0.1';");
  }
  const Agent agent(server);
  Fence fence{.coordinator = "bank", .log_id = kLog, .epoch = Epoch{1}, .opening_nonce = 1};
  fence.log_top = 8;
  must(agent.control->raise_fence(fence));
  fence.left = {{Epoch{1}, 8}};

  const std::string right = postgres ? "SELECT ON assent.fence" : "SELECT ON points.assent_fence";
  const std::string account = postgres ? "assent" : "'assent'@'127.0.0.1'";
  server.run("REVOKE " + right + " FROM " + account + ";");
  for (int i = 0; i < 2; ++i) {
    const auto answer = agent.control->raise_fence(fence);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == ErrorCode::kStatementFailed);
    if (postgres) CHECK(answer.error().sqlstate == "42501");
    if (!postgres) CHECK(answer.error().native == 1142);
  }
  server.run("GRANT " + right + " TO " + account + ";");
  CHECK_FALSE(must(agent.control->raise_fence(fence)).refused);

  server.run(postgres ? "DROP SCHEMA assent CASCADE;" : "DROP DATABASE points;");
  const FenceAnswer gone = must(agent.control->raise_fence(fence));
  REQUIRE(gone.refused);
  CHECK_THAT(gone.refused->message, Catch::Contains("is gone"));
}

TEST_CASE("a lost vote is not proved by a later vote of the same number") {
  Server server(Kind::kPostgres, {{"autovacuum", "off"}});
  { const Agent agent(server); }
  server->back_up();
  Branch lost;
  {
    Agent agent(server);
    commit_some_transactions(server, 100);
    lost = prepare_one(agent, 1);
  }
  server->restore();

  Agent agent(server);
  Branch later;
  do later = prepare_one(agent, 1);
  while (later.proof.transaction_id < lost.proof.transaction_id &&
         rollback(*agent.session, later.xid).completion == Completion::kRolledBack);
  REQUIRE(later.proof.transaction_id == lost.proof.transaction_id);
  CHECK(commit(*agent.session, later.xid, later.proof).completion == Completion::kCommitted);
  CHECK(commit(*agent.session, later.xid, later.proof).completion == Completion::kCommitted);
  require_lost(agent, lost);
}

TEST_CASE("a vote is proved by its status as long as nothing was put back") {
  Server server(Kind::kPostgres);
  Agent agent(server);
  const Branch committed = prepare_one(agent, 1);
  // Of another agent, or of the same one for another coordinator: as many as there may be.
  const auto require_proved = [&] {
    commit_some_transactions(server, 10);
    const FinishReport told = commit(*agent.session, committed.xid, committed.proof);
    CHECK(told.completion == Completion::kCommitted);
    return told.evidence;
  };
  CHECK(require_proved() == Evidence::kDatabaseAnswer);
  CHECK(require_proved() == Evidence::kTransactionStatus);
  server.run("VACUUM (FULL, FREEZE) assent.takeover;");
  for (int i = 0; i < 2; ++i) {
    agent.restart(server);
    CHECK(require_proved() == Evidence::kTransactionStatus);
  }
  server->kill();
  server->start();
  agent.restart(server);
  CHECK(require_proved() == Evidence::kTransactionStatus);

  // As listed by a person's tool, not as voted: what was there when this agent took over.
  Branch listed = prepare_one(agent, 2);
  agent.restart(server);
  listed.proof.database = must(agent.control->identity());
  CHECK(commit(*agent.session, listed.xid, listed.proof).completion == Completion::kCommitted);
  CHECK(commit(*agent.session, listed.xid, listed.proof).evidence == Evidence::kTransactionStatus);
}

TEST_CASE("votes from before there were takeovers in the database are proved as well") {
  Server server(Kind::kPostgres);
  Branch old;
  {
    Agent agent(server);
    old = prepare_one(agent, 1);
    CHECK(commit(*agent.session, old.xid, old.proof).completion == Completion::kCommitted);
  }
  old.proof.database.takeover = 0;
  server.run("DROP TABLE assent.takeover;");
  Agent agent(server);
  CHECK(commit(*agent.session, old.xid, old.proof).completion == Completion::kCommitted);
  agent.restart(server);
  CHECK(commit(*agent.session, old.xid, old.proof).completion == Completion::kCommitted);
  const Branch later = prepare_one(agent, 2);
  CHECK(commit(*agent.session, later.xid, later.proof).completion == Completion::kCommitted);
  Branch unknown = later;
  unknown.proof.database.takeover = 0;
  require_lost(agent, unknown);
}

TEST_CASE("a branch that came back with a copy from before its commit is committed again") {
  Server server(each_kind(), {});
  Branch back;
  Branch lost;
  {
    Agent agent(server);
    back = prepare_one(agent, 1);
  }
  server->back_up();
  {
    Agent agent(server);
    CHECK(commit(*agent.session, back.xid, back.proof).completion == Completion::kCommitted);
    commit_some_transactions(server, 100);
    lost = prepare_one(agent, 2);
    CHECK(commit(*agent.session, lost.xid, lost.proof).completion == Completion::kCommitted);
  }
  CHECK(server.points(1) == 99);
  server->restore();

  Agent agent(server);
  CHECK(server.points(1) == 100);
  const PreparedScan scan = must(agent.control->list_prepared({kLog}));
  REQUIRE(scan.branches.size() == 1);
  CHECK(scan.branches[0].xid == back.xid);
  CHECK(scan.branches[0].transaction_id == back.proof.transaction_id);
  const FinishReport again = commit(*agent.session, back.xid, back.proof);
  CHECK(again.completion == Completion::kCommitted);
  CHECK(again.evidence ==
        (server.kind() == Kind::kPostgres ? Evidence::kDatabaseAnswer : Evidence::kWitnessRow));
  CHECK(server.points(1) == 99);
  require_lost(agent, lost);
  CHECK(server.prepared_count() == 0);
}
