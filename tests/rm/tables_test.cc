// What agents keep in a participant's database, as docs/DATABASE_FORMAT.md has it: the next version
// reads what this one wrote.

#include <string>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

/// One line for each row, its fields separated by blanks.
std::string rows(Server& server, const std::string& sql) {
  std::string text;
  for (const live::Row& row : server->query("points", sql)) {
    for (const std::string& field : row) text += (&field == &row.front() ? "" : " ") + field;
    text += "\n";
  }
  return text;
}

Fence fence() {
  return {.coordinator = "pay",
          .log_id = LogId{0x0123456789abcdef},
          .epoch = Epoch{4'000'000'000},
          .opening_nonce = 0xFFFF'FFFF'FFFF'FFFF,
          .log_top = 18'000'000'000'000'000'000U,
          .held = {}};
}

}  // namespace

TEST_CASE("the tables in a PostgreSQL are as they are written down") {
  Server server(Kind::kPostgres);
  const Agent agent(server);
  CHECK(rows(server,
             "SELECT table_name, column_name, data_type, is_nullable FROM "
             "information_schema.columns WHERE table_schema = 'assent' ORDER BY table_name, "
             "ordinal_position;") ==
        "fence log_id text NO\n"
        "fence coordinator text NO\n"
        "fence epoch bigint NO\n"
        "fence opening_nonce numeric NO\n"
        "fence log_top numeric NO\n"
        "fence raised_at timestamp with time zone NO\n"
        "promotion timeline integer NO\n"
        "promotion replayed bigint NO\n"
        "takeover number bigint NO\n"
        "takeover transaction_id bigint NO\n"
        "takeover position bigint NO\n"
        "takeover taken_at timestamp with time zone NO\n");
  must(agent.control->raise_fence(fence()));
  CHECK(rows(server,
             "SELECT log_id, coordinator, epoch, opening_nonce, log_top FROM assent.fence;") ==
        "0123456789abcdef pay 4000000000 18446744073709551615 18000000000000000000\n");
}

TEST_CASE("the tables in a MariaDB are as they are written down") {
  Server server(Kind::kMariadb);
  const Agent agent(server);
  CHECK(rows(server,
             "SELECT table_name, column_name, column_type, is_nullable, column_key FROM "
             "information_schema.columns WHERE table_name LIKE 'assent\\_%' ORDER BY table_name, "
             "ordinal_position;") ==
        "assent_fence log_id bigint(20) unsigned NO PRI\n"
        "assent_fence coordinator varchar(200) NO \n"
        "assent_fence epoch int(10) unsigned NO \n"
        "assent_fence opening_nonce bigint(20) unsigned NO \n"
        "assent_fence log_top bigint(20) unsigned NO \n"
        "assent_fence raised_at datetime(6) NO \n"
        "assent_identity one tinyint(4) NO PRI\n"
        "assent_identity id char(32) NO \n"
        "assent_witness log_id bigint(20) unsigned NO PRI\n"
        "assent_witness epoch int(10) unsigned NO PRI\n"
        "assent_witness sequence bigint(20) unsigned NO PRI\n"
        "assent_witness bqual varchar(32) NO PRI\n");
  must(agent.control->raise_fence(fence()));
  CHECK(rows(server,
             "SELECT log_id, coordinator, epoch, opening_nonce, log_top FROM assent_fence;") ==
        "81985529216486895 pay 4000000000 18446744073709551615 18000000000000000000\n");
  const Xid xid{{LogId{0x0123456789abcdef}, Epoch{3}, Sequence{42}}, "points"};
  const WorkReport report = agent.session->work(work_of(xid, {take_point(1)}));
  require_vote(report, Vote::kPrepared);
  CHECK(commit(*agent.session, xid, report.proof).completion == Completion::kCommitted);
  CHECK(rows(server, "SELECT * FROM assent_witness;") == "81985529216486895 3 42 points\n");
}
