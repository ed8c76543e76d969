// The private databases that every other test of this folder stands on.

#include "chaos/sandbox/database_server.h"

#include <sys/shm.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/sandbox/ports.h"
#include "tests/support/temporary_folder.h"

using namespace assent::live;
using assent::testing::TemporaryFolder;

namespace {

struct OneServer {
  explicit OneServer(DatabaseKind kind) : server(DatabaseServer::make(kind, spec())) {
    server->init();
  }

  DatabaseSpec spec() const {
    DatabaseSpec spec;
    spec.name = "db-test";
    spec.directory = folder.path() / "db-test";
    spec.log_file = folder.path() / "db-test.log";
    spec.port = ports.first();
    spec.dies_with_owner = true;
    return spec;
  }

  void start_with_a_row() {
    server->start();
    server->create_database("points");
    server->query(
        "points",
        "CREATE TABLE card (id int PRIMARY KEY, points int); INSERT INTO card VALUES (1, 100);",
        Role::kApplication);
  }

  std::string points() {
    return server->query_value("points", "SELECT points FROM card WHERE id = 1;", Role::kAgent);
  }

  TemporaryFolder folder;
  PortLease ports{1};
  std::unique_ptr<DatabaseServer> server;
};

DatabaseKind each_kind() {
  return GENERATE(DatabaseKind::kPostgres, DatabaseKind::kMariadb);
}

// A prepared branch in the words of each database.
std::string prepare_branch(DatabaseKind kind) {
  if (kind == DatabaseKind::kPostgres) {
    return "BEGIN; UPDATE card SET points = 0 WHERE id = 1; PREPARE TRANSACTION 'branch';";
  }
  return "XA START 'branch'; UPDATE card SET points = 0 WHERE id = 1; XA END 'branch'; XA PREPARE "
         "'branch';";
}

std::string commit_branch(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "COMMIT PREPARED 'branch';" : "XA COMMIT 'branch';";
}

// The letter that ps shows: T is stopped.
char kernel_state(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  return text.at(text.rfind(')') + 2);
}

// The number that PostgreSQL writes behind the segment's key, in the seventh line of its lock file.
int shared_memory_of(const std::filesystem::path& cluster) {
  std::ifstream file(cluster / "postmaster.pid");
  std::string line;
  for (int i = 1; i < 7; ++i) std::getline(file, line);
  unsigned long key = 0;
  int id = -1;
  file >> key >> id;
  return id;
}

std::string durability_setting(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "SHOW fsync;"
                                         : "SELECT @@innodb_flush_log_at_trx_commit;";
}

}  // namespace

TEST_CASE("a private database starts, answers each account, and stops") {
  const DatabaseKind kind = each_kind();
  CAPTURE(to_string(kind));
  OneServer one(kind);
  one.start_with_a_row();

  CHECK(one.server->is_running());
  CHECK(one.points() == "100");
  CHECK(one.server->query("points", "SELECT id, NULL FROM card;") ==
        std::vector<Row>{{"1", "NULL"}});
  CHECK(one.server->query_value("points", durability_setting(kind)) ==
        (kind == DatabaseKind::kPostgres ? "on" : "1"));

  one.server->stop();
  CHECK_FALSE(one.server->is_running());
  CHECK(one.server->end()->succeeded());
}

TEST_CASE("a prepared branch survives a kill of the database and finishes after its restart") {
  const DatabaseKind kind = each_kind();
  const KillScope scope = GENERATE(KillScope::kServer, KillScope::kEverything);
  CAPTURE(to_string(kind));
  OneServer one(kind);
  one.start_with_a_row();
  one.server->query("points", prepare_branch(kind), Role::kAgent);
  CHECK(one.points() == "100");

  one.server->kill(scope);
  REQUIRE(one.server->end());
  CHECK(one.server->end()->signal == 9);
  one.server->start();
  CHECK(one.points() == "100");
  one.server->query("points", commit_branch(kind), Role::kAgent);
  CHECK(one.points() == "0");
}

TEST_CASE("an error of a statement carries the database's words") {
  const DatabaseKind kind = each_kind();
  CAPTURE(to_string(kind));
  OneServer one(kind);
  one.start_with_a_row();

  CHECK_THROWS_WITH(one.server->query("points", "SELECT nothing FROM nowhere;"),
                    Catch::Contains("nowhere"));
  CHECK_THROWS_WITH(
      one.server->query("points", "CREATE USER thief;", Role::kAgent),
      Catch::Contains(kind == DatabaseKind::kPostgres ? "permission denied" : "Access denied"));
}

TEST_CASE("a second server on a taken port is refused and the first goes on") {
  const DatabaseKind kind = each_kind();
  CAPTURE(to_string(kind));
  OneServer one(kind);
  one.start_with_a_row();
  DatabaseSpec spec = one.spec();
  spec.directory = one.folder.path() / "second";
  spec.log_file = one.folder.path() / "second.log";
  const auto second = DatabaseServer::make(kind, spec);
  second->init();

  CHECK_THROWS_WITH(second->start(), Catch::Contains("port " + std::to_string(spec.port)) &&
                                         Catch::Contains("taken"));
  CHECK_FALSE(second->is_running());
  CHECK(one.points() == "100");
}

TEST_CASE("a server that cannot start says why with the end of its log") {
  OneServer one(DatabaseKind::kPostgres);
  one.server->settings()["max_prepared_transactions"] = "many";
  CHECK_THROWS_WITH(one.server->start(), Catch::Contains("max_prepared_transactions"));
  one.server->settings()["max_prepared_transactions"] = "3";
  one.server->start();
  CHECK(one.server->query_value("postgres", "SHOW max_prepared_transactions;") == "3");
}

TEST_CASE("a paused database stands still until it is resumed") {
  const DatabaseKind kind = each_kind();
  CAPTURE(to_string(kind));
  OneServer one(kind);
  one.start_with_a_row();
  one.server->pause();
  CHECK(
      wait_until([&] { return kernel_state(one.server->pid()) == 'T'; }, std::chrono::seconds(10)));
  CHECK(one.server->is_running());
  one.server->resume();
  CHECK(one.points() == "100");
}

TEST_CASE("remove leaves nothing, also of data kept elsewhere") {
  OneServer one(each_kind());
  const auto data = std::filesystem::canonical(one.server->spec().directory / "data");
  one.server->start();
  CHECK_THROWS_WITH(one.server->remove(), Catch::Contains("stop it"));
  one.server->stop();
  one.server->remove();
  CHECK_FALSE(std::filesystem::exists(data));
  CHECK_FALSE(std::filesystem::exists(one.server->spec().directory));
}

TEST_CASE("remove takes the shared memory of a killed PostgreSQL along") {
  OneServer one(DatabaseKind::kPostgres);
  one.server->start();
  const auto cluster = std::filesystem::canonical(one.server->spec().directory / "data/cluster");
  const int segment = shared_memory_of(cluster);
  shmid_ds status{};
  REQUIRE(::shmctl(segment, IPC_STAT, &status) == 0);
  one.server->kill();
  REQUIRE(::shmctl(segment, IPC_STAT, &status) == 0);
  one.server->remove();
  CHECK(::shmctl(segment, IPC_STAT, &status) == -1);
}

TEST_CASE("a strict umask does not keep the data from its folder") {
  struct StrictUmask {
    mode_t before = ::umask(0077);
    ~StrictUmask() { ::umask(before); }
  };
  const auto kind = each_kind();
  const StrictUmask strict;
  OneServer one(kind);
  one.server->start();
  CHECK_FALSE(std::filesystem::is_symlink(one.server->spec().directory / "data"));
}
