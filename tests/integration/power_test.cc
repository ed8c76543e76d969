// The power of a disk is cut under load: what was not synced is gone. What was acknowledged must
// not be.

#include <string>

#include <catch2/catch.hpp>

#include "tests/integration/support_log_disk.h"
#include "tests/integration/support_till.h"
#include "tests/support/skip.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr int kCuts = 4;
constexpr int kLogMib = 64;
constexpr int kDatabaseMib = 768;
constexpr std::uint64_t kPaidBetweenCuts = 150;

/// Whoever has files on the disk is gone before the power comes back: on a host all of it is.
void lose_power(House& house, const std::string& part, live::LoopDisk& disk) {
  CHECK(house.take_ended_by_itself() == "");
  disk.cut_power();
  house.kill(part, live::KillScope::kEverything);
  house.take_ended_by_itself();  // for want of its disk
  disk.restore_power();
  house.sandbox().start(part);
}

/// Payments go on while the power of the part's disk is cut again and again.
std::string cut_under_load(Till& till, const std::string& part, live::LoopDisk& disk) {
  const auto payers = till.pay(20'000);
  for (int cut = 1; cut <= kCuts; ++cut) {
    const std::uint64_t goal = payers->counts().committed + kPaidBetweenCuts;
    REQUIRE(comes_true([&] { return payers->counts().committed >= goal; }));
    lose_power(till.house(), part, disk);
  }
  payers->stop();
  return till.settle_up(*payers);
}

void check_cuts_of_database(const std::string& part) {
  if (const auto why = live::LoopDisk::why_not()) return skip(*why);
  Till till(postgres_and_mariadb());
  till.sandbox().stop(part);
  live::LoopDisk disk(till.sandbox().spec().directory / part, kDatabaseMib);
  till.sandbox().start(part);
  CHECK(cut_under_load(till, part, disk) == "");
  till.sandbox().stop(part);
}

}  // namespace

TEST_CASE("power cuts of the decision log's disk lose nothing that was acknowledged") {
  if (const auto why = live::LoopDisk::why_not()) return skip(*why);
  Till till(postgres_and_mariadb(), [](live::SandboxSpec& spec) {
    spec.coordinator_settings = "[limits]\ndisk_free_min_mib = 1\n";
  });
  const auto disk = put_log_on_disk(till.house(), kLogMib);
  CHECK(cut_under_load(till, "coordinator", *disk) == "");
  till.sandbox().stop("coordinator");
}

TEST_CASE("power cuts of a PostgreSQL's disk lose no prepared branch and no commit") {
  check_cuts_of_database("db-points");
}

TEST_CASE("power cuts of a MariaDB's disk lose no prepared branch and no commit") {
  check_cuts_of_database("db-payments");
}
