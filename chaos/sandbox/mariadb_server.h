#pragma once

#include <string>
#include <vector>

#include "chaos/sandbox/database_server.h"

namespace assent::live {

class MariadbServer : public DatabaseServer {
 public:
  explicit MariadbServer(DatabaseSpec spec);

  static void check_installed();

  void create_database(const std::string& database) override;
  DatabaseKind kind() const override { return DatabaseKind::kMariadb; }
  std::string odbc_connection_to(std::uint16_t port, const std::string& database,
                                 Role role) const override;
  std::string client_url(const std::string& database, Role role) const override;

 protected:
  void create_cluster() override;
  void prepare_start() override;
  std::vector<std::string> server_command() const override;
  ProcessSpec client_command(const std::string& database, const Account& account) const override;
  ProcessSpec dump_command(const std::string& database, const Account& account) const override;
  std::string admin_database() const override { return "mysql"; }
  int stop_signal() const override;
  void release_leftovers() const override {}  // it has none
  bool ending_is_passing(const std::string& log_tail) const override;

 private:
  ProcessSpec connected(const std::string& name, const std::vector<std::string>& rest,
                        const Account& account) const;
};

}  // namespace assent::live
