// Every fault of the live suite, once: payments go on while it lasts, and when it is healed all is
// well again.

#include <catch2/catch.hpp>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_site.h"
#include "tests/integration/support_till.h"

using namespace assent;
using namespace assent::testing;

TEST_CASE("after every fault all is well again") {
  auto faults = live::make_faults({});
  // Its damage is what the checker of a campaign excuses: chaos_test.
  std::erase_if(faults, [](const auto& fault) { return fault->name() == "hand"; });
  Till till(postgres_and_mariadb(), [&](live::SandboxSpec& spec) {
    for (const auto& fault : faults) {
      if (!fault->missing()) fault->prepare(spec);
    }
  });
  workload::Random random(20261122);
  workload::Injected injected;
  live::SandboxSite site(till.sandbox());
  live::Scene scene{site, injected};
  for (const auto& fault : faults) {
    fault->enter(till.sandbox());
    if (const auto missing = fault->missing()) {
      WARN(fault->name() << " is not tried: " << *missing);
      continue;
    }
    INFO(fault->name() << " of " << fault->aim(random, site));
    const auto payers = till.pay(100);
    live::wait_until([&] { return payers->counts().answered > 10; }, kPatience);
    fault->start(scene);
    live::wait_until([&] { return payers->is_done(); }, std::chrono::milliseconds(500));
    fault->heal(scene);
    CHECK(till.settle_up(*payers) == "");
  }
}

TEST_CASE("faults are chosen by name") {
  const auto chosen = live::make_faults({"pause", "kill"});
  REQUIRE(chosen.size() == 2);
  CHECK(chosen[0]->name() == "pause");
  CHECK(chosen[1]->name() == "kill");
  CHECK_THROWS_AS(live::make_faults({"earthquake"}), live::SandboxError);
  CHECK_THROWS_AS(live::make_faults({"kill", "kill"}), live::SandboxError);
}
