// The instrument that most verdicts of these tests rest on: does it see what is there?

#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_house.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr std::int64_t kCard = 7;
const std::string kUpdate = "UPDATE card SET points = points - 1 WHERE id = 7; ";

std::string prepare_sql(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres
             ? "BEGIN; " + kUpdate + "PREPARE TRANSACTION 'somebody';"
             : "XA START 'somebody'; " + kUpdate + "XA END 'somebody'; XA PREPARE 'somebody';";
}

std::string commit_sql(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "COMMIT PREPARED 'somebody';" : "XA COMMIT 'somebody';";
}

/// Of the participant "points".
workload::ParticipantEvidence look(House& house) {
  return live::read_evidence(house.sandbox()).front();
}

}  // namespace

TEST_CASE("evidence shows held rows, prepared branches, balances and ledgers") {
  for (const auto& setup : {postgres_and_mariadb(), mariadb_and_mariadb()}) {
    INFO(setup.name);
    House house(setup);
    live::DatabaseServer& database = house.database("points");
    CHECK(workload::is_quiet(live::read_evidence(house.sandbox())));
    database.query("points", prepare_sql(database.kind()));
    auto seen = look(house);
    CHECK(seen.locked == std::vector<std::string>{"card 7"});
    REQUIRE(seen.prepared.size() == 1);
    CHECK_THAT(seen.prepared.front(), Catch::Contains("somebody"));
    CHECK(seen.balances.at(kCard) == 100);
    CHECK(live::prepared_branches(house.sandbox(), setup.participants.front()) == seen.prepared);

    database.query("points", commit_sql(database.kind()));
    database.query("points", "INSERT INTO ledger (tx_key, card_id, amount) VALUES ('k', 7, 1);");
    CHECK(house.left_behind() == "");
    seen = look(house);
    CHECK(seen.balances.size() == 10'000);
    CHECK(seen.balances.at(kCard) == 99);
    REQUIRE(seen.ledger.size() == 1);
    CHECK(seen.ledger.front().key == "k");
    CHECK(seen.ledger.front().id == kCard);
    CHECK(seen.ledger.front().amount == 1);
  }
}
