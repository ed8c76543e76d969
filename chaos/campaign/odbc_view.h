#pragma once

#include <string>

#include "chaos/load/database_view.h"
#include "participant_agents/rm/odbc.h"

namespace assent::live {

// Of any server that ODBC reaches. Connects when it is first asked, and again after a failure.
class OdbcView : public DatabaseView {
 public:
  // `name` is for error texts; `connection` as in the agent's configuration.
  OdbcView(std::string name, DatabaseKind kind, std::string connection);

  DatabaseKind kind() const override { return kind_; }
  std::vector<Rows> ask(const std::vector<std::string>& statements) override;

 private:
  void connect();
  Rows ask_one(const std::string& statement);

  const std::string name_;
  const DatabaseKind kind_;
  const std::string connection_string_;
  std::unique_ptr<rm::odbc::Connection> connection_;
};

}  // namespace assent::live
