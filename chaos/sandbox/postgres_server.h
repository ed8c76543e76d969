#pragma once

#include <string>
#include <vector>

#include "chaos/sandbox/database_server.h"

namespace assent::live {

class PostgresServer : public DatabaseServer {
 public:
  explicit PostgresServer(DatabaseSpec spec);
  ~PostgresServer() override;

  static void check_installed();

  void create_database(const std::string& database) override;
  DatabaseKind kind() const override { return DatabaseKind::kPostgres; }
  std::string odbc_connection_to(std::uint16_t port, const std::string& database,
                                 Role role) const override;
  std::string client_url(const std::string& database, Role role) const override;

 protected:
  void create_cluster() override;
  void prepare_start() override;
  std::vector<std::string> server_command() const override;
  ProcessSpec client_command(const std::string& database, const Account& account) const override;
  ProcessSpec dump_command(const std::string& database, const Account& account) const override;
  std::string admin_database() const override { return "postgres"; }
  int stop_signal() const override;
  void release_leftovers() const override;
  bool ending_is_passing(const std::string& log_tail) const override;

 private:
  ProcessSpec connected(std::vector<std::string> argv, const std::string& database,
                        const Account& account) const;
  void create_roles();
  void forget_corpse() const;
};

}  // namespace assent::live
