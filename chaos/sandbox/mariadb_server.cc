#include "chaos/sandbox/mariadb_server.h"

#include <signal.h>

#include <utility>

namespace assent::live {
namespace {

std::filesystem::path program(const std::string& name) {
  auto found = find_program(name);
  if (found.empty()) {
    throw SandboxError("MariaDB's '" + name +
                       "' is not in PATH nor in /usr/sbin: install the packages mariadb-server and "
                       "mariadb-client (./run deps)");
  }
  return found;
}

constexpr const char* kRedoLogSize = "64M";

// A binary log is off unless a test sets log_bin; then it is as durable as the rest.
const std::map<std::string, std::string>& durable_settings() {
  static const std::map<std::string, std::string> settings{
      {"innodb_flush_log_at_trx_commit", "1"},
      {"innodb_doublewrite", "1"},
      {"sync_binlog", "1"},
      {"innodb_lock_wait_timeout", "2"},
      {"lock_wait_timeout", "10"},  // prepared XA transactions keep metadata locks
      {"max_connections", "300"},
      {"innodb_buffer_pool_size", "128M"},
      {"innodb_log_file_size", kRedoLogSize},
      {"innodb_buffer_pool_dump_at_shutdown", "0"},
      {"innodb_buffer_pool_load_at_startup", "0"},
      {"character_set_server", "utf8mb4"},
  };
  return settings;
}

std::string quoted_user(const Account& account) {
  return "'" + account.user + "'@'127.0.0.1'";
}

std::string create_user(const Account& account) {
  return "CREATE USER " + quoted_user(account) + " IDENTIFIED BY '" + account.password + "';\n";
}

}  // namespace

MariadbServer::MariadbServer(DatabaseSpec spec) : DatabaseServer(std::move(spec), "mysql") {}

void MariadbServer::check_installed() {
  for (const char* name : {"mariadb-install-db", "mariadbd", "mariadb"}) program(name);
}

void MariadbServer::create_cluster() {
  // The installer's own root account may log in through the unix socket only, as the account that
  // runs the server.
  const std::string users =
      "FLUSH PRIVILEGES;\n" +  // bootstrap mode starts without accounts
      create_user(account(Role::kAdmin)) + create_user(account(Role::kApplication)) +
      create_user(account(Role::kAgent)) + "GRANT ALL ON *.* TO " +
      quoted_user(account(Role::kAdmin)) + " WITH GRANT OPTION;\n" +
      "GRANT BINLOG REPLAY, PROCESS ON *.* TO " + quoted_user(account(Role::kAgent)) + ";\n";
  const auto secret = data_directory() / "users.sql";
  // Never a shared one: every MariaDB that starts removes what looks like temporary tables there,
  // its neighbours' too.
  const auto temporary = make_server_folder("tmp");
  write_server_file(secret, users);
  run_as_server({program("mariadb-install-db"), "--no-defaults", "--datadir=" + cluster().string(),
                 "--skip-test-db", "--skip-name-resolve",
                 "--auth-root-authentication-method=socket", "--extra-file=" + secret.string(),
                 "--tmpdir=" + temporary.string(),
                 "--innodb-log-file-size=" + std::string(kRedoLogSize)});
  std::filesystem::remove(secret);
}

void MariadbServer::prepare_start() {
  auto settings = durable_settings();
  for (const auto& [name, value] : spec().settings) settings[name] = value;
  settings["bind_address"] = "127.0.0.1";
  settings["port"] = std::to_string(spec().port);
  settings["socket"] =
      "server.sock";  // relative to the data folder, so never too long for the kernel
  settings["pid_file"] = "server.pid";
  settings["tmpdir"] = (data_directory() / "tmp").string();
  std::string text = "[mariadbd]\nskip_name_resolve\n";
  for (const auto& [name, value] : settings) text += name + " = " + value + "\n";
  write_server_file(data_directory() / "settings.cnf", text);
}

std::vector<std::string> MariadbServer::server_command() const {
  return {program("mariadbd"), "--defaults-file=" + (data_directory() / "settings.cnf").string(),
          "--datadir=" + cluster().string()};
}

ProcessSpec MariadbServer::client_command(const std::string& database,
                                          const Account& account) const {
  return connected("mariadb", {"--connect-timeout=10", "--batch", "--skip-column-names", database},
                   account);
}

ProcessSpec MariadbServer::dump_command(const std::string& database, const Account& account) const {
  return connected("mariadb-dump", {"--single-transaction", database}, account);
}

ProcessSpec MariadbServer::connected(const std::string& name, const std::vector<std::string>& rest,
                                     const Account& account) const {
  ProcessSpec client;
  client.argv = {program(name),
                 "--no-defaults",
                 "--protocol=TCP",
                 "--host=127.0.0.1",
                 "--port=" + std::to_string(spec().port),
                 "--user=" + account.user,
                 "--default-character-set=utf8mb4"};
  client.argv.insert(client.argv.end(), rest.begin(), rest.end());
  client.environment = {{"MYSQL_PWD", account.password}};
  return client;
}

int MariadbServer::stop_signal() const {
  return SIGTERM;
}

bool MariadbServer::ending_is_passing(const std::string& /*log_tail*/) const {
  return false;
}

void MariadbServer::create_database(const std::string& database) {
  query(admin_database(), "CREATE DATABASE " + database + ";" +  //
                              "GRANT ALL ON " + database + ".* TO " +
                              quoted_user(account(Role::kApplication)) + ";" + "GRANT ALL ON " +
                              database + ".* TO " + quoted_user(account(Role::kAgent)) + ";");
}

std::string MariadbServer::odbc_connection_to(std::uint16_t port, const std::string& database,
                                              Role role) const {
  const Account user = account(role);
  return "Driver={MariaDB Unicode};Server=127.0.0.1;Port=" + std::to_string(port) +
         ";Database=" + database + ";UID=" + user.user + ";PWD=" + user.password;
}

std::string MariadbServer::client_url(const std::string& database, Role role) const {
  const Account user = account(role);
  return "--host=127.0.0.1 --port=" + std::to_string(spec().port) + " --user=" + user.user +
         " --password=" + user.password + " " + database;
}

}  // namespace assent::live
