#include "chaos/sandbox/postgres_standby.h"

#include <filesystem>
#include <string>
#include <utility>

#include "chaos/sandbox/postgres_server.h"

namespace assent::live {
namespace {

constexpr const char* kAnyDatabase = "postgres";

// A cluster that begins as a copy of a running one.
class CopiedServer : public PostgresServer {
 public:
  CopiedServer(DatabaseSpec spec, std::string primary)
      : PostgresServer(std::move(spec)), primary_(std::move(primary)) {}

 protected:
  void create_cluster() override {
    run_as_server({find_program("pg_basebackup", {"/usr/lib/postgresql/15/bin"}),
                   "--pgdata=" + cluster().string(), "--dbname=" + primary_,
                   "--write-recovery-conf", "--checkpoint=fast", "--no-sync"});
  }

 private:
  const std::string primary_;
};

}  // namespace

std::unique_ptr<DatabaseServer> make_postgres_standby(DatabaseServer& primary, DatabaseSpec spec) {
  CopiedServer(spec, primary.client_url(kAnyDatabase)).init();
  // The accounts were copied with the cluster.
  std::filesystem::copy_file(primary.spec().directory / "accounts", spec.directory / "accounts",
                             std::filesystem::copy_options::overwrite_existing);
  return DatabaseServer::make(DatabaseKind::kPostgres, std::move(spec));
}

void wait_until_caught_up(DatabaseServer& standby, DatabaseServer& primary) {
  const std::string written = primary.query_value(kAnyDatabase, "SELECT pg_current_wal_lsn();");
  const std::string asked = "SELECT pg_last_wal_replay_lsn() >= '" + written + "';";
  const auto has_it = [&] { return standby.query_value(kAnyDatabase, asked) == "t"; };
  if (!wait_until(has_it, std::chrono::seconds(60)))
    throw SandboxError(standby.spec().name + " does not catch up with " + primary.spec().name);
}

void promote(DatabaseServer& standby) {
  const std::string asked = "SELECT pg_last_wal_receive_lsn() IS NOT NULL;";
  const auto follows = [&] { return standby.query_value(kAnyDatabase, asked) == "t"; };
  if (!wait_until(follows, std::chrono::seconds(60)))
    throw SandboxError(standby.spec().name + " does not ask its primary for a stream");
  if (standby.query_value(kAnyDatabase, "SELECT pg_promote();") != "t")
    throw SandboxError(standby.spec().name + " was not promoted within the server's patience");
}

}  // namespace assent::live
