// The way of one branch through a real database: work, prepare, the second phase and its proofs.

#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

Kind each_kind() {
  return GENERATE(Kind::kPostgres, Kind::kMariadb);
}

}  // namespace

TEST_CASE("work and prepare is one message, and the branch commits") {
  Server& server = shared_server(each_kind());
  Agent agent(server);
  const Xid xid = next_xid();

  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  if (report.error) fail_with(*report.error);
  CHECK(report.vote == Vote::kPrepared);
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
