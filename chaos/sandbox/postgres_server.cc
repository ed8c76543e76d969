#include "chaos/sandbox/postgres_server.h"

#include <signal.h>
#include <sys/shm.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace assent::live {
namespace {

const std::filesystem::path kDebianFolder = "/usr/lib/postgresql/15/bin";

std::filesystem::path program(const std::string& name) {
  auto found = find_program(name, {kDebianFolder});
  if (found.empty()) {
    throw SandboxError("PostgreSQL's '" + name + "' is not in " + kDebianFolder.string() +
                       " nor in PATH: install the package postgresql-15 (./run deps)");
  }
  return found;
}

const std::map<std::string, std::string>& durable_settings() {
  static const std::map<std::string, std::string> settings{
      {"fsync", "on"},
      {"synchronous_commit", "on"},
      {"full_page_writes", "on"},
      {"max_prepared_transactions", "200"},
      {"max_connections", "200"},
      {"shared_buffers", "128MB"},
      {"client_connection_check_interval", "1s"},  // ends the work of a client that died [F 8]
      {"tcp_keepalives_idle", "10"},
      {"tcp_keepalives_interval", "5"},
      {"tcp_keepalives_count", "3"},
      {"log_line_prefix", "'%m [%p] %u '"},
  };
  return settings;
}

}  // namespace

PostgresServer::PostgresServer(DatabaseSpec spec) : DatabaseServer(std::move(spec), "postgres") {}

// A killed server leaves a segment of System V shared memory in the kernel for good, unless it is
// started again; one that is told to leave at once (SIGQUIT) takes it along.
PostgresServer::~PostgresServer() {
  if (is_running()) {
    resume();
    process().send(SIGQUIT);
    if (!process().wait_for_end(std::chrono::seconds(10))) kill(KillScope::kEverything);
  }
  release_leftovers();
}

// Shared memory. The lock file of a server that did not clean up names it: "key id" in its seventh
// line.
void PostgresServer::release_leftovers() const {
  std::ifstream file(cluster() / "postmaster.pid");
  std::string line;
  for (int i = 1; i < 7; ++i) std::getline(file, line);
  unsigned long key = 0;
  int id = 0;
  shmid_ds segment{};
  if (!(file >> key >> id) || ::shmctl(id, IPC_STAT, &segment) != 0) return;
  // The number may belong to somebody else by now, or a backend may be leaving still.
  const bool ours = static_cast<key_t>(key) == segment.shm_perm.__key && segment.shm_nattch == 0;
  if (ours) ::shmctl(id, IPC_RMID, nullptr);
}

void PostgresServer::check_installed() {
  for (const char* name : {"initdb", "postgres", "psql"}) program(name);
}

void PostgresServer::create_cluster() {
  const auto data = cluster();
  const auto secret = data_directory() / "initdb-password";
  write_server_file(secret, account(Role::kAdmin).password + "\n");
  // No sync: what initdb writes is worth nothing until the first start, which flushes by its own
  // rules.
  run_as_server({program("initdb"), "--pgdata=" + data.string(), "--username=admin",
                 "--pwfile=" + secret.string(), "--auth=scram-sha-256", "--encoding=UTF8",
                 "--locale=C.UTF-8", "--no-sync"});
  std::filesystem::remove(secret);
  std::ofstream(data / "postgresql.conf", std::ios::app) << "\ninclude '../settings.conf'\n";
}

// The lock file of a server that died with its parent names a process that exists until somebody
// reaps it, which the first process of a container may never do, and PostgreSQL refuses to start.
// Our own pid in its place is one that PostgreSQL knows not to be a server (its parent's), while
// the rest of the file, the shared memory it must find unused, keeps guarding against backends that
// are still there.
void PostgresServer::forget_corpse() const {
  const auto file = cluster() / "postmaster.pid";
  std::ifstream stream(file);
  pid_t pid = 0;
  if (!(stream >> pid)) return;
  // It may be dying still. If it lives on, PostgreSQL finds the words.
  if (!wait_until([pid] { return !process_exists(pid); }, std::chrono::seconds(5))) return;
  const std::string rest{std::istreambuf_iterator<char>(stream), {}};
  write_server_file(file, std::to_string(::getpid()) + rest);
}

void PostgresServer::prepare_start() {
  forget_corpse();
  auto settings = durable_settings();
  for (const auto& [name, value] : spec().settings) settings[name] = value;
  settings["listen_addresses"] = "'127.0.0.1'";
  settings["port"] = std::to_string(spec().port);
  settings["unix_socket_directories"] =
      "''";  // no socket: its path could be too long, and TCP is what agents use
  std::string text;
  for (const auto& [name, value] : settings) text += name + " = " + value + "\n";
  write_server_file(data_directory() / "settings.conf", text);
}

std::vector<std::string> PostgresServer::server_command() const {
  return {program("postgres"), "-D", cluster().string()};
}

ProcessSpec PostgresServer::client_command(const std::string& database,
                                           const Account& account) const {
  return connected({program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
                    "--field-separator=\t", "--pset=null=NULL", "--set=ON_ERROR_STOP=1"},
                   database, account);
}

ProcessSpec PostgresServer::dump_command(const std::string& database,
                                         const Account& account) const {
  return connected({program("pg_dump"), "--clean", "--if-exists"}, database, account);
}

ProcessSpec PostgresServer::connected(std::vector<std::string> argv, const std::string& database,
                                      const Account& account) const {
  ProcessSpec client;
  client.argv = std::move(argv);
  client.argv.emplace_back("--no-password");
  client.argv.push_back("--dbname=host=127.0.0.1 port=" + std::to_string(spec().port) +
                        " user=" + account.user + " dbname=" + database +
                        " connect_timeout=10 sslmode=disable application_name=sandbox");
  client.environment = {
      {"PGPASSWORD", account.password}, {"PGOPTIONS", ""}, {"PGCLIENTENCODING", "UTF8"}};
  return client;
}

int PostgresServer::stop_signal() const {
  return SIGINT;
}

// The last backends of a killed server leave a moment after it.
bool PostgresServer::ending_is_passing(const std::string& log_tail) const {
  return log_tail.find("pre-existing shared memory block") != std::string::npos;
}

void PostgresServer::create_roles() {
  std::string sql;
  for (const Role role : {Role::kApplication, Role::kAgent}) {
    const Account owner = account(role);
    sql += "SELECT 'CREATE ROLE " + owner.user + " LOGIN PASSWORD ''" + owner.password +
           "''' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" + owner.user +
           "') \\gexec\n";
  }
  query(admin_database(), sql);
}

void PostgresServer::create_database(const std::string& database) {
  create_roles();
  const std::string app = account(Role::kApplication).user;
  const std::string agent = account(Role::kAgent).user;
  query(admin_database(), "CREATE DATABASE " + database + " OWNER " + app +
                              "; GRANT pg_read_all_stats TO " + agent + ";");
  query(database, "GRANT CREATE ON DATABASE " + database + " TO " + agent + ";" +  //
                      "ALTER DEFAULT PRIVILEGES FOR ROLE " + app +
                      " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + agent + ";" +
                      "ALTER DEFAULT PRIVILEGES FOR ROLE " + app + " GRANT USAGE ON SEQUENCES TO " +
                      agent + ";");
}

std::string PostgresServer::odbc_connection_to(std::uint16_t port, const std::string& database,
                                               Role role) const {
  const Account user = account(role);
  return "Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=" + std::to_string(port) +
         ";Database=" + database + ";UID=" + user.user + ";PWD=" + user.password;
}

std::string PostgresServer::client_url(const std::string& database, Role role) const {
  const Account user = account(role);
  return "postgresql://" + user.user + ":" + user.password +
         "@127.0.0.1:" + std::to_string(spec().port) + "/" + database;
}

}  // namespace assent::live
