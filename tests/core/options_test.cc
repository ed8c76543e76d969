// What assentd's configuration file may say, and how it is told what is wrong.

#include "coordinator/server/options.h"

#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "protocol/settings/token_file.h"
#include "tests/support/temporary_folder.h"

using namespace assent;
using namespace assent::coordinator;
using assent::testing::TemporaryFolder;

namespace {

const std::string kGood = R"(
[coordinator]
name = "pay"
listen = "127.0.0.1:7400"
data_dir = "log"

[[participant]]
name = "points"
agent = "127.0.0.1:7401"
token_file = "agent-points.token"
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Folder {
  std::filesystem::path write(const std::string& name, const std::string& content,
                              mode_t mode = 0600) const {
    const auto file = folder.path() / name;
    std::ofstream(file, std::ios::binary) << content;
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    return file;
  }

  Result<ServerOptions> read(const std::string& content) const {
    return read_options(write("c.toml", content));
  }

  /// The complaint without the folder's name.
  std::string complaint(const std::string& content) const {
    const auto options = read(content);
    REQUIRE(options.has_error());
    CHECK(options.error().code == ErrorCode::kInvalid);
    const std::string prefix = folder.path().string() + "/";
    std::string text = options.error().message;
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }

  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("A configuration without limits takes the core's own") {
  const Folder folder;
  const auto options = folder.read(kGood);
  REQUIRE(options.has_value());
  CHECK(options->core.name == "pay");
  CHECK(options->listen == Address{"127.0.0.1", 7400});
  CHECK(options->data_dir == folder.folder.path() / "log");
  REQUIRE(options->participants.size() == 1);
  CHECK(options->participants[0].name == "points");
  CHECK(options->participants[0].agent == Address{"127.0.0.1", 7401});
  CHECK(options->participants[0].token_file == folder.folder.path() / "agent-points.token");
  CHECK(options->core.participants == std::vector<std::string>{"points"});
  CHECK(options->core.transactions_max == Config().transactions_max);
}

TEST_CASE("Limits are taken in the unit that their name says") {
  const Folder folder;
  const auto options = folder.read(kGood + R"(
[limits]
transactions_max = 7
branches_per_participant_max = 8
sessions_max = 9
session_requests_max = 10
disk_free_min_mib = 20
log_max_mib = 21
drain_timeout_ms = 3000
default_timeout_ms = 1500
timeout_max_ms = 20000
interactive_timeout_ms = 10000
optimistic_lock_wait_ms = 31
ordered_lock_wait_ms = 1000
retry_min_ms = 5
retry_max_ms = 50
scan_interval_ms = 700
retention_hours = 24
)");
  REQUIRE(options.has_value());
  CHECK(options->core.transactions_max == 7);
  CHECK(options->core.branches_per_participant_max == 8);
  CHECK(options->sessions_max == 9);
  CHECK(options->session_requests_max == 10);
  CHECK(options->disk_free_min_mib == 20);
  CHECK(options->log_max_mib == 21);
  CHECK(options->drain_timeout == std::chrono::seconds(3));
  CHECK(options->core.default_timeout == std::chrono::milliseconds(1500));
  CHECK(options->core.timeout_max == std::chrono::seconds(20));
  CHECK(options->core.interactive_timeout == std::chrono::seconds(10));
  CHECK(options->core.optimistic_lock_wait == std::chrono::milliseconds(31));
  CHECK(options->core.ordered_lock_wait == std::chrono::seconds(1));
  CHECK(options->core.retry_min == std::chrono::milliseconds(5));
  CHECK(options->core.retry_max == std::chrono::milliseconds(50));
  CHECK(options->core.scan_interval == std::chrono::milliseconds(700));
  CHECK(options->core.retention == std::chrono::hours(24));
}

TEST_CASE("What is wrong is told with file, line and key") {
  const Folder folder;
  CHECK(folder.complaint(replaced(kGood, "name = \"pay\"", "name = 5")) ==
        "c.toml:3: coordinator.name: must be a text in quotes that is not empty");
  CHECK(folder.complaint(replaced(kGood, "data_dir", "data_folder")) ==
        "c.toml:2: coordinator.data_dir: is missing\n"
        "c.toml:5: coordinator.data_folder: there is no such key");
  CHECK(folder.complaint(replaced(kGood, "\"points\"", "\"Points\"")) ==
        "c.toml:8: participant.name: must be 1 to 32 of a-z, 0-9, _ and -, beginning with a "
        "letter");
  CHECK(folder.complaint("[limits]\ntransactions_max = 0\n" + kGood) ==
        "c.toml:2: limits.transactions_max: must be a whole number from 1 to 1000000");
  CHECK(folder.complaint("[limits]\ntransactions_max = \"many\"\n" + kGood) ==
        "c.toml:2: limits.transactions_max: must be a whole number from 1 to 1000000");
  CHECK_THAT(folder.complaint("colour = 1\n" + kGood),
             Catch::StartsWith("c.toml:1: colour: there is no such key"));
  CHECK_THAT(folder.complaint(""), Catch::Contains("coordinator: is missing"));
}

TEST_CASE("Everything that is wrong is told at once, in the order of the lines") {
  const Folder folder;
  const std::string text =
      replaced(replaced(kGood, "127.0.0.1:7400", "nowhere"), "token_file", "token");
  const std::string complaint = folder.complaint(text);
  const auto listen = complaint.find("c.toml:4: coordinator.listen");
  const auto token = complaint.find("c.toml:10: participant.token: there is no such key");
  CHECK(listen != std::string::npos);
  CHECK(token != std::string::npos);
  CHECK(listen < token);
}

TEST_CASE("What is no TOML is told with its line") {
  const Folder folder;
  CHECK_THAT(folder.complaint("[coordinator]\nname = = 3\n"), Catch::StartsWith("c.toml:2: "));
}

TEST_CASE("A file that is not there is told by name") {
  const auto options = read_options("/nowhere/c.toml");
  REQUIRE(options.has_error());
  CHECK(options.error().message == "/nowhere/c.toml: can't be read: No such file or directory");
}

TEST_CASE("Nothing but loopback, since links are not encrypted") {
  const Folder folder;
  CHECK_THAT(folder.complaint(replaced(kGood, "127.0.0.1:7400", "0.0.0.0:7400")),
             Catch::StartsWith("c.toml:4: coordinator.listen") && Catch::Contains("loopback"));
  CHECK_THAT(folder.complaint(replaced(kGood, "127.0.0.1:7401", "10.0.0.1:7401")),
             Catch::StartsWith("c.toml:9: participant.agent") && Catch::Contains("loopback"));
}

TEST_CASE("Two participants need two names") {
  const Folder folder;
  const std::string again = kGood.substr(kGood.find("[[participant]]"));
  CHECK(folder.complaint(kGood + again) ==
        "c.toml:12: participant.name: 'points' names another participant already");
}

TEST_CASE("A configuration that the core refuses is refused with the file's name") {
  const Folder folder;
  CHECK_THAT(folder.complaint(kGood + "[limits]\nretry_min_ms = 100\nretry_max_ms = 10\n"),
             Catch::StartsWith("c.toml: "));
}

TEST_CASE("A token is the text of its file, readable by its owner only") {
  const Folder folder;
  const auto token = settings::read_token(folder.write("good", "0123456789abcdef\n"));
  REQUIRE(token.has_value());
  CHECK(*token == "0123456789abcdef");

  CHECK_THAT(settings::read_token(folder.write("open", "0123456789abcdef\n", 0644)).error().message,
             Catch::Contains("chmod 600"));
  CHECK_THAT(settings::read_token(folder.write("short", "12345\n")).error().message,
             Catch::Contains("16 to 1024 characters"));
  CHECK_THAT(settings::read_token(folder.write("long", std::string(2000, 'x'))).error().message,
             Catch::Contains("16 to 1024 characters"));
  CHECK_THAT(settings::read_token(folder.folder.path() / "none").error().message,
             Catch::Contains("No such file"));
}
