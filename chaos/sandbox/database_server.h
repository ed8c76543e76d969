#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/sandbox/process.h"

// A private PostgreSQL 15 or MariaDB 10.11 in a folder of its own, on 127.0.0.1, with settings that
// lose nothing.
namespace assent::live {

enum class DatabaseKind { kPostgres, kMariadb };

std::string_view to_string(
    DatabaseKind kind);  // "postgres", "mariadb", as in the agent's configuration
std::optional<DatabaseKind> parse_database_kind(std::string_view text);

struct DatabaseSpec {
  std::string name;                 // "db-points": in error texts
  std::filesystem::path directory;  // its own: accounts, and data/ with everything of the server
  std::filesystem::path log_file;
  std::uint16_t port = 0;

  // On top of, or instead of, ours; as in postgresql.conf or under [mariadbd], quotes included.
  // Written at every start, so a change works at the next one.
  std::map<std::string, std::string> settings;

  bool dies_with_owner = false;  // ProcessSpec has the same
};

struct Account {
  std::string user;
  std::string password;
};

// Whose rights a statement runs with.
//   kAdmin        "admin": everything
//   kApplication  "app": owns the databases that create_database makes, and the tables in them
//   kAgent        "assent": what an agent needs and nothing more. PostgreSQL: create schemas in the
//                 database, read and write rows of the application's tables, and see what other
//                 sessions do (pg_read_all_stats). MariaDB: everything in the database, BINLOG
//                 REPLAY for pseudo_slave_mode [F 9], PROCESS to see locks.
enum class Role { kAdmin, kApplication, kAgent };

using Row = std::vector<std::string>;  // NULL is the text NULL

enum class KillScope {
  kServer,      // SIGKILL for the server process only; PostgreSQL's children notice and leave
  kEverything,  // and at once for each of its children, as when the power goes
};

// One database server. A real process is behind it, started from this object and ended with it;
// its data stays until remove(). Errors are SandboxErrors with the end of the server's log.
class DatabaseServer {
 public:
  static std::unique_ptr<DatabaseServer> make(DatabaseKind kind, DatabaseSpec spec);

  // Throws when the programs of this kind are missing, naming the package to install.
  static void check_installed(DatabaseKind kind);

  virtual ~DatabaseServer() = default;
  DatabaseServer(const DatabaseServer&) = delete;
  DatabaseServer& operator=(const DatabaseServer&) = delete;

  // Makes an empty database cluster with fresh passwords in the folder: 0.7 s. Always from
  // scratch: a copied PostgreSQL would have its original's system identifier, and two participants
  // with one identity are one database to a coordinator. A folder with data is kept as it is.
  void init();

  // Returns when a login works. No effect when it is running.
  void start();

  // Orderly (PostgreSQL "fast", so clients are cut off); no effect when it is not running.
  void stop();

  // Returns when every process of it is gone, so that it can be started again at once.
  void kill(KillScope scope = KillScope::kServer);

  void restart();

  // SIGSTOP, SIGCONT: to the server and to each of its children.
  void pause();
  void resume();

  bool is_running() { return process_.is_alive(); }

  // How it ended; empty while it runs or was never started.
  const std::optional<ProcessEnd>& end() const { return process_.end(); }

  // 0 when it is not running.
  pid_t pid() const { return process_.pid(); }

  // The server must be stopped. Removes data, accounts and the folder.
  void remove();

  // Its files as they are, beside them, and in their place again. The server is stopped for it; one
  // that ran is started again. There is one copy: a later one takes its place.
  void back_up();
  void restore();

  // They change places: each is again what it was after a second time.
  void swap_with_copy();

  // A database owned by the application, which the agent may use as Role says. Server running.
  virtual void create_database(const std::string& database) = 0;

  // Statements through the command line client, each in autocommit unless they say BEGIN; returns
  // the rows of all of them. An SQL error, or a server that is not there, is a SandboxError with
  // the client's words: an earlier statement's effect stays, the failed one's is as the database
  // says, unknown if the connection broke.
  std::vector<Row> query(const std::string& database, const std::string& sql,
                         Role role = Role::kAdmin);

  // The first field of the only row. Throws when there is none or more than one row.
  std::string query_value(const std::string& database, const std::string& sql,
                          Role role = Role::kAdmin);

  // The same without judgement: rows tab-separated, the client's errors and its exit status.
  CommandResult run_sql(const std::string& database, const std::string& sql,
                        Role role = Role::kAdmin);

  // What pg_dump or mariadb-dump writes of a database, to be loaded over it by query(): every table
  // is dropped first. PostgreSQL does it in one transaction.
  std::string dump(const std::string& database);

  virtual DatabaseKind kind() const = 0;

  // For an agent or a test: an ODBC connection string, over TCP.
  std::string odbc_connection(const std::string& database, Role role = Role::kAgent) const {
    return odbc_connection_to(spec_.port, database, role);
  }

  // The same to another port, behind which there is a proxy.
  virtual std::string odbc_connection_to(std::uint16_t port, const std::string& database,
                                         Role role = Role::kAgent) const = 0;

  // What a person hands to psql or mariadb.
  virtual std::string client_url(const std::string& database, Role role = Role::kAdmin) const = 0;

  Account account(Role role) const;

  const DatabaseSpec& spec() const { return spec_; }
  std::map<std::string, std::string>& settings() { return spec_.settings; }

 protected:
  explicit DatabaseServer(DatabaseSpec spec, const std::string& preferred_account);

  Process& process() { return process_; }

  virtual void create_cluster() = 0;
  virtual void prepare_start() = 0;  // settings files, and what a crash left in the way
  virtual std::vector<std::string> server_command() const = 0;
  virtual ProcessSpec client_command(const std::string& database, const Account& account) const = 0;
  virtual ProcessSpec dump_command(const std::string& database, const Account& account) const = 0;
  virtual std::string admin_database() const = 0;
  virtual int stop_signal() const = 0;

  // What a killed server leaves in the kernel, outside of its folder. Called before the folder
  // goes.
  virtual void release_leftovers() const = 0;

  // True when the server ended while starting for a reason that passes by itself.
  virtual bool ending_is_passing(const std::string& log_tail) const = 0;

  std::filesystem::path cluster() const { return data_directory() / "cluster"; }

  // A file the server's account can read and nobody else.
  void write_server_file(const std::filesystem::path& file, const std::string& content) const;

  // A folder in the data directory, of the server's account.
  std::filesystem::path make_server_folder(const std::string& name) const;

  // As the server's account; throws with its output when it fails.
  void run_as_server(const std::vector<std::string>& argv) const;

  // With no symbolic link of ours in it: the server's account may not be able to follow that.
  std::filesystem::path data_directory() const;

  // The account the server runs as: empty for ourselves, since databases refuse only root.
  const std::string& server_account() const { return server_account_; }

 private:
  void make_data_directory() const;
  std::filesystem::path copy_of_cluster() const;
  void copy_as_it_is(const std::filesystem::path& from, const std::filesystem::path& to) const;
  void while_stopped(const std::function<void()>& action);
  void load_accounts();
  void create_accounts();
  void start_process();
  bool has_started(Clock::time_point deadline);
  bool accepts_logins();
  std::vector<pid_t> all_processes() const;

  std::string log_tail() const;  // the end of what this start has written

  DatabaseSpec spec_;
  std::string server_account_;
  std::map<Role, Account> accounts_;
  Process process_;
  std::uintmax_t log_size_before_ = 0;
};

}  // namespace assent::live
