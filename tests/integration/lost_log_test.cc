// The decision log is lost: another folder, or none, is found in its place. The databases know, and
// nothing is presumed until a person has said so (design sections 6 and 7, R2, R10).

#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_print_begin.h"
#include "tests/integration/support_untold.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr int kDone = 0;
constexpr int kUnknown = 3;
constexpr int kRefused = 4;

/// The branch that is committed has a witness row, so that everybody can see it.
Setup mariadb_and_postgres() {
  return {"MariaDB and PostgreSQL",
          live::points_and_payments(DatabaseKind::kMariadb, DatabaseKind::kPostgres)};
}

/// What one assentctl said, shown when a check fails.
struct Told {
  int exit = 0;
  std::string text;
};

Told assentctl(House& house, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), ASSENT_BINARY_DIR "/coordinator/tools/assentctl");
  live::ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.environment["ASSENT_COORDINATOR"] = house.sandbox().coordinator_address();
  const auto result = live::run_command(spec, {}, kPatience);
  return {result.end.exit_code, result.standard_output + result.standard_error};
}

Told resolve(House& house, const std::string& gtrid, const std::string& decision) {
  return assentctl(house, {"resolve", gtrid, decision, "--reason", "the log is lost", "--yes"});
}

std::vector<std::string> prepared(House& house, const std::string& participant) {
  for (const auto& each : house.setup().participants) {
    if (each.name == participant) return live::prepared_branches(house.sandbox(), each);
  }
  return {};
}

/// Prepared at points, and the coordinator ends before it is decided.
void leave_undecided(House& house, std::int64_t card) {
  house.kill("coordinator");
  auto& coordinator = house.sandbox().coordinator();
  coordinator.start({{"ASSENT_CRASH_POINT", "coordinator.append.before:1"}});
  Client client = house.connect();
  Submission submission = House::submission(house.payment(card, 10));
  std::erase_if(submission.steps, [](const Step& step) { return step.participant != "points"; });
  const bool ended = comes_true([&] {
    if (coordinator.is_running()) client.submit(submission);
    return !coordinator.is_running();
  });
  if (!ended) throw std::runtime_error("the coordinator did not end before its decision");
}

/// Of a branch as its database lists it.
std::string gtrid_of(const std::string& listed) {
  std::smatch found;
  if (!std::regex_search(listed, found, std::regex("[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+"))) return "";
  return found.str();
}

struct LostLog {
  House house{mariadb_and_postgres()};
  std::int64_t card = house.fresh_card();
  workload::Payment paid = house.payment(card, 10);
  std::int64_t untold_card = house.fresh_card();
  std::int64_t undecided_card = house.fresh_card();
  std::string untold;     ///< committed at points, prepared at payments
  std::string undecided;  ///< prepared at points

  LostLog() {
    REQUIRE(house.client().submit(House::submission(paid)).outcome == Outcome::kCommitted);
    untold = decided_and_untold(house, untold_card);
    REQUIRE(comes_true([&] { return prepared(house, "points").empty(); }));
    leave_undecided(house, undecided_card);
    house.kill("agent-payments");
    house.sandbox().start("agent-payments");
    REQUIRE(prepared(house, "points").size() == 1);
    REQUIRE(prepared(house, "payments").size() == 1);
    undecided = gtrid_of(prepared(house, "points").front());
  }

  std::filesystem::path folder() { return house.sandbox().spec().directory / "coordinator"; }

  void start() { house.sandbox().start("coordinator"); }

  void check_nothing_is_presumed() {
    REQUIRE(house.wait_until_linked());
    CHECK(comes_true([&] {
      const std::string text = assentctl(house, {"status"}).text;
      return text.find(untold) != std::string::npos && text.find(undecided) != std::string::npos;
    }));
    const Told status = assentctl(house, {"status"});
    INFO(status.text);
    CHECK(status.exit == kUnknown);
    CHECK_THAT(status.text, Catch::Contains("not ready; decisions may be missing") &&
                                Catch::Contains("at stake") && Catch::Contains(untold) &&
                                Catch::Contains(undecided) &&
                                Catch::Contains("assentctl allow presume"));
    Client client = house.connect();
    CHECK(client.submit(House::submission(paid)).outcome == Outcome::kUnknown);
    CHECK(client.settle(paid.key).outcome == Outcome::kUnknown);
    // One that was never used looks the same.
    CHECK(client.submit(House::submission(house.payment(card, 10))).outcome == Outcome::kUnknown);
    CHECK(house.paid(card) == 10);
    CHECK(prepared(house, "points").size() == 1);
    CHECK(prepared(house, "payments").size() == 1);
  }
};

}  // namespace

TEST_CASE("the folder of the log is empty: nothing is presumed until a person gives it up") {
  LostLog lost;
  House& house = lost.house;
  std::filesystem::rename(lost.folder(), lost.folder().string() + "-unmounted");
  lost.start();
  lost.check_nothing_is_presumed();
  house.kill("coordinator");
  lost.start();
  lost.check_nothing_is_presumed();

  const Told listed = assentctl(house, {"list", "--in-doubt"});
  INFO(listed.text);
  CHECK_THAT(listed.text, Catch::Contains(lost.untold) && Catch::Contains(lost.undecided) &&
                              Catch::Contains("a lost log of this coordinator"));
  const Told against = resolve(house, lost.untold, "--rollback");
  INFO(against.text);
  CHECK(against.exit == kRefused);
  CHECK_THAT(against.text, Catch::Contains("can only be committed"));
  const Told committed = resolve(house, lost.untold, "--commit");
  INFO(committed.text);
  CHECK(committed.exit == kDone);
  CHECK(comes_true([&] { return prepared(house, "payments").empty(); }));
  CHECK(house.paid(lost.untold_card) == 10);
  CHECK(resolve(house, lost.untold, "--rollback").exit == kRefused);
  const Told rolled_back = resolve(house, lost.undecided, "--rollback");
  INFO(rolled_back.text);
  CHECK(rolled_back.exit == kDone);
  CHECK(house.left_behind() == "");
  CHECK(house.paid(lost.undecided_card) == 0);

  const Told allowed =
      assentctl(house, {"allow", "presume", "--reason", "the disk is gone", "--yes"});
  INFO(allowed.text);
  CHECK(allowed.exit == kDone);
  for (int life = 0; life < 2; ++life) {
    INFO("life " << life);
    REQUIRE(house.wait_until_linked());
    CHECK(comes_true([&] { return assentctl(house, {"status"}).exit == kDone; }));
    CHECK(comes_true([&] {
      return house.connect().submit(House::submission(house.payment(lost.card, 1))).outcome ==
             Outcome::kCommitted;
    }));
    house.kill("coordinator");
    lost.start();
  }
  CHECK(house.left_behind() == "");
}

TEST_CASE("the folder is there again: the log that was lost goes on as if nothing had been") {
  LostLog lost;
  House& house = lost.house;
  const auto away = lost.folder().string() + "-unmounted";
  std::filesystem::rename(lost.folder(), away);
  lost.start();
  REQUIRE(house.wait_until_linked());
  CHECK(comes_true(
      [&] { return assentctl(house, {"status"}).text.find("lost log") != std::string::npos; }));
  house.kill("coordinator");
  std::filesystem::remove_all(lost.folder());
  std::filesystem::rename(away, lost.folder());
  lost.start();
  CHECK(house.left_behind() == "");
  CHECK(house.paid(lost.untold_card) == 10);
  CHECK(house.paid(lost.undecided_card) == 0);
  CHECK(comes_true([&] { return assentctl(house, {"status"}).exit == kDone; }));
  CHECK(house.connect().outcome_of(lost.paid.key).outcome == Outcome::kCommitted);
}
