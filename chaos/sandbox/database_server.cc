#include "chaos/sandbox/database_server.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <utility>

#include "chaos/sandbox/mariadb_server.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/postgres_server.h"

namespace assent::live {
namespace {

using std::chrono::seconds;

constexpr seconds kStartTimeout{60};  // crash recovery of a loaded server on a slow disk included
constexpr seconds kStopTimeout{60};
constexpr seconds kClientTimeout{60};
constexpr seconds kCreateTimeout{120};

constexpr std::array kRoles{std::pair{Role::kAdmin, "admin"}, std::pair{Role::kApplication, "app"},
                            std::pair{Role::kAgent, "assent"}};

std::string account_for_server(const std::string& preferred) {
  if (::geteuid() != 0) return {};
  return find_system_account(preferred) ? preferred : "nobody";
}

std::string random_password() {
  std::random_device source;
  std::ostringstream text;
  for (int i = 0; i < 4; ++i) text << std::hex << source();
  return text.str();
}

// The rows of a client's output, one a line, fields between tabs.
std::vector<Row> parse_rows(const std::string& output) {
  std::vector<Row> rows;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    Row row;
    std::size_t begin = 0;
    for (std::size_t tab; (tab = line.find('\t', begin)) != std::string::npos; begin = tab + 1) {
      row.push_back(line.substr(begin, tab - begin));
    }
    row.push_back(line.substr(begin));
    rows.push_back(std::move(row));
  }
  return rows;
}

void give_to(const std::filesystem::path& file, const std::string& account) {
  if (account.empty()) return;
  const auto owner = find_system_account(account);
  if (!owner || ::chown(file.c_str(), owner->user, owner->group) != 0) {
    throw SandboxError("cannot give " + file.string() + " to account '" + account +
                       "': " + std::strerror(errno));
  }
}

// A folder below /root, say, cannot be entered by the account that runs the server.
bool reachable_for(const std::string& account, const std::filesystem::path& folder) {
  if (account.empty()) return true;
  ProcessSpec test;
  test.argv = {"/usr/bin/test", "-x", folder.string()};
  test.directory = "/";
  test.run_as = account;
  return run_command(test, "", kClientTimeout).end.succeeded();
}

std::filesystem::path make_reachable_folder(const std::string& name) {
  std::string pattern = "/var/tmp/assent-" + name + "-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw SandboxError("cannot make a folder " + pattern + ": " + std::strerror(errno));
  }
  return pattern;
}

}  // namespace

std::string_view to_string(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "postgres" : "mariadb";
}

std::optional<DatabaseKind> parse_database_kind(std::string_view text) {
  if (text == "postgres") return DatabaseKind::kPostgres;
  if (text == "mariadb") return DatabaseKind::kMariadb;
  return std::nullopt;
}

std::unique_ptr<DatabaseServer> DatabaseServer::make(DatabaseKind kind, DatabaseSpec spec) {
  if (kind == DatabaseKind::kPostgres) return std::make_unique<PostgresServer>(std::move(spec));
  return std::make_unique<MariadbServer>(std::move(spec));
}

void DatabaseServer::check_installed(DatabaseKind kind) {
  if (kind == DatabaseKind::kPostgres) {
    PostgresServer::check_installed();
  } else {
    MariadbServer::check_installed();
  }
}

DatabaseServer::DatabaseServer(DatabaseSpec spec, const std::string& preferred_account)
    : spec_(std::move(spec)), server_account_(account_for_server(preferred_account)) {
  if (std::filesystem::exists(spec_.directory / "accounts")) load_accounts();
}

void DatabaseServer::init() {
  if (!accounts_.empty()) return;
  check_installed(kind());
  std::filesystem::create_directories(spec_.directory);
  let_others_pass(spec_.directory);  // the server's account has to
  make_data_directory();
  create_accounts();
  create_cluster();
  // Last, since its presence says that everything above was done.
  std::string text;
  for (const auto& [role, name] : kRoles)
    text += std::string(name) + "\t" + accounts_.at(role).password + "\n";
  write_private_file(spec_.directory / "accounts", text);
}

void DatabaseServer::make_data_directory() const {
  const auto data = spec_.directory / "data";
  if (std::filesystem::symlink_status(data).type() != std::filesystem::file_type::not_found) {
    throw SandboxError(data.string() + " is there, but was never finished: remove " +
                       spec_.directory.string());
  }
  if (reachable_for(server_account_, spec_.directory)) {
    std::filesystem::create_directory(data);
  } else {
    std::filesystem::create_directory_symlink(make_reachable_folder(spec_.name), data);
  }
  std::filesystem::permissions(data, std::filesystem::perms::owner_all);
  give_to(data, server_account_);
}

std::filesystem::path DatabaseServer::data_directory() const {
  const auto data = spec_.directory / "data";
  return std::filesystem::is_symlink(data) ? std::filesystem::read_symlink(data) : data;
}

void DatabaseServer::create_accounts() {
  for (const auto& [role, name] : kRoles) accounts_[role] = {name, random_password()};
}

void DatabaseServer::load_accounts() {
  std::ifstream file(spec_.directory / "accounts");
  for (const auto& [role, name] : kRoles) {
    Account account;
    if (!(file >> account.user >> account.password) || account.user != name) {
      throw SandboxError("cannot read " + (spec_.directory / "accounts").string());
    }
    accounts_[role] = account;
  }
}

Account DatabaseServer::account(Role role) const {
  const auto found = accounts_.find(role);
  if (found == accounts_.end())
    throw SandboxError(spec_.name + " has no accounts yet: init() makes them");
  return found->second;
}

void DatabaseServer::write_server_file(const std::filesystem::path& file,
                                       const std::string& content) const {
  write_private_file(file, content);
  give_to(file, server_account_);
  sync_file(file);  // the disk may lose its power at any time
}

std::filesystem::path DatabaseServer::make_server_folder(const std::string& name) const {
  const auto folder = data_directory() / name;
  std::filesystem::create_directory(folder);
  give_to(folder, server_account_);
  return folder;
}

void DatabaseServer::run_as_server(const std::vector<std::string>& argv) const {
  ProcessSpec command;
  command.argv = argv;
  command.directory = "/";  // ours may be out of reach for the account
  command.run_as = server_account_;
  const CommandResult result = run_command(command, "", kCreateTimeout);
  if (result.end.succeeded()) return;
  throw SandboxError(spec_.name + ": " + argv.front() + " failed with " + result.end.describe() +
                     "\n" + result.standard_output + result.standard_error);
}

void DatabaseServer::start() {
  if (is_running()) return;
  if (accounts_.empty()) throw SandboxError(spec_.name + " has no data yet: init() makes it");
  check_port_is_free(spec_.name, spec_.port);
  prepare_start();
  const auto deadline = Clock::now() + kStartTimeout;
  do {
    start_process();
  } while (!has_started(deadline));
}

void DatabaseServer::start_process() {
  ProcessSpec server;
  server.argv = server_command();
  server.directory = "/";
  server.log_file = spec_.log_file;
  server.run_as = server_account_;
  server.dies_with_owner = spec_.dies_with_owner;
  log_size_before_ = size_of(spec_.log_file);
  process_ = Process::start(server);
}

std::string DatabaseServer::log_tail() const {
  return tail_of(spec_.log_file, log_size_before_);
}

// False: it ended for a reason that passes, so try again. Throws when there is no hope.
bool DatabaseServer::has_started(Clock::time_point deadline) {
  while (Clock::now() < deadline) {
    if (!is_running()) {
      const std::string tail = log_tail();
      sleep_briefly();
      if (ending_is_passing(tail)) return false;
      throw SandboxError(spec_.name + " does not start, " + end()->describe() + "; the end of " +
                         spec_.log_file.string() + ":\n" + tail);
    }
    if (accepts_connections(spec_.port) && accepts_logins()) return true;
    sleep_briefly();
  }
  process_.kill_and_reap();
  throw SandboxError(spec_.name + " does not accept logins within " +
                     std::to_string(kStartTimeout.count()) + " s and was killed; the end of " +
                     spec_.log_file.string() + ":\n" + log_tail());
}

bool DatabaseServer::accepts_logins() {
  return run_sql(admin_database(), "SELECT 1;").end.succeeded();
}

void DatabaseServer::stop() {
  if (!is_running()) return;
  resume();  // a stopped process would wait with its answer to our signal
  process_.send(stop_signal());
  if (process_.wait_for_end(kStopTimeout)) return;
  kill(KillScope::kEverything);
  throw SandboxError(spec_.name + " did not stop within " + std::to_string(kStopTimeout.count()) +
                     " s and was killed; the end of " + spec_.log_file.string() + ":\n" +
                     log_tail());
}

void DatabaseServer::kill(KillScope scope) {
  if (!is_running()) return;
  // PostgreSQL's children are in groups of their own; after the server's death nothing leads to
  // them.
  const std::vector<pid_t> children = children_of(pid());
  process_.kill_and_reap();
  if (scope == KillScope::kEverything) {
    for (const pid_t child : children) ::kill(child, SIGKILL);
  }
  const bool gone = wait_until(
      [&children] { return std::none_of(children.begin(), children.end(), process_exists); },
      seconds(10));
  if (!gone) throw SandboxError(spec_.name + ": children of the killed server are still running");
}

void DatabaseServer::restart() {
  stop();
  start();
}

std::vector<pid_t> DatabaseServer::all_processes() const {
  std::vector<pid_t> all = children_of(pid());
  all.insert(all.begin(), pid());
  return all;
}

void DatabaseServer::pause() {
  if (!is_running()) return;
  // The server first, so that it starts no more children while we look.
  pause_processes({pid()});
  pause_processes(children_of(pid()));
}

void DatabaseServer::resume() {
  if (!is_running()) return;
  for (const pid_t process : all_processes()) ::kill(process, SIGCONT);
}

void DatabaseServer::remove() {
  if (is_running())
    throw SandboxError(spec_.name + " is running: stop it before its data is removed");
  release_leftovers();
  std::filesystem::remove_all(data_directory());  // which may lie elsewhere
  std::filesystem::remove_all(spec_.directory);
  accounts_.clear();
}

void DatabaseServer::back_up() {
  while_stopped([this] {
    std::filesystem::remove_all(copy_of_cluster());
    copy_as_it_is(cluster(), copy_of_cluster());
  });
}

void DatabaseServer::restore() {
  while_stopped([this] {
    std::filesystem::remove_all(cluster());
    copy_as_it_is(copy_of_cluster(), cluster());
  });
}

void DatabaseServer::swap_with_copy() {
  while_stopped([this] {
    const auto aside = data_directory() / "aside";
    std::filesystem::rename(cluster(), aside);
    std::filesystem::rename(copy_of_cluster(), cluster());
    std::filesystem::rename(aside, copy_of_cluster());
    sync_file(data_directory());
  });
}

std::filesystem::path DatabaseServer::copy_of_cluster() const {
  return data_directory() / "copy";
}

// Owners and all.
void DatabaseServer::copy_as_it_is(const std::filesystem::path& from,
                                   const std::filesystem::path& to) const {
  run_as_server({"cp", "-a", from.string(), to.string()});
}

void DatabaseServer::while_stopped(const std::function<void()>& action) {
  const bool ran = is_running();
  stop();
  action();
  if (ran) start();
}

CommandResult DatabaseServer::run_sql(const std::string& database, const std::string& sql,
                                      Role role) {
  return run_command(client_command(database, account(role)), sql, kClientTimeout);
}

std::vector<Row> DatabaseServer::query(const std::string& database, const std::string& sql,
                                       Role role) {
  const CommandResult result = run_sql(database, sql, role);
  if (!result.end.succeeded()) throw SandboxError(spec_.name + ": " + result.standard_error);
  return parse_rows(result.standard_output);
}

std::string DatabaseServer::dump(const std::string& database) {
  const ProcessSpec command = dump_command(database, account(Role::kAdmin));
  CommandResult result = run_command(command, "", kClientTimeout);
  if (!result.end.succeeded()) throw SandboxError(spec_.name + ": " + result.standard_error);
  if (kind() == DatabaseKind::kMariadb) return std::move(result.standard_output);
  return "BEGIN;\n" + result.standard_output + "COMMIT;\n";
}

std::string DatabaseServer::query_value(const std::string& database, const std::string& sql,
                                        Role role) {
  const auto rows = query(database, sql, role);
  if (rows.size() != 1) {
    throw SandboxError(spec_.name + ": " + std::to_string(rows.size()) +
                       " rows instead of one from: " + sql);
  }
  return rows.front().front();
}

}  // namespace assent::live
