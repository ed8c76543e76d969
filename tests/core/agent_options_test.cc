// The agent's configuration: what is wrong is named by file, line and key; and who may command it.

#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "participant_agents/server/hello_check.h"
#include "participant_agents/server/options.h"
#include "tests/support/temporary_folder.h"

using namespace assent;
using namespace assent::agent;
using Catch::Contains;
using Catch::EndsWith;
using std::filesystem::perms;

namespace {

class Configuration {
 public:
  Configuration() { write_token("0123456789abcdef\n", perms::owner_read | perms::owner_write); }

  void write_token(const std::string& content, perms mode) {
    std::ofstream(token()) << content;
    std::filesystem::permissions(token(), mode);
  }

  Result<Options> read(const std::string& agent, const std::string& database,
                       const std::string& coordinator) {
    std::ofstream(file()) << agent << database << coordinator;
    return read_options(file());
  }

  /// What is said of a file with this instead of its parts.
  std::string complaint(const std::string& agent, const std::string& database,
                        const std::string& coordinator) {
    const auto options = read(agent, database, coordinator);
    if (options) return "no complaint";
    CHECK(options.error().code == ErrorCode::kInvalid);
    const std::string& text = options.error().message;
    CHECK_THAT(text, Catch::StartsWith(file().string() + ":"));
    return text.substr(file().string().size() + 1);
  }
  std::string agent_complaint(const std::string& agent) {
    return complaint(agent, database(), coordinator());
  }
  std::string database_complaint(const std::string& database) {
    return complaint(agent(), database, coordinator());
  }
  std::string coordinator_complaint(const std::string& coordinator) {
    return complaint(agent(), database(), coordinator);
  }

  static std::string agent() {
    return "[agent]\nparticipant = \"points\"\nlisten = \"127.0.0.1:7401\"\n";
  }
  static std::string database() {
    return "[database]\nkind = \"postgres\"\nconnection = \"Driver={PostgreSQL};\"\n";
  }
  std::string coordinator() const {
    return "[[coordinator]]\nname = \"pay\"\ntoken_file = \"" + token().string() + "\"\n";
  }

 private:
  std::filesystem::path file() const { return folder_.path() / "agent.toml"; }
  std::filesystem::path token() const { return folder_.path() / "token"; }

  testing::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a full configuration is read") {
  Configuration configuration;
  const auto options = configuration.read(
      Configuration::agent() + "link_grace_ms = 500\n",
      "[database]\nkind = \"mariadb\"\nconnection = \"Driver={MariaDB};\"\nwork_sessions = 8\n"
      "finish_sessions = 2\nqueue_max = 7\nstatement_timeout_ms = 1500\n",
      configuration.coordinator() + "[[coordinator]]\nname = \"shop\"\ntoken_file = \"" +
          configuration.coordinator().substr(configuration.coordinator().find('/')));
  REQUIRE(options.has_value());
  CHECK(options->listen == Address{"127.0.0.1", 7401});
  CHECK(options->link_grace == std::chrono::milliseconds(500));
  CHECK(options->database.participant == "points");
  CHECK(options->database.kind == rm::Kind::kMariadb);
  CHECK(options->database.connection == "Driver={MariaDB};");
  CHECK(options->database.statement_timeout == std::chrono::milliseconds(1500));
  CHECK(options->work_sessions == 8);
  CHECK(options->finish_sessions == 2);
  CHECK(options->queue_max == 7);
  REQUIRE(options->coordinators.size() == 2);
  CHECK(options->coordinators[0].name == "pay");
  CHECK(options->coordinators[0].token == "0123456789abcdef");  // without the newline
}

TEST_CASE("what is wrong in a configuration is named by line and key") {
  Configuration c;
  CHECK_THAT(c.agent_complaint(""), Contains("1: agent: is missing"));
  CHECK_THAT(c.agent_complaint("[agent]\nlisten = \"127.0.0.1:7401\"\n"),
             Contains("1: agent: is missing") || Contains("agent.participant"));
  CHECK_THAT(c.agent_complaint("[agent]\nparticipant = \"Points\"\nlisten = \"127.0.0.1:1\"\n"),
             Contains("2: agent.participant: must be 1 to 32"));
  CHECK_THAT(c.agent_complaint("[agent]\nparticipant = \"points\"\nlisten = \"0.0.0.0:7401\"\n"),
             Contains("3: agent.listen: ") && Contains("loopback"));
  CHECK_THAT(c.agent_complaint(Configuration::agent() + "lisen = 1\n"),
             Contains("4: agent.lisen: there is no such key"));
  CHECK_THAT(c.agent_complaint(Configuration::agent() + "link_grace_ms = -1\n"),
             Contains("4: agent.link_grace_ms: must be a whole number from 0 to 60000"));
  CHECK_THAT(c.agent_complaint(Configuration::agent() + "\n[log]\nlevel = 1\n"),
             Contains("log: there is no such key"));
  CHECK_THAT(c.database_complaint("[database]\nkind = \"oracle\"\nconnection = \"x\"\n"),
             Contains("5: database.kind: must be \"postgres\" or \"mariadb\""));
  CHECK_THAT(c.database_complaint(Configuration::database() + "work_sessions = \"many\"\n"),
             Contains("7: database.work_sessions: must be a whole number"));
  CHECK_THAT(c.coordinator_complaint(""), Contains("coordinator: is missing"));
  CHECK_THAT(c.coordinator_complaint("[coordinator]\nname = \"pay\"\n"),
             Contains("coordinator: must be written [[coordinator]]"));
  CHECK_THAT(c.coordinator_complaint(c.coordinator() + c.coordinator()),
             Contains("11: coordinator.name: stands in two"));
  CHECK_THAT(c.agent_complaint("[agent\n"), Catch::StartsWith("1: "));
  CHECK_THAT(read_options("/nowhere/agent.toml").error().message,
             EndsWith("agent.toml: can't be read: No such file or directory"));
}

TEST_CASE("a token that others can read, or a short one, is refused") {
  Configuration c;
  c.write_token("0123456789abcdef", perms::owner_read | perms::owner_write | perms::group_read);
  CHECK_THAT(c.coordinator_complaint(c.coordinator()),
             Contains("9: coordinator.token_file: ") && Contains("chmod 600"));
  c.write_token("0123456789abcde\n", perms::owner_read | perms::owner_write);
  CHECK_THAT(c.coordinator_complaint(c.coordinator()), Contains("must hold 16 to 1024 characters"));
  CHECK_THAT(
      c.coordinator_complaint("[[coordinator]]\nname = \"pay\"\ntoken_file = \"/nowhere\"\n"),
      Contains("9: coordinator.token_file: token file /nowhere can't be read"));
}

TEST_CASE("tokens are the same or not") {
  CHECK(same_token("0123456789abcdef", "0123456789abcdef"));
  CHECK_FALSE(same_token("0123456789abcdef", "0123456789abcdeF"));
  CHECK_FALSE(same_token("0123456789abcdef", "1123456789abcdef"));
  CHECK_FALSE(same_token("0123456789abcdef", "0123456789abcde"));
  CHECK_FALSE(same_token("0123456789abcdef", ""));
}

TEST_CASE("only a known coordinator with its own token and the right participant is let in") {
  Options options;
  options.database.participant = "points";
  options.coordinators = {{"pay", "the token of pay"}, {"shop", "the token of shop"}};
  Hello hello;
  hello.coordinator = "pay";
  hello.token = "the token of pay";
  hello.participant = "points";
  CHECK_FALSE(check_hello(options, hello));

  hello.token = "the token of shop";
  CHECK(check_hello(options, hello)->code == ErrorCode::kUnauthorized);
  const std::string wrong_token = check_hello(options, hello)->message;
  hello.coordinator = "bank";
  CHECK(check_hello(options, hello)->code == ErrorCode::kUnauthorized);
  CHECK(check_hello(options, hello)->message.substr(16) == wrong_token.substr(15));

  hello.coordinator = "shop";
  hello.participant = "payments";
  CHECK(check_hello(options, hello)->code == ErrorCode::kUnknownParticipant);
  hello.version = 2;
  CHECK(check_hello(options, hello)->code == ErrorCode::kUnsupportedVersion);
}
