#include "tests/rm/rm_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include <catch2/catch.hpp>

#include "chaos/sandbox/process.h"

namespace assent::rm::testing {
namespace {

live::DatabaseKind live_kind(Kind kind) {
  return kind == Kind::kPostgres ? live::DatabaseKind::kPostgres : live::DatabaseKind::kMariadb;
}

}  // namespace

Server::Server(Kind kind, std::map<std::string, std::string> settings) : kind_(kind) {
  live::DatabaseSpec spec;
  spec.name = "db-points";
  spec.directory = folder_.path() / "db";
  spec.log_file = folder_.path() / "db.log";
  spec.port = port_.first();
  spec.settings = std::move(settings);
  spec.dies_with_owner = true;
  server_ = live::DatabaseServer::make(live_kind(kind), spec);
  server_->init();
  server_->start();
  server_->create_database("points");
  server_->query("points",
                 "CREATE TABLE card (id int PRIMARY KEY, points int NOT NULL CHECK (points >= 0));"
                 "INSERT INTO card VALUES (1, 100), (2, 100), (3, 100), (4, 100), (5, 100);",
                 live::Role::kApplication);
}

Server::~Server() {
  server_->kill(live::KillScope::kEverything);
}

Settings Server::settings() const {
  return {.kind = kind_,
          .connection = server_->odbc_connection("points"),
          .participant = "points",
          .statement_timeout = std::chrono::seconds(10),
          .call_timeout = std::chrono::seconds(10)};
}

std::int64_t Server::points(int card) {
  return std::stoll(server_->query_value(
      "points", "SELECT points FROM card WHERE id = " + std::to_string(card) + ";"));
}

std::int64_t Server::prepared_count() {
  if (kind_ == Kind::kPostgres)
    return std::stoll(server_->query_value("points", "SELECT count(*) FROM pg_prepared_xacts;"));
  return static_cast<std::int64_t>(server_->query("points", "XA RECOVER;").size());
}

void Server::run(const std::string& sql) {
  server_->query("points", sql);
  if (kind_ != Kind::kMariadb || sql.find("XA PREPARE") == std::string::npos) return;
  const auto is_alone = [this] {
    return server_->query_value("points",
                                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = "
                                "SUBSTRING_INDEX(USER(), '@', 1) AND id <> CONNECTION_ID();") ==
           "0";
  };
  REQUIRE(live::wait_until(is_alone, kPatience));
}

void Server::prepare_foreign(const std::string& name) {
  const std::string update = "UPDATE card SET points = 0 WHERE id = 5;";
  const std::string quoted = "'" + name + "';";
  if (kind_ == Kind::kPostgres) {
    run("BEGIN;" + update + "PREPARE TRANSACTION " + quoted);
  } else {
    run("XA START " + quoted + update + "XA END " + quoted + "XA PREPARE " + quoted);
  }
}

void Server::roll_back_foreign(const std::string& name) {
  run((kind_ == Kind::kPostgres ? "ROLLBACK PREPARED '" : "XA ROLLBACK '") + name + "';");
}

void Server::move_to_epoch(int epoch) {
  live::ProcessSpec reset;
  reset.argv = {live::find_program("pg_resetwal", {"/usr/lib/postgresql/15/bin"}), "-e",
                std::to_string(epoch), cluster().string()};
  reset.directory = "/";  // ours may be out of reach for the account
  reset.run_as = ::geteuid() == 0 ? "postgres" : "";
  const auto result = live::run_command(reset, "", kPatience);
  INFO(result.standard_error);
  REQUIRE(result.end.succeeded());
}

std::filesystem::path Server::cluster() const {
  return std::filesystem::canonical(folder_.path() / "db" / "data") / "cluster";
}

std::string xa_name_of(const Xid& xid) {
  return "'" + to_string(xid.gtrid) + "','" + xid.bqual + "'," + std::to_string(kFormatId);
}

void Server::make_as_new() {
  const bool postgres = kind_ == Kind::kPostgres;
  const auto left = server_->query(
      "points", postgres ? "SELECT gid FROM pg_prepared_xacts;" : "XA RECOVER FORMAT='SQL';");
  for (const live::Row& row : left)
    run(postgres ? "ROLLBACK PREPARED '" + row[0] + "';" : "XA ROLLBACK " + row[3] + ";");
  run("DELETE FROM card; INSERT INTO card VALUES (1, 100), (2, 100), (3, 100), (4, 100), (5, "
      "100);");
}

Server& shared_server(Kind kind) {
  static std::map<Kind, std::unique_ptr<Server>> servers;
  auto& server = servers[kind];
  if (!server) server = std::make_unique<Server>(kind);
  server->make_as_new();
  return *server;
}

Agent::Agent(Server& server) : manager(server.manager()) {
  control = must(manager->take_control(kPatience));
  session = another_session();
}

void Agent::restart(Server& server) {
  session.reset();
  control.reset();
  *this = Agent(server);
}

std::unique_ptr<Session> Agent::another_session() {
  return must(manager->open_session());
}

Xid next_xid() {
  static std::uint64_t sequence = 0;
  return {Gtrid{kLog, Epoch{1}, Sequence{++sequence}}, "points"};
}

Statement take_point(int card) {
  Statement statement;
  statement.sql = "UPDATE card SET points = points - 1 WHERE id = ?";
  statement.params = {std::int64_t{card}};
  statement.expect_rows = 1;
  return statement;
}

Statement plain(std::string sql) {
  Statement statement;
  statement.sql = std::move(sql);
  return statement;
}

Statement guarded(std::string sql, std::int64_t rows) {
  Statement statement = plain(std::move(sql));
  statement.expect_rows = rows;
  return statement;
}

Work work_of(const Xid& xid, std::vector<Statement> statements, AfterWork then) {
  Work work;
  work.xid = xid;
  work.statements = std::move(statements);
  work.then = then;
  work.lock_wait = std::chrono::seconds(1);
  work.deadline = std::chrono::seconds(10);
  return work;
}

Kind each_kind() {
  const Kind kind = GENERATE(Kind::kPostgres, Kind::kMariadb);
  UNSCOPED_INFO((kind == Kind::kPostgres ? "on PostgreSQL" : "on MariaDB"));
  return kind;
}

FinishReport commit(Session& session, const Xid& xid, const BranchProof& proof) {
  return session.commit(xid, proof, PreparedBy::kUnknown);
}

FinishReport rollback(Session& session, const Xid& xid) {
  return session.rollback(xid, std::nullopt);
}

void require_vote(const WorkReport& report, Vote vote) {
  INFO((report.error ? words(*report.error) : std::string("no error")));
  REQUIRE(report.vote == vote);
}

void must(const Result<>& result) {
  if (!result) fail_with(result.error());
}

std::string words(const Error& error) {
  return std::string(to_string(error.code)) + ": " + error.message + " [" + error.sqlstate + " " +
         std::to_string(error.native) + " step " + std::to_string(error.step) + "]";
}

void fail_with(const Error& error) {
  FAIL(words(error));
  std::abort();
}

}  // namespace assent::rm::testing
