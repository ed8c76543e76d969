// Chaos against a house that stands already, described by a file.

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/campaign/campaign.h"
#include "chaos/campaign/report.h"
#include "tests/integration/support_house.h"

using namespace assent;
using namespace assent::testing;
using live::Role;
using live::SandboxError;

namespace {

// A house that knows nothing of being tested; its databases are empty, but for the agents' tables.
class Staging {
 public:
  Staging() : house_(postgres_and_mariadb()) {
    for (const live::Participant& each : participants())
      house_.database(each.name).query(each.name, "DROP TABLE ledger;");
  }

  House& house() { return house_; }
  const std::vector<live::Participant>& participants() {
    return house_.sandbox().spec().participants;
  }

  // What its owner writes, `more` in front.
  std::string text(const std::string& more) {
    std::ostringstream text;
    text << "coordinator = \"" << house_.sandbox().coordinator_address() << "\"\n" << more;
    for (const live::Participant& each : participants()) {
      text << "[[participant]]\nname = \"" << each.name << "\"\nkind = \"" << to_string(each.kind)
           << "\"\nconnection = '"
           << house_.database(each.name).odbc_connection(each.name, Role::kApplication)
           << "'\nagent = \"127.0.0.1:" << house_.sandbox().agent(each.name).spec().port << "\"\n";
    }
    return text.str();
  }

  // A fault by command, as it stands in the file.
  static std::string command(const std::string& name, const std::string& target,
                             const std::string& start, const std::string& heal) {
    return "[[command]]\nname = \"" + name + "\"\ntarget = \"" + target + "\"\nstart = '''" +
           start + "'''\nheal = '''" + heal + "'''\n";
  }

  std::string signal(const std::string& part, const std::string& which) {
    return "kill -" + which + " $(cat '" +
           (house_.sandbox().spec().directory / "pids" / (part + ".pid")).string() + "')";
  }

  live::CampaignOptions options(const std::string& content) {
    live::CampaignOptions options;
    options.config = folder_.path() / "staging.toml";
    options.time = std::chrono::seconds(10);
    std::ofstream(options.config) << content;
    return options;
  }

  // "ledger account" of this participant.
  std::string tables(const std::string& participant) {
    std::string names;
    for (const live::Row& row :
         house_.database(participant)
             .query(
                 participant,
                 "SELECT table_name FROM information_schema.tables WHERE table_name IN ('account', "
                 "'node', 'ledger') ORDER BY table_name;"))
      names += (names.empty() ? "" : " ") + row.front();
    return names;
  }

 private:
  House house_;
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a deployment is put under load and faults, judged, and left as it was") {
  Staging staging;
  const auto options = staging.options(
      staging.text("faults = [\"malformed\", \"delay\", \"cut\", \"flip\"]\n") +
      Staging::command("pause", "agent-points", staging.signal("agent-points", "STOP"),
                       staging.signal("agent-points", "CONT")));
  const live::Campaign campaign = live::run_campaign(options);
  INFO(live::to_text(campaign));
  CHECK(campaign.has_passed());
  CHECK(campaign.committed > 0);
  std::set<std::string> injected;
  for (const auto& fault : campaign.faults) {
    if (fault.left_out.empty()) injected.insert(fault.name);
  }
  CHECK(injected.size() >= 3);
  CHECK(live::to_text(campaign).find("not looked at: I7") != std::string::npos);
  for (const auto& each : staging.participants()) CHECK(staging.tables(each.name) == "");
}

TEST_CASE("a deployment that loses money does not pass, and keeps what shows it") {
  Staging staging;
  const std::string url =
      staging.house().database("points").client_url("points", Role::kApplication);
  const auto options = staging.options(
      staging.text("") +
      Staging::command(
          "theft", "db-points",
          "psql '" + url + "' -c 'UPDATE account SET balance = balance + 1 WHERE id = 7'", "true"));
  const live::Campaign campaign = live::run_campaign(options);
  INFO(live::to_text(campaign));
  CHECK_FALSE(campaign.has_passed());
  CHECK(live::to_text(campaign).find("VIOLATED I4") != std::string::npos);
  for (const auto& each : staging.participants())
    CHECK(staging.tables(each.name) == "account ledger node");
}

TEST_CASE("a deployment's own tables are not touched") {
  Staging staging;
  staging.house().database("payments").query("payments", "CREATE TABLE node (id int);");
  CHECK_THROWS_WITH(live::run_campaign(staging.options(staging.text(""))),
                    Catch::Contains("payments") && Catch::Contains("'node' already"));
  CHECK(staging.tables("points") == "");
  CHECK(staging.tables("payments") == "node");
}

TEST_CASE("a fault that can't be healed ends the run, and the others are healed") {
  Staging staging;
  const auto options = staging.options(
      staging.text("") +
      Staging::command("pause", "agent-payments", staging.signal("agent-payments", "STOP"),
                       staging.signal("agent-payments", "CONT")) +
      Staging::command("odd", "db-points", "true", "echo no way back; false"));
  CHECK_THROWS_WITH(live::run_campaign(options),
                    Catch::Contains("odd") && Catch::Contains("no way back"));
  CHECK(staging.house().wait_until_linked());
}

TEST_CASE("a deployment's file that can't be used says where and why") {
  Staging staging;
  const auto refused = [&](const std::string& content) -> std::string {
    try {
      live::run_campaign(staging.options(content));
    } catch (const SandboxError& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refused("faults = 7\n"), Catch::Contains("staging.toml:1: faults: must be a list") &&
                                          Catch::Contains("coordinator: is missing") &&
                                          Catch::Contains("participant: at least two"));
  CHECK_THAT(refused(staging.text("colour = 'red'\n")),
             Catch::Contains("colour: there is no such key"));
  CHECK_THAT(refused(staging.text("faults = ['power']\n")),
             Catch::Contains("there is no fault 'power'"));
  CHECK_THAT(refused("coordinator = '10.0.0.1:7400'\n"), Catch::Contains("must be on 127.0.0.1"));
  CHECK_THAT(
      refused("coordinator = '127.0.0.1:7400'\n[[participant]]\nname = 'points'\nkind = 'oracle'\n"
              "connection = 'x'\n"),
      Catch::Contains("staging.toml:4: participant.kind: must be"));
}
