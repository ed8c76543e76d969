// What the lexer lets through is one statement to the real servers, whatever quotes, comments and
// keywords it is made of: the transaction around it stays open (design section 8).

#include <array>
#include <chrono>
#include <random>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "participant_agents/rm/odbc.h"
#include "participant_agents/rm/sql_lexer.h"
#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

constexpr unsigned kSeed = 5489;
constexpr int kTexts = 20000;
constexpr auto kTimeForOneServer = std::chrono::seconds(3);
/// Fewer would not be worth the name.
constexpr int kRunAtLeast = 100;

constexpr std::array<std::string_view, 46> kPieces = {"'",
                                                      "''",
                                                      "\"",
                                                      "\"\"",
                                                      "`",
                                                      "\\",
                                                      "\\'",
                                                      "\\\\",
                                                      "\\\"",
                                                      ";",
                                                      "; COMMIT",
                                                      "; COMMIT; --",
                                                      "; COMMIT; -- ",
                                                      "; COMMIT; #",
                                                      "; COMMIT; /*",
                                                      "--",
                                                      "-- ",
                                                      "--\n",
                                                      "#",
                                                      "/*",
                                                      "*/",
                                                      "/*!",
                                                      "/*M!50000 ",
                                                      "/* /*",
                                                      "$$",
                                                      "$a$",
                                                      "$",
                                                      "E'",
                                                      "e'",
                                                      "N'",
                                                      "b'",
                                                      "U&'",
                                                      "_utf8'",
                                                      " ",
                                                      "\n",
                                                      "\t",
                                                      "1",
                                                      ",",
                                                      "||",
                                                      "\xc3\xa9",
                                                      "?",
                                                      "COMMIT",
                                                      "END",
                                                      "a",
                                                      " AS a",
                                                      " AS \"a\""};

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kQuotes = {{
    {"'", "'"},
    {"'", "'"},
    {"E'", "'"},
    {"e'", "'"},
    {"\"", "\""},
    {"$$", "$$"},
    {"$a$", "$a$"},
    {"1 /*", "*/"},
    {"1 --", "\n"},
    {"1 #", "\n"},
}};

class Generator {
 public:
  /// A list of things that look like literals with anything inside, or anything at all.
  std::string next() {
    std::string text = "SELECT ";
    const int items = below(4) + 1;
    for (int i = 0; i < items; ++i) {
      if (i > 0) text += below(8) == 0 ? "\n" : ", ";
      if (below(6) == 0) {
        append_pieces(text);
        continue;
      }
      const auto& [open, close] = kQuotes[static_cast<std::size_t>(below(kQuotes.size()))];
      text += open;
      append_pieces(text);
      text += close;
    }
    return text;
  }

 private:
  int below(std::size_t limit) { return static_cast<int>(random_() % limit); }

  void append_pieces(std::string& text) {
    for (int i = below(5); i > 0; --i)
      text += kPieces[static_cast<std::size_t>(below(kPieces.size()))];
  }

  std::mt19937 random_{kSeed};
};

/// As it would be sent; empty: refused.
std::string let_through(Kind kind, const std::string& text) {
  const auto lexed = lex_statement(kind, text);
  if (!lexed) return {};
  const auto rendered =
      render(kind, *lexed,
             std::vector<Value>(lexed->markers.size(), Value(std::string("\\'; COMMIT; --"))));
  return rendered ? *rendered : std::string();
}

/// Sends every text that the lexer lets through to `check`, which tells whether it ran.
template <typename Check>
void fuzz(Kind kind, const Check& check) {
  Generator generator;
  int ran = 0;
  const auto deadline = std::chrono::steady_clock::now() + kTimeForOneServer;
  for (int i = 0; i < kTexts && std::chrono::steady_clock::now() < deadline; ++i) {
    const std::string text = generator.next();
    const std::string sent = let_through(kind, text);
    if (sent.empty()) continue;
    INFO("number " << i << ": " << text << "\nsent as: " << sent);
    if (check(sent)) ++ran;
  }
  CHECK(ran >= kRunAtLeast);
}

std::unique_ptr<odbc::Connection> connect(Server& server, const std::string& options) {
  auto opened = odbc::Connection::open(server->odbc_connection("points") + options, kPatience);
  REQUIRE(opened.connection);
  return std::move(opened.connection);
}

}  // namespace

TEST_CASE("what the lexer lets through is one statement to PostgreSQL") {
  Server& server = shared_server(Kind::kPostgres);
  const auto raw = connect(server, ";Protocol=7.4-0");
  const std::string conforming = GENERATE("on", "off");
  raw->execute("SET standard_conforming_strings = " + conforming);
  REQUIRE_FALSE(raw->execute("BEGIN; UPDATE card SET points = 0 WHERE id = 1").failure);
  fuzz(Kind::kPostgres, [&](const std::string& sent) {
    // Fails outside a transaction.
    REQUIRE_FALSE(raw->execute("SAVEPOINT before").failure);
    const odbc::Answer answer = raw->execute(sent);
    if (answer.failure) {
      REQUIRE_FALSE(raw->execute("ROLLBACK TO before").failure);
      return false;
    }
    REQUIRE(answer.results.size() == 1);
    return true;
  });
  const odbc::Answer ended = raw->execute("ROLLBACK");
  CHECK_FALSE(ended.failure);
  CHECK_FALSE(ended.notice);
  CHECK(server.points(1) == 100);
}

TEST_CASE("what the lexer lets through is one statement to MariaDB") {
  Server& server = shared_server(Kind::kMariadb);
  // Work sessions allow several statements in a message, which is where a second one would run.
  const auto raw = connect(server, ";CHARSET=utf8mb4;OPTION=67108866");
  REQUIRE_FALSE(raw->execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'").failure);
  REQUIRE_FALSE(raw->execute("START TRANSACTION").failure);
  REQUIRE_FALSE(raw->execute("UPDATE card SET points = 0 WHERE id = 1").failure);
  fuzz(Kind::kMariadb, [&](const std::string& sent) {
    const odbc::Answer answer =
        raw->execute("BEGIN NOT ATOMIC " + sent + "; SELECT @@in_transaction, 'ours'; END");
    if (answer.failure) {
      const odbc::Answer open = raw->execute("SELECT @@in_transaction");
      REQUIRE_FALSE(open.failure);
      REQUIRE(open.results.at(0).rows.at(0).at(0) == Value(std::int64_t{1}));
      return false;
    }
    // Its own, ours, and that of the compound statement.
    REQUIRE(answer.results.size() == 3);
    REQUIRE(answer.results[1].rows.at(0).at(0) == Value(std::int64_t{1}));
    REQUIRE(answer.results[1].rows[0].at(1) == Value("ours"));
    return true;
  });
  REQUIRE_FALSE(raw->execute("ROLLBACK").failure);
  CHECK(server.points(1) == 100);
}

TEST_CASE("what the lexer lets through is one statement in a branch on MariaDB") {
  Server& server = shared_server(Kind::kMariadb);
  Agent agent(server);
  fuzz(Kind::kMariadb, [&](const std::string& sent) {
    // What was read once, with its literals in it, is a step again.
    const std::string list = sent.substr(std::string_view("SELECT ").size());
    const Statement step =
        plain("UPDATE card SET points = points WHERE id = 1 OR 0 IN (" + list + ")");
    if (agent.manager->check_statement(step).has_error()) return false;
    const Xid xid = next_xid();
    const WorkReport report = agent.session->work(work_of(xid, {step}));
    const bool usable = agent.session->usable();
    if (!usable) agent.session = agent.another_session();
    if (report.vote == Vote::kRolledBack) {
      REQUIRE(report.error);
      REQUIRE_FALSE(report.error->message.starts_with("the results of the message"));
      return false;
    }
    REQUIRE(report.vote == Vote::kPrepared);
    REQUIRE(report.results.size() == 1);
    REQUIRE(rollback(*agent.session, xid).completion == Completion::kRolledBack);
    return true;
  });
  CHECK(server.points(1) == 100);
  CHECK(server.prepared_count() == 0);
}
