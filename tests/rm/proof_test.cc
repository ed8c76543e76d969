// What became of a branch is proved by evidence in the database, or not told (design section 6).

#include <string>
#include <thread>

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

Prepared prepare_one(Agent& agent, int card = 1) {
  const Xid xid = next_xid();
  const WorkReport report = agent.session->work(work_of(xid, {take_point(card)}));
  require_vote(report, Vote::kPrepared);
  return {xid, report.proof};
}

PreparedBy each_who() {
  return GENERATE(PreparedBy::kUnknown, PreparedBy::kThisIncarnation);
}

void finish_by_hand(Server& server, const Xid& xid, bool commit) {
  const std::string verb = commit ? "COMMIT" : "ROLLBACK";
  server.run(server.kind() == Kind::kPostgres ? verb + " PREPARED '" + to_gid(xid) + "';"
                                              : "XA " + verb + " " + xa_name_of(xid) + ";");
}

}  // namespace

TEST_CASE("a commit that took place already is proved, not repeated") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const auto by = each_who();
  const auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, true);
  if (by == PreparedBy::kUnknown) agent.restart(server);

  const FinishReport finish = agent.session->commit(xid, proof, by);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence ==
        (server.kind() == Kind::kPostgres ? Evidence::kTransactionStatus : Evidence::kWitnessRow));
  CHECK(server.points(1) == 99);
}

TEST_CASE("F 4, F 9: 'no such branch' is never taken for committed") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const auto by = each_who();
  const auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, false);
  if (by == PreparedBy::kUnknown) agent.restart(server);

  const bool postgres = server.kind() == Kind::kPostgres;
  const FinishReport finish = agent.session->commit(xid, proof, by);
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK(finish.evidence == (postgres ? Evidence::kTransactionStatus : Evidence::kNoWitnessRow));
  REQUIRE(finish.error);
  CHECK(finish.error->code == ErrorCode::kHazard);
  CHECK_THAT(finish.error->message,
             Catch::Contains("although the decision is commit") &&
                 Catch::Contains(postgres ? "ROLLBACK PREPARED '" + to_gid(xid) + "'"
                                          : "XA ROLLBACK " + xa_name_of(xid)));
  CHECK(server.points(1) == 100);
}

TEST_CASE("rollback of a branch that is not there is answered, as often as it is told") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  const FinishReport finish = rollback(*agent.session, xid);
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("rollback told for a committed branch is answered by the witness row") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const auto [xid, proof] = prepare_one(agent);
  CHECK(commit(*agent.session, xid, proof).completion == Completion::kCommitted);
  const FinishReport finish = rollback(*agent.session, xid);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == Evidence::kWitnessRow);
}

TEST_CASE("rollback told for a branch that a person committed before is answered as it is") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const bool postgres = server.kind() == Kind::kPostgres;
  const auto by = each_who();
  const auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, true);
  if (by == PreparedBy::kUnknown) agent.restart(server);
  const FinishReport finish = agent.session->rollback(xid, proof);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == (postgres ? Evidence::kTransactionStatus : Evidence::kWitnessRow));
  REQUIRE(finish.error);
  CHECK(finish.error->code == ErrorCode::kHazard);
  CHECK_THAT(finish.error->message,
             Catch::Contains("although the decision is rollback") &&
                 Catch::Contains(postgres ? "COMMIT PREPARED '" + to_gid(xid) + "'"
                                          : "XA COMMIT " + xa_name_of(xid)));
  CHECK(server.points(1) == 99);
}

TEST_CASE("rollback told for a branch that a person rolled back is answered without a word") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const auto by = each_who();
  auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, false);
  if (by == PreparedBy::kUnknown) agent.restart(server);
  const FinishReport finish = agent.session->rollback(xid, proof);
  CHECK(finish.completion == Completion::kRolledBack);
  CHECK_FALSE(finish.error);

  // Where no status is known the branch is absent, which is all that a rollback needs.
  proof.transaction_id += 1ULL << 30U;
  CHECK(agent.session->rollback(xid, proof).completion == Completion::kRolledBack);

  // In another database its absence says nothing.
  proof.database.id = "7/7";
  CHECK(agent.session->rollback(xid, proof).completion == Completion::kCannotTell);
}

TEST_CASE("another database, or another history of it, proves nothing") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, true);
  std::string changed = "id";
  if (server.kind() == Kind::kPostgres)
    changed = GENERATE(as<std::string>(), "id", "timeline", "position", "future");
  if (changed == "id") proof.database.id = "7/7";
  if (changed == "timeline") ++proof.database.timeline;
  if (changed == "position") proof.database.position += 1ULL << 40U;
  if (changed == "future") proof.transaction_id += 1ULL << 30U;
  CAPTURE(changed);
  const FinishReport finish = commit(*agent.session, xid, proof);
  CHECK(finish.completion == Completion::kCannotTell);
  REQUIRE(finish.error);
  CHECK(finish.error->code == ErrorCode::kHazard);
}

TEST_CASE("a status that could not be asked for just now is no outcome") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  const auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, true);
  Settings hasty = server.settings();
  hasty.statement_timeout = std::chrono::seconds(1);
  agent.control.reset();
  const auto manager = make_resource_manager(hasty);
  const auto control = must(manager->take_control(kPatience));
  const auto session = must(manager->open_session());
  server.run("BEGIN; LOCK TABLE assent.takeover; PREPARE TRANSACTION 'in-the-way';");
  for (const FinishReport& finish : {commit(*session, xid, proof), session->rollback(xid, proof)}) {
    CHECK(finish.completion == Completion::kUnreached);
    REQUIRE(finish.error);
    CHECK(finish.error->sqlstate == "57014");
  }
  const Inspection seen = must(session->inspect({kLog}, {{xid, proof}}));
  CHECK(seen.branches.at(0).completion == Completion::kUnreached);
  server.roll_back_foreign("in-the-way");
  CHECK(commit(*session, xid, proof).completion == Completion::kCommitted);
}

TEST_CASE("a status that the server has forgotten is told as that") {
  Server server(Kind::kPostgres);
  Prepared old;
  {
    Agent agent(server);
    old = prepare_one(agent);
    CHECK(commit(*agent.session, old.xid, old.proof).completion == Completion::kCommitted);
  }
  server->stop();
  server.move_to_epoch(1);  // 2^32 transactions later
  server->start();
  Agent agent(server);
  const FinishReport finish = commit(*agent.session, old.xid, old.proof);
  CHECK(finish.completion == Completion::kCannotTell);
  CHECK(finish.evidence == Evidence::kTransactionStatus);  // in this history, if not how it ended
  REQUIRE(finish.error);
  CHECK_THAT(finish.error->message, Catch::Contains("has forgotten"));
  CHECK(agent.session->rollback(old.xid, old.proof).completion == Completion::kRolledBack);
}

TEST_CASE("a listed branch that is not the one that voted is a hazard and stays") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  auto [xid, proof] = prepare_one(agent);
  proof.transaction_id += 1;
  const FinishReport finish = commit(*agent.session, xid, proof);
  CHECK(finish.completion == Completion::kCannotTell);
  CHECK(finish.evidence == Evidence::kListed);
  CHECK(server.prepared_count() == 1);
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("F 9: OK to XA COMMIT counts only with its witness row when another agent prepared it") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const auto [xid, proof] = prepare_one(agent);
  REQUIRE(rollback(*agent.session, xid).completion == Completion::kRolledBack);
  const std::string name = xa_name_of(xid);
  server.run("XA START " + name + "; UPDATE card SET points = 50 WHERE id = 1; XA END " + name +
             "; XA PREPARE " + name + ";");

  const FinishReport finish = agent.session->commit(xid, proof, PreparedBy::kUnknown);
  CHECK(finish.completion == Completion::kCannotTell);
  CHECK(finish.evidence == Evidence::kNoWitnessRow);
  REQUIRE(finish.error);
  CHECK_THAT(finish.error->message, Catch::Contains("another branch under its name"));
}

TEST_CASE("F 9: a branch that is not listed and holds its witness row is neither gone nor done") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const auto [xid, proof] = prepare_one(agent);
  finish_by_hand(server, xid, false);
  // As a server leaves it that forgot the branch until its restart.
  const auto number = [](auto value) { return std::to_string(static_cast<std::uint64_t>(value)); };
  server.run("XA START 'holder'; INSERT INTO assent_witness VALUES (" + number(xid.gtrid.log_id) +
             ", " + number(xid.gtrid.epoch) + ", " + number(xid.gtrid.sequence) + ", '" +
             xid.bqual + "'); XA END 'holder'; XA PREPARE 'holder';");

  for (const FinishReport& finish :
       {commit(*agent.session, xid, proof), agent.session->rollback(xid, proof)}) {
    CHECK(finish.completion == Completion::kStillPrepared);
    CHECK(finish.evidence == Evidence::kNoWitnessRow);
    REQUIRE(finish.error);
    CHECK_THAT(finish.error->message, Catch::Contains("restart the server"));
  }
  server.roll_back_foreign("holder");
  CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
}

TEST_CASE("F 9: a prepared branch is free of its session at once") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  const auto [xid, proof] = prepare_one(agent);
  // The session that prepared it is still connected.
  const FinishReport finish = agent.another_session()->commit(xid, proof, PreparedBy::kUnknown);
  CHECK(finish.completion == Completion::kCommitted);
  CHECK(finish.evidence == Evidence::kWitnessRow);
  CHECK(server.points(1) == 99);
}

TEST_CASE("F 13: a branch that only read outlives its session, because it wrote its witness row") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();
  const WorkReport report =
      agent.session->work(work_of(xid, {plain("SELECT points FROM card WHERE id = 1 FOR UPDATE")}));
  require_vote(report, Vote::kPrepared);
  const SessionId id = agent.session->id();
  agent.session.reset();
  must(agent.control->end_session(id, kPatience));
  CHECK(server.prepared_count() == 1);
  CHECK(commit(*agent.another_session(), xid, report.proof).completion == Completion::kCommitted);
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("witness rows are there after commits only, and go when they are told to") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  server.run("DELETE FROM assent_witness;");
  const auto [kept, kept_proof] = prepare_one(agent, 1);
  const auto [told, told_proof] = prepare_one(agent, 2);
  const auto [undone, undone_proof] = prepare_one(agent, 3);
  CHECK(commit(*agent.session, kept, kept_proof).completion == Completion::kCommitted);
  CHECK(commit(*agent.session, told, told_proof).completion == Completion::kCommitted);
  CHECK(rollback(*agent.session, undone).completion == Completion::kRolledBack);
  CHECK(server->query_value("points", "SELECT COUNT(*) FROM assent_witness;") == "2");

  // Branches write theirs while old ones are deleted.
  const auto [open, open_proof] = prepare_one(agent, 4);
  must(agent.control->forget_witnesses({told.gtrid, undone.gtrid, next_xid().gtrid}));
  CHECK(server->query_value("points", "SELECT sequence FROM assent_witness;") ==
        std::to_string(static_cast<std::uint64_t>(kept.gtrid.sequence)));
  CHECK(commit(*agent.session, open, open_proof).completion == Completion::kCommitted);
  must(agent.control->forget_witnesses({}));
}

TEST_CASE("witness rows go without waiting for those of branches that are prepared among them") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  server.run("DELETE FROM assent_witness;");
  const bool is_large = GENERATE(false, true);  // the server plans by what it thinks is there
  if (is_large) {
    server.run(
        "INSERT INTO assent_witness SELECT 1, 1, seq, 'points' FROM seq_1_to_5000; "
        "ANALYZE TABLE assent_witness;");
  }
  // Two openings of a log, and of each every other branch has ended.
  std::vector<Gtrid> ended;
  std::vector<Prepared> open;
  for (const bool ends : {false, true, false, true, false}) {
    for (const Epoch epoch : {Epoch{1}, Epoch{2}}) {
      Xid xid = next_xid();
      xid.gtrid.epoch = epoch;
      const WorkReport report = agent.session->work(work_of(xid, {plain("SELECT 1")}));
      require_vote(report, Vote::kPrepared);
      open.push_back({xid, report.proof});
      if (!ends) continue;
      CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
      open.pop_back();
      ended.push_back(xid.gtrid);
    }
  }
  ended.push_back(next_xid().gtrid);  // of one that has no row

  must(agent.control->forget_witnesses(ended));
  for (const auto& [xid, proof] : open)
    CHECK(commit(*agent.session, xid, proof).completion == Completion::kCommitted);
  CHECK(server->query_value("points", "SELECT COUNT(*) FROM assent_witness WHERE log_id <> 1;") ==
        std::to_string(open.size()));
}

TEST_CASE("prepared branches and their proofs survive a kill of the server") {
  Server server(each_kind());
  Prepared prepared;
  Prepared committed;
  {
    Agent agent(server);
    prepared = prepare_one(agent, 1);
    committed = prepare_one(agent, 2);
    CHECK(commit(*agent.session, committed.xid, committed.proof).completion ==
          Completion::kCommitted);
    server->kill();
  }
  server->start();
  Agent agent(server);
  CHECK(commit(*agent.session, committed.xid, committed.proof).completion ==
        Completion::kCommitted);
  CHECK(commit(*agent.session, prepared.xid, prepared.proof).completion == Completion::kCommitted);
  CHECK(server.points(1) == 99);
  CHECK(server.points(2) == 99);
  CHECK(server.prepared_count() == 0);
}
