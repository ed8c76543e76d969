// The sandbox itself: what it makes, what its verbs do, and that it leaves nothing behind.

#include "chaos/sandbox/sandbox.h"

#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/sandbox/ports.h"
#include "tests/support/temporary_folder.h"

using namespace assent::live;
using assent::testing::TemporaryFolder;
using std::chrono::seconds;

namespace {

struct Place {
  TemporaryFolder folder;
  PortLease ports{22};
  std::filesystem::path directory = folder.path() / "sandbox";

  SandboxSpec spec(std::vector<Participant> participants) const {
    SandboxSpec spec;
    spec.directory = directory;
    spec.base_port = ports.first();
    spec.participants = std::move(participants);
    return spec;
  }
};

std::vector<Participant> mixed_pair() {
  return points_and_payments(DatabaseKind::kPostgres, DatabaseKind::kMariadb);
}

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

unsigned mode_of(const std::filesystem::path& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

std::string state_of(Sandbox& sandbox, const std::string& name) {
  for (const auto& part : sandbox.status()) {
    if (part.name == name) return part.state;
  }
  return "no such part";
}

// Every running process that has this folder in its arguments.
std::vector<std::string> processes_of(const std::filesystem::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string arguments = content(entry.path() / "cmdline");
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (arguments.find(folder.string()) != std::string::npos) found.push_back(arguments);
  }
  return found;
}

// The command, as a person calls it.
struct Command {
  explicit Command(const Place& at) : place(at) {}
  ~Command() { (*this)({"down", "--purge"}); }

  CommandResult operator()(std::vector<std::string> words) const {
    ProcessSpec command;
    command.argv = {ASSENT_BINARY_DIR "/chaos/sandbox/assent-sandbox"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.argv.insert(command.argv.end(), {"--dir", place.directory.string()});
    return run_command(command, "", seconds(100));
  }

  CommandResult up(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"up", "--base-port", std::to_string(place.ports.first())};
    words.insert(words.end(), more.begin(), more.end());
    return (*this)(words);
  }

  const Place& place;
};

}  // namespace

TEST_CASE("a new sandbox holds the schema and the rows that the documentation names") {
  const auto points = GENERATE(DatabaseKind::kPostgres, DatabaseKind::kMariadb);
  const auto payments =
      points == DatabaseKind::kPostgres ? DatabaseKind::kMariadb : DatabaseKind::kPostgres;
  Place place;
  Sandbox sandbox(place.spec(points_and_payments(points, payments)));
  sandbox.create();

  auto& cards = sandbox.database("points");
  auto& bills = sandbox.database("payments");
  CHECK(cards.query("points", "SELECT count(*), min(id), max(id), sum(points) FROM card;") ==
        std::vector<Row>{{"10000", "1", "10000", "1000000"}});
  CHECK(
      bills.query("payments", "SELECT count(*), min(card_id), max(card_id), sum(due) FROM bill;") ==
      std::vector<Row>{{"10000", "1", "10000", "10000000"}});
  CHECK_THROWS_AS(cards.query("points", "UPDATE card SET points = -1 WHERE id = 1;"), SandboxError);
  CHECK_THROWS_AS(bills.query("payments", "UPDATE bill SET due = -1 WHERE card_id = 1;"),
                  SandboxError);

  // No unique key: a payment that is applied twice shows.
  for (const char* participant : {"points", "payments"}) {
    CAPTURE(participant);
    auto& database = sandbox.database(participant);
    const std::string pay = "INSERT INTO ledger (tx_key, card_id, amount) VALUES ('k', 1, 100);";
    database.query(participant, pay + pay, Role::kAgent);
    CHECK(database.query_value(participant, "SELECT count(*) FROM ledger WHERE tx_key = 'k';") ==
          "2");
    CHECK(database.query_value(participant, "SELECT max(id) FROM ledger;") == "2");
  }
}

TEST_CASE("the agent's account can do what an agent must") {
  Place place;
  Sandbox sandbox(place.spec(mixed_pair()));
  sandbox.create();

  sandbox.database("points").query(
      "points",
      "CREATE SCHEMA ours; CREATE TABLE ours.fence (epoch bigint);"
      "SELECT system_identifier FROM pg_control_system();"
      "BEGIN; UPDATE card SET points = 0 WHERE id = 1; PREPARE TRANSACTION 'g';"
      "SELECT gid FROM pg_prepared_xact(); ROLLBACK PREPARED 'g';",
      Role::kAgent);
  sandbox.database("payments")
      .query("payments",
             "CREATE TABLE fence (epoch bigint);"
             "SET SESSION pseudo_slave_mode = 1; XA START 'g';"
             "UPDATE bill SET due = 0 WHERE card_id = 1; XA END 'g'; XA PREPARE 'g';"
             "XA RECOVER; XA ROLLBACK 'g'; SELECT GET_LOCK('agent', 0);"
             "SELECT * FROM information_schema.INNODB_TRX;",
             Role::kAgent);
  CHECK(sandbox.database("points").query_value("points", "SELECT points FROM card WHERE id = 1;") ==
        "100");
  CHECK(sandbox.database("payments")
            .query_value("payments", "SELECT due FROM bill WHERE card_id = 1;") == "1000");
}

TEST_CASE("secrets of a sandbox are its owner's alone, and env says where everything is") {
  Place place;
  Sandbox sandbox(place.spec(mixed_pair()));
  sandbox.create();

  for (const char* file :
       {"config/agent-points.token", "config/agent-points.toml", "config/agent-payments.token",
        "config/coordinator.toml", "env", "db-points/accounts", "db-payments/accounts"}) {
    CAPTURE(file);
    CHECK(mode_of(place.directory / file) == 0600);
  }
  CHECK(content(place.directory / "config/agent-points.token") !=
        content(place.directory / "config/agent-payments.token"));
  const std::string env = content(place.directory / "env");
  const auto port = [&](int offset) { return std::to_string(place.ports.first() + offset); };
  CHECK_THAT(env, Catch::Contains("export ASSENT_COORDINATOR='127.0.0.1:" + port(0) + "'\n"));
  CHECK_THAT(env, Catch::Contains("/coordinator/tools:") &&
                      Catch::Contains("/participant_agents/server':\"$PATH\"\n"));
  CHECK_THAT(env, Catch::Contains("export POINTS_URL='postgresql://") &&
                      Catch::Contains(":" + port(11) + "/points'\n"));
  CHECK_THAT(env,
             Catch::Contains("export PAYMENTS_URL='--host=127.0.0.1 --port=" + port(12) + " "));
}

TEST_CASE("three participants, and the same sandbox again with its data") {
  Place place;
  const auto spec = place.spec({{"points", DatabaseKind::kPostgres, Schema::kCards},
                                {"payments", DatabaseKind::kMariadb, Schema::kBills},
                                {"gifts", DatabaseKind::kPostgres, Schema::kCards}});
  {
    Sandbox sandbox(spec);
    sandbox.create();
    sandbox.database("gifts").query("gifts", "UPDATE card SET points = 7 WHERE id = 7;");
    CHECK(sandbox.names() == std::vector<std::string>{"coordinator", "agent-points",
                                                      "agent-payments", "agent-gifts", "db-points",
                                                      "db-payments", "db-gifts"});
    // Participants with one identity would be one database to a coordinator.
    const std::string identity = "SELECT system_identifier FROM pg_control_system();";
    CHECK(sandbox.database("points").query_value("points", identity) !=
          sandbox.database("gifts").query_value("gifts", identity));
  }  // ended as by SIGKILL

  const auto held = Sandbox::read_spec(place.directory);
  REQUIRE(held);
  CHECK(held->participants == spec.participants);
  CHECK(held->base_port == spec.base_port);
  Sandbox again(*held);
  again.start_databases();
  CHECK(again.database("gifts").query_value("gifts", "SELECT points FROM card WHERE id = 7;") ==
        "7");
  again.stop_all();
  again.remove();
  CHECK_FALSE(std::filesystem::exists(place.directory));
}

TEST_CASE("a part that dies by itself is noticed, told, and can be started again") {
  Place place;
  Sandbox sandbox(place.spec(mixed_pair()));
  sandbox.create();
  const auto pid_file = place.directory / "pids/db-payments.pid";
  CHECK(content(pid_file) == std::to_string(sandbox.database("payments").pid()) + "\n");
  CHECK(sandbox.reap().empty());

  ::kill(sandbox.database("payments").pid(), SIGKILL);
  std::vector<std::string> ended;
  CHECK(wait_until([&] { return !(ended = sandbox.reap()).empty(); }, seconds(10)));
  CHECK(ended == std::vector<std::string>{"db-payments"});
  CHECK_FALSE(std::filesystem::exists(pid_file));
  CHECK_THAT(state_of(sandbox, "db-payments"), Catch::Contains("ended by itself: signal 9"));
  CHECK(state_of(sandbox, "db-points") == "running");

  sandbox.start("db-payments");
  CHECK(state_of(sandbox, "db-payments") == "running");
  sandbox.kill("db-payments");
  CHECK(state_of(sandbox, "db-payments") == "killed");
  sandbox.stop("db-points");
  CHECK(state_of(sandbox, "db-points") == "stopped");
  CHECK_THROWS_WITH(sandbox.start("db-nobody"), Catch::Contains("db-points"));
}

TEST_CASE("a folder with something else in it is refused and left alone") {
  Place place;
  std::filesystem::create_directory(place.directory);
  std::ofstream(place.directory / "letter") << "dear reader";
  Sandbox sandbox(place.spec(mixed_pair()));
  CHECK_THROWS_WITH(sandbox.create(), Catch::Contains("in use by something else"));
  CHECK(content(place.directory / "letter") == "dear reader");
}

TEST_CASE("a sandbox that cannot be made leaves nothing") {
  Place place;
  auto spec = place.spec(mixed_pair());
  spec.database_settings["payments"]["hope"] = "plenty";
  {
    Sandbox sandbox(spec);
    CHECK_THROWS_WITH(sandbox.create(), Catch::Contains("db-payments") && Catch::Contains("hope"));
  }
  CHECK_FALSE(std::filesystem::exists(place.directory));
  CHECK(processes_of(place.directory).empty());
}

TEST_CASE("the command: up, status, sql, kill, start, stop, down") {
  Place place;
  const Command sandbox(place);
  const CommandResult up = sandbox.up();
  INFO(up.standard_error);
  REQUIRE(up.end.succeeded());
  CHECK(sandbox({"status"}).end.succeeded());
  CHECK(sandbox({"sql", "points", "SELECT id, points FROM card WHERE id < 3 ORDER BY id"})
            .standard_output == "1\t100\n2\t100\n");
  CHECK(sandbox(
            {"sql", "payments", "SELECT card_id, due FROM bill WHERE card_id < 3 ORDER BY card_id"})
            .standard_output == "1\t1000\n2\t1000\n");
  CHECK(sandbox({"sql", "points", "SELECT nothing"}).end.exit_code == 1);

  for (const char* name :
       {"db-points", "db-payments", "agent-points", "agent-payments", "coordinator"}) {
    CAPTURE(name);
    const auto before = content(place.directory / "pids" / (std::string(name) + ".pid"));
    CHECK(sandbox({"kill", name}).end.succeeded());
    const CommandResult status = sandbox({"status"});
    CHECK(status.end.exit_code == 1);
    CHECK_THAT(status.standard_output, Catch::Contains("killed"));
    const CommandResult start = sandbox({"start", name});
    INFO(start.standard_error);
    CHECK(start.end.succeeded());
    CHECK(content(place.directory / "pids" / (std::string(name) + ".pid")) != before);
  }
  CHECK(sandbox({"status"}).end.succeeded());
  CHECK(sandbox({"stop", "agent-points"}).end.succeeded());
  CHECK_THAT(sandbox({"status"}).standard_output, Catch::Contains("stopped"));

  const CommandResult again = sandbox.up();
  CHECK(again.end.exit_code == 2);
  CHECK_THAT(again.standard_error, Catch::Contains("running") && Catch::Contains("already"));
  CHECK(sandbox({"start", "db-nobody"}).end.exit_code == 2);

  sandbox({"sql", "points", "UPDATE card SET points = 5 WHERE id = 1"});
  CHECK(sandbox({"down"}).end.succeeded());
  CHECK(processes_of(place.directory).empty());
  CHECK(std::filesystem::is_empty(place.directory / "pids"));

  CHECK(sandbox.up().end.succeeded());
  CHECK(sandbox({"sql", "points", "SELECT points FROM card WHERE id = 1"}).standard_output ==
        "5\n");
  CHECK(sandbox({"down", "--purge"}).end.succeeded());
  CHECK(processes_of(place.directory).empty());
  CHECK_FALSE(std::filesystem::exists(place.directory));
}

TEST_CASE("the command: other databases than those in the folder are refused") {
  Place place;
  const Command sandbox(place);
  REQUIRE(sandbox.up({"--points", "mariadb", "--payments", "mariadb"}).end.succeeded());
  REQUIRE(sandbox({"down"}).end.succeeded());
  const CommandResult other = sandbox.up({"--points", "postgres"});
  CHECK(other.end.exit_code == 2);
  CHECK_THAT(other.standard_error, Catch::Contains("mariadb") && Catch::Contains("--purge"));
}

TEST_CASE("the command: a taken port is named, and nothing is left") {
  Place place;
  const Command sandbox(place);
  Sandbox neighbour([&] {
    auto spec = place.spec({{"points", DatabaseKind::kPostgres, Schema::kCards}});
    spec.directory = place.folder.path() / "neighbour";
    return spec;
  }());
  neighbour.create();
  const CommandResult up = sandbox.up();
  CHECK(up.end.exit_code == 2);
  CHECK_THAT(up.standard_error,
             Catch::Contains("port " + std::to_string(place.ports.first() + 11)));
  CHECK_FALSE(std::filesystem::exists(place.directory));
  CHECK(processes_of(place.directory).empty());
}

TEST_CASE("the command: killing the supervisor ends everything, and up finds the data again") {
  Place place;
  const Command sandbox(place);
  REQUIRE(sandbox.up().end.succeeded());
  sandbox({"sql", "points", "UPDATE card SET points = 5 WHERE id = 1"});
  ::kill(std::stoi(content(place.directory / "pids/supervisor.pid")), SIGKILL);
  CHECK(wait_until([&] { return processes_of(place.directory).empty(); }, seconds(20)));
  CHECK_FALSE(sandbox({"status"}).end.succeeded());

  const CommandResult up = sandbox.up();
  INFO(up.standard_error);
  REQUIRE(up.end.succeeded());
  CHECK(sandbox({"sql", "points", "SELECT points FROM card WHERE id = 1"}).standard_output ==
        "5\n");
}

TEST_CASE("the command: wrong usage is exit status 2 and names the mistake") {
  Place place;
  const Command sandbox(place);
  CHECK(sandbox({"up", "--points", "oracle"}).end.exit_code == 2);
  CHECK(sandbox({"up", "--base-port", "80"}).end.exit_code == 2);
  CHECK(sandbox({"dance"}).end.exit_code == 2);
  CHECK(sandbox({"kill"}).end.exit_code == 2);
  CHECK_THAT(sandbox({"kill", "db-points"}).standard_error,
             Catch::Contains("no sandbox is running"));
  CHECK_THAT(sandbox({"sql", "points", "SELECT 1"}).standard_error, Catch::Contains("no sandbox"));
}
