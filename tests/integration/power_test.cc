// The power of a disk is cut under load: what was not synced is gone. What was acknowledged must
// not be.

#include <string>

#include <catch2/catch.hpp>

#include "tests/integration/support_till.h"
#include "tests/support/skip.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr int kCuts = 4;
constexpr int kDiskMib = 768;
constexpr std::uint64_t kPaidBetweenCuts = 150;

/// Payments go on while the power of the part's disk is cut again and again.
void check_cuts(const std::string& part) {
  if (const auto why = live::LoopDisk::why_not()) return skip(*why);
  Till till(postgres_and_mariadb(), [&](live::SandboxSpec& spec) { spec.disks[part] = kDiskMib; });
  const auto payers = till.pay(20'000);
  for (int cut = 1; cut <= kCuts; ++cut) {
    const std::uint64_t goal = payers->counts().committed + kPaidBetweenCuts;
    REQUIRE(comes_true([&] { return payers->counts().committed >= goal; }));
    till.sandbox().cut_power(part);
    till.sandbox().start(part);
  }
  payers->stop();
  CHECK(till.settle_up(*payers) == "");
}

}  // namespace

TEST_CASE("power cuts of the decision log's disk lose nothing that was acknowledged") {
  check_cuts("coordinator");
}

TEST_CASE("power cuts of a PostgreSQL's disk lose no prepared branch and no commit") {
  check_cuts("db-points");
}

TEST_CASE("power cuts of a MariaDB's disk lose no prepared branch and no commit") {
  check_cuts("db-payments");
}
