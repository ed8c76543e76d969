#include "chaos/campaign/odbc_view.h"

#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

namespace assent::live {
namespace {

constexpr std::chrono::seconds kLoginTimeout{10};

std::string text_of(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::monostate>) return "NULL";
        if constexpr (std::is_same_v<Held, bool>) return held ? "t" : "f";
        if constexpr (std::is_same_v<Held, std::string>) return held;
        if constexpr (std::is_same_v<Held, Bytes>) return held.data;
        if constexpr (std::is_arithmetic_v<Held>) return std::to_string(held);
      },
      value);
}

/// MariaDB's driver loses step at a bare XA RECOVER, which has no place inside a transaction
/// either; PostgreSQL has no such statement.
std::string as_understood(const std::string& statement) {
  return statement.starts_with("XA RECOVER") ? "BEGIN NOT ATOMIC " + statement + "; END"
                                             : statement;
}

}  // namespace

OdbcView::OdbcView(std::string name, DatabaseKind kind, std::string connection)
    : name_(std::move(name)), kind_(kind), connection_string_(std::move(connection)) {}

void OdbcView::connect() {
  auto opened = rm::odbc::Connection::open(connection_string_, kLoginTimeout);
  if (opened.failure) {
    throw SandboxError("database of " + name_ + ": no connection: " + opened.failure->message);
  }
  connection_ = std::move(opened.connection);
}

std::vector<DatabaseView::Rows> OdbcView::ask(const std::vector<std::string>& statements) {
  if (!connection_) connect();
  std::vector<Rows> answers;
  for (const std::string& statement : statements) answers.push_back(ask_one(statement));
  return answers;
}

DatabaseView::Rows OdbcView::ask_one(const std::string& statement) {
  const rm::odbc::Answer answer = connection_->execute(as_understood(statement));
  if (answer.failure) {
    connection_.reset();
    throw SandboxError("database of " + name_ + ": " + answer.failure->message + ": " + statement);
  }
  Rows rows;
  for (const auto& result : answer.results) {
    for (const auto& values : result.rows) {
      Row& row = rows.emplace_back();
      for (const Value& value : values) row.push_back(text_of(value));
    }
  }
  return rows;
}

}  // namespace assent::live
