// F 4: what is said of a branch after a failover to an asynchronous standby. Real servers: a
// primary, and a standby that streams from it until it is stopped or promoted.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "chaos/sandbox/postgres_standby.h"
#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

/// Nothing but what a test does takes transaction ids.
const std::map<std::string, std::string> kQuiet{{"autovacuum", "off"}};

/// An asynchronous standby, streaming when it is made.
class Standby {
 public:
  explicit Standby(Server& primary) {
    live::DatabaseSpec spec;
    spec.name = "db-standby";
    spec.directory = folder_.path() / "db";
    spec.log_file = folder_.path() / "db.log";
    spec.port = port_.first();
    spec.settings = kQuiet;
    spec.dies_with_owner = true;
    server_ = live::make_postgres_standby(*primary, spec);
    server_->start();
  }
  ~Standby() { server_->kill(live::KillScope::kEverything); }

  live::DatabaseServer& operator*() { return *server_; }
  live::DatabaseServer* operator->() { return server_.get(); }

  std::string value(const std::string& sql) { return server_->query_value("points", sql); }

  void wait_until_it_has(std::uint64_t wal_position) {
    const std::string asked =
        "SELECT pg_last_wal_replay_lsn() - '0/0' >= " + std::to_string(wal_position) + ";";
    REQUIRE(live::wait_until([&] { return value(asked) == "t"; }, kPatience));
  }

  void promote() { live::promote(*server_); }

  std::unique_ptr<ResourceManager> manager() const {
    return make_resource_manager({.kind = Kind::kPostgres,
                                  .connection = server_->odbc_connection("points"),
                                  .participant = "points",
                                  .statement_timeout = kPatience,
                                  .call_timeout = kPatience});
  }

 private:
  assent::testing::TemporaryFolder folder_;
  live::PortLease port_{1};
  std::unique_ptr<live::DatabaseServer> server_;
};

struct Branch {
  Xid xid;
  BranchProof proof;
};

Branch prepare_one(Session& session, int card) {
  const Xid xid = next_xid();
  const WorkReport report = session.work(work_of(xid, {take_point(card)}));
  require_vote(report, Vote::kPrepared);
  return {xid, report.proof};
}

Branch commit_one(Session& session, int card) {
  Branch branch = prepare_one(session, card);
  const FinishReport told = session.commit(branch.xid, branch.proof, PreparedBy::kThisIncarnation);
  CHECK(told.completion == Completion::kCommitted);
  return branch;
}

void commit_some_transactions(live::DatabaseServer& server, int count) {
  std::string sql;
  for (int i = 0; i < count; ++i) sql += "UPDATE card SET points = points WHERE id = 5;";
  server.query("points", sql);
}

/// What a status without the history it belongs to would say.
live::CommandResult ask_status(Standby& standby, const Branch& branch) {
  const std::string id = std::to_string(branch.proof.transaction_id);
  return standby->run_sql("points", "SELECT pg_xact_status('" + id + "'::xid8);");
}

void require_hazard(const FinishReport& finish) {
  CHECK(finish.completion == Completion::kCannotTell);
  REQUIRE(finish.error);
  INFO(words(*finish.error));
  CHECK(finish.error->code == ErrorCode::kHazard);
  CHECK_THAT(finish.error->message, Catch::Contains("failover or restore"));
}

/// Neither committed nor proved to be rolled back; and absent, which is all that a rollback asks
/// for (R5).
void require_only_absent(Session& session, const Branch& branch) {
  require_hazard(session.commit(branch.xid, branch.proof, PreparedBy::kUnknown));
  require_hazard(session.commit(branch.xid, branch.proof, PreparedBy::kThisIncarnation));
  const FinishReport told = session.rollback(branch.xid, branch.proof);
  CHECK(told.completion == Completion::kRolledBack);
  CHECK(told.evidence == Evidence::kListed);
}

}  // namespace

TEST_CASE("F 4: an acknowledged prepare that the promoted standby never got is a hazard") {
  Server primary(Kind::kPostgres, kQuiet);
  Branch lost;
  Standby standby(primary);
  {
    Agent agent(primary);
    standby->stop();
    // The branch's number is ahead of the standby's, however few transactions its next agent needs.
    commit_some_transactions(*primary, 100);
    lost = prepare_one(*agent.session, 1);
  }
  primary->kill(live::KillScope::kEverything);
  standby->start();
  standby.promote();

  const auto manager = standby.manager();
  const auto control = must(manager->take_control(kPatience));
  const auto session = must(manager->open_session());
  CHECK(must(control->list_prepared({kLog})).branches.empty());
  const DatabaseIdentity identity = must(control->identity());
  CHECK(identity.id == lost.proof.database.id);  // of all that is compared, this can't tell
  CHECK(identity.timeline > lost.proof.database.timeline);

  CHECK_THAT(ask_status(standby, lost).standard_error, Catch::Contains("is in the future"));
  require_only_absent(*session, lost);

  // Somebody else gets the number, and commits. The positions have passed that of the vote, too.
  const auto number_is_taken = [&] {
    commit_some_transactions(*standby, 100);
    return ask_status(standby, lost).standard_output == "committed\n" &&
           must(control->identity()).position > lost.proof.database.position;
  };
  REQUIRE(live::wait_until(number_is_taken, std::chrono::seconds(60)));
  require_only_absent(*session, lost);
  CHECK(standby.value("SELECT points FROM card WHERE id = 1;") == "100");
}

TEST_CASE("F 4: a prepare that the promoted standby got is finished there") {
  Server primary(Kind::kPostgres, kQuiet);
  Branch to_commit;
  Branch to_roll_back;
  Standby standby(primary);
  {
    Agent agent(primary);
    to_commit = prepare_one(*agent.session, 1);
    to_roll_back = prepare_one(*agent.session, 2);
    standby.wait_until_it_has(to_roll_back.proof.database.position);
  }
  primary->kill(live::KillScope::kEverything);

  const auto manager = standby.manager();
  const auto refused = manager->take_control(kPatience);  // it follows still
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::kDatabaseUnfit);
  standby.promote();
  const auto control = must(manager->take_control(kPatience));
  const auto session = must(manager->open_session());
  CHECK(must(control->identity()).timeline > to_commit.proof.database.timeline);
  const PreparedScan scan = must(control->list_prepared({kLog}));
  REQUIRE(scan.branches.size() == 2);
  for (const PreparedBranch& listed : scan.branches) {
    const Branch& branch = listed.xid == to_commit.xid ? to_commit : to_roll_back;
    CHECK(listed.xid == branch.xid);
    CHECK(listed.transaction_id == branch.proof.transaction_id);
  }

  // The branch itself is there and is the one that voted, so no status is needed.
  const FinishReport finish = session->commit(to_commit.xid, to_commit.proof, PreparedBy::kUnknown);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == Evidence::kDatabaseAnswer);
  CHECK(session->rollback(to_roll_back.xid, to_roll_back.proof).completion ==
        Completion::kRolledBack);
  CHECK(standby.value("SELECT points FROM card WHERE id = 1;") == "99");
  CHECK(standby.value("SELECT points FROM card WHERE id = 2;") == "100");
  CHECK(must(control->list_prepared({kLog})).branches.empty());

  // Asked again, it is no longer there, and its status is that of the vote: the standby had it.
  const FinishReport again = session->commit(to_commit.xid, to_commit.proof, PreparedBy::kUnknown);
  CHECK(again.completion == Completion::kCommitted);
  CHECK(again.evidence == Evidence::kTransactionStatus);
}

TEST_CASE("F 4: a promoted standby proves what it had replayed, and nothing else, for ever") {
  Server primary(Kind::kPostgres, kQuiet);
  Branch seen;
  Branch lost;
  Standby standby(primary);
  {
    Agent agent(primary);
    seen = commit_one(*agent.session, 1);
    live::wait_until_caught_up(*standby, *primary);
    standby->stop();
    lost = commit_one(*agent.session, 2);
  }
  primary->kill(live::KillScope::kEverything);
  standby->start();
  standby.promote();
  // Others go on before the agent is there, and take the number of what is lost.
  const auto number_is_taken = [&] {
    commit_some_transactions(*standby, 100);
    return ask_status(standby, lost).standard_output == "committed\n";
  };
  REQUIRE(live::wait_until(number_is_taken, std::chrono::seconds(60)));

  for (int i = 0; i < 3; ++i) {
    const auto manager = standby.manager();
    const auto control = must(manager->take_control(kPatience));
    const auto session = must(manager->open_session());
    const FinishReport told = session->commit(seen.xid, seen.proof, PreparedBy::kUnknown);
    CHECK(told.completion == Completion::kCommitted);
    CHECK(told.evidence == Evidence::kTransactionStatus);
    require_only_absent(*session, lost);
    if (i > 0) continue;
    standby->kill(live::KillScope::kEverything);  // what crash recovery replays is no promotion
    standby->start();
  }
}

TEST_CASE("F 4: a promoted standby that was restarted before its agent came proves nothing") {
  Server primary(Kind::kPostgres, kQuiet);
  Branch seen;
  Standby standby(primary);
  {
    Agent agent(primary);
    seen = commit_one(*agent.session, 1);
    live::wait_until_caught_up(*standby, *primary);
  }
  primary->kill(live::KillScope::kEverything);
  standby.promote();
  commit_some_transactions(*standby, 10);
  standby->kill(live::KillScope::kEverything);
  standby->start();
  const auto manager = standby.manager();
  const auto control = must(manager->take_control(kPatience));
  const auto session = must(manager->open_session());
  require_only_absent(*session, seen);
}
