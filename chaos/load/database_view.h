#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chaos/sandbox/database_server.h"

namespace assent::live {

// A participant's database, read and written past Assent. Of one thread.
class DatabaseView {
 public:
  using Rows = std::vector<Row>;

  DatabaseView() = default;
  virtual ~DatabaseView() = default;
  DatabaseView(const DatabaseView&) = delete;
  DatabaseView& operator=(const DatabaseView&) = delete;

  virtual DatabaseKind kind() const = 0;

  // One statement after another: the rows of each. Throws SandboxError with the database's words
  // when one fails, or when there is no database to be talked to; what those before it did stays.
  virtual std::vector<Rows> ask(const std::vector<std::string>& statements) = 0;
};

// Of a private server, by its administrator's account. The server outlives it.
class ServerView : public DatabaseView {
 public:
  ServerView(DatabaseServer& server, std::string database);

  DatabaseKind kind() const override { return server_.kind(); }
  // In one conversation: a client that starts costs more than its answers.
  std::vector<Rows> ask(const std::vector<std::string>& statements) override;

 private:
  DatabaseServer& server_;
  const std::string database_;
};

}  // namespace assent::live
