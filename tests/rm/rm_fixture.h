#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chaos/sandbox/database_server.h"
#include "chaos/sandbox/ports.h"
#include "participant_agents/rm/resource_manager.h"
#include "tests/support/temporary_folder.h"

/// A private database server and short verbs for what an agent does with it.

namespace assent::rm::testing {

inline constexpr LogId kLog{0xa55e47};
inline constexpr auto kPatience = std::chrono::seconds(10);

/// One server of a kind with database "points": table card (id, points) with cards 1 to 5 of 100
/// points each.
class Server {
 public:
  explicit Server(Kind kind, std::map<std::string, std::string> settings = {});
  ~Server();

  Kind kind() const { return kind_; }
  live::DatabaseServer& operator*() { return *server_; }
  live::DatabaseServer* operator->() { return server_.get(); }

  Settings settings() const;
  std::unique_ptr<ResourceManager> manager() const { return make_resource_manager(settings()); }

  std::int64_t points(int card);
  /// What the server lists as prepared, of anybody.
  std::int64_t prepared_count();
  /// A prepared branch that no agent of ours made, on card 5.
  void prepare_foreign(const std::string& name);
  void roll_back_foreign(const std::string& name);
  /// PostgreSQL, stopped: as after so many times 2^32 transactions.
  void move_to_epoch(int epoch);
  /// Rolls back what is left prepared, and the cards are as at first.
  void make_as_new();
  /// Runs statements as the administrator. What MariaDB prepares by them stays with that session
  /// until the server has seen it end, and nobody else can end the branch before: waits for that.
  void run(const std::string& sql);

 private:
  std::filesystem::path cluster() const;

  assent::testing::TemporaryFolder folder_;
  live::PortLease port_{1};
  Kind kind_;
  std::unique_ptr<live::DatabaseServer> server_;
};

/// The server of a kind that tests share when none of them stops it or changes its settings; its
/// cards are as new.
Server& shared_server(Kind kind);

/// An agent's hold on a server: control and one session.
struct Agent {
  explicit Agent(Server& server);

  std::unique_ptr<Session> another_session();
  /// The next incarnation.
  void restart(Server& server);

  std::unique_ptr<ResourceManager> manager;
  std::unique_ptr<Control> control;
  std::unique_ptr<Session> session;
};

/// As XA statements take it.
std::string xa_name_of(const Xid& xid);

/// A name that no other branch of this process has.
Xid next_xid();

/// A statement that takes one point from a card and wants to meet it.
Statement take_point(int card);
Statement plain(std::string sql);
Statement guarded(std::string sql, std::int64_t rows);

Work work_of(const Xid& xid, std::vector<Statement> statements,
             AfterWork then = AfterWork::kPrepare);

/// Runs the rest of the test case once for each database.
Kind each_kind();

/// Phase two, by somebody who knows neither who prepared the branch nor, in a rollback, whether it
/// has voted.
FinishReport commit(Session& session, const Xid& xid, const BranchProof& proof);
FinishReport rollback(Session& session, const Xid& xid);

void require_vote(const WorkReport& report, Vote vote);

/// The value, or a test failure with the error's words.
template <typename T>
T must(Result<T> result);
void must(const Result<>& result);

std::string words(const Error& error);

[[noreturn]] void fail_with(const Error& error);

template <typename T>
T must(Result<T> result) {
  if (!result) fail_with(result.error());
  return std::move(*result);
}

}  // namespace assent::rm::testing
