// 1,000 submits one after another and 32 clients at once: no memory, descriptor, database session
// or prepared branch is left behind.

#include <cstdio>
#include <map>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/load/use.h"
#include "tests/integration/support_till.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr int kOneAfterAnother = 1'000;
constexpr int kAtOnce = 3'200;
constexpr int kClients = 32;

/// LevelDB's memtable may fill (4 MB) and be written out while the next one fills; what lies above
/// that is a leak of 2 KB a payment or more.
constexpr long kMemoryGrowthMaxKb = 16 * 1024;

using workload::Use;

std::map<std::string, Use> use_of_all(live::Sandbox& sandbox) {
  return {{"coordinator", live::use_of(sandbox.coordinator().pid()).value()},
          {"agent-points", live::use_of(sandbox.agent("points").pid()).value()},
          {"agent-payments", live::use_of(sandbox.agent("payments").pid()).value()}};
}

long sessions_of(House& house, const live::Participant& participant) {
  const bool postgres = participant.kind == DatabaseKind::kPostgres;
  return std::stol(house.database(participant.name)
                       .query_value(participant.name,
                                    postgres
                                        ? "SELECT count(*) FROM pg_stat_activity WHERE usename = "
                                          "'assent';"
                                        : "SELECT count(*) FROM information_schema.processlist "
                                          "WHERE user = 'assent';"));
}

std::map<std::string, long> sessions_of_all(House& house) {
  std::map<std::string, long> sessions;
  for (const auto& participant : house.setup().participants)
    sessions[participant.name] = sessions_of(house, participant);
  return sessions;
}

}  // namespace

TEST_CASE("4,200 payments leave nothing behind") {
  Till till(postgres_and_mariadb());
  const auto warm_up = till.pay(kAtOnce, kClients);
  REQUIRE(till.settle_up(*warm_up) == "");
  const auto before = use_of_all(till.sandbox());
  const auto sessions_before = sessions_of_all(till.house());

  const auto one = till.pay(kOneAfterAnother, 1);
  CHECK(till.settle_up(*one) == "");
  const auto many = till.pay(kAtOnce, kClients);
  CHECK(till.settle_up(*many) == "");

  // Clients have hung up; the coordinator may notice a moment later.
  comes_true([&] {
    return use_of_all(till.sandbox()).at("coordinator").descriptors <=
           before.at("coordinator").descriptors;
  });
  std::printf("%-16s %20s %20s %20s\n", "", "memory kB", "descriptors", "threads");
  for (const auto& [name, now] : use_of_all(till.sandbox())) {
    const Use& then = before.at(name);
    std::printf("%-16s %9ld -> %7ld %9ld -> %7ld %9ld -> %7ld\n", name.c_str(), then.memory_kb,
                now.memory_kb, then.descriptors, now.descriptors, then.threads, now.threads);
    INFO(name);
    if (live::kMemoryTells) CHECK(now.memory_kb - then.memory_kb < kMemoryGrowthMaxKb);
    CHECK(now.descriptors <= then.descriptors);
    CHECK(now.threads <= then.threads);
  }
  for (const auto& [name, now] : sessions_of_all(till.house())) {
    std::printf("%-16s %4ld -> %ld database sessions\n", name.c_str(), sessions_before.at(name),
                now);
    INFO(name);
    CHECK(now <= sessions_before.at(name));
  }
  for (const auto& participant : till.house().setup().participants)
    CHECK(live::prepared_branches(till.sandbox(), participant).empty());
}
