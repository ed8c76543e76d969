// Statements that PostgreSQL keeps prepared (docs/decisions/0011): whichever way they are said,
// they mean the same, and nobody sees that something was kept.

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "participant_agents/rm/postgres_statements.h"
#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

/// Literals twice (the first time, and to see whether it is worth it), EXECUTE with plans made for
/// its parameters, and behind the fifth the generic plan.
constexpr int kTimes = 9;

constexpr std::int64_t kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kLongMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLongMax = std::numeric_limits<std::int64_t>::max();

/// What becomes of a statement that comes again in one session.
enum class Fate {
  kKept,
  kAtLength,     ///< it goes on as literals
  kEndsSession,  ///< it may call anything, so there is no second time
};

struct Odd {
  std::string sql;
  std::vector<Value> params;
  Fate fate = Fate::kKept;
};

/// What may be read in one way as a literal and in another as a parameter.
std::vector<Odd> odd_statements() {
  const auto n = [](std::int64_t value) { return Value(value); };
  const auto t = [](const char* value) { return Value(std::string(value)); };
  const Value null;
  return {
      {"SELECT ?", {n(7)}},
      {"SELECT ?", {t("x")}},
      {"SELECT ?", {null}},
      {"SELECT ?", {Value(true)}, Fate::kAtLength},
      {"SELECT ?", {Value(1.5)}},
      {"SELECT ?", {Value(Bytes{std::string("\x00\xff", 2)})}},
      {"SELECT ?", {n(kLongMin)}},
      {"SELECT pg_typeof(?)", {n(7)}, Fate::kEndsSession},
      {"SELECT ? << 1", {n(7)}},
      {"SELECT ? << 1", {n(kIntMin)}},
      {"SELECT ? << 1", {n(kIntMin - 1)}},
      {"SELECT ? << 1, ? << 1", {n(kLongMin), n(kLongMax)}},
      {"SELECT ? - 1", {n(kIntMin)}, Fate::kAtLength},
      {"SELECT ? - 1", {n(kIntMin - 1)}},
      {"SELECT ? + 1", {n(std::numeric_limits<std::int32_t>::max())}, Fate::kAtLength},
      {"SELECT ? + 1", {n(kLongMax)}, Fate::kAtLength},
      {"SELECT - ?", {n(-5)}},
      {"SELECT 3 -?", {n(-5)}},
      {"SELECT 2 ^ ?, ? ^ 2, - ? ^ 2", {n(-2), n(-2), n(2)}},
      {"SELECT ? % 3, ? / 2", {n(-7), n(-7)}},
      {"SELECT id FROM odd ORDER BY id LIMIT ?", {n(2)}},
      {"SELECT id FROM odd ORDER BY id LIMIT ? OFFSET ?", {n(2), n(1)}},
      {"SELECT id FROM odd ORDER BY id LIMIT ?", {n(-2)}, Fate::kAtLength},
      {"SELECT id FROM odd ORDER BY id LIMIT ?", {t("2")}, Fate::kAtLength},
      {"SELECT id FROM odd ORDER BY id LIMIT ?", {null}},
      {"SELECT id FROM odd ORDER BY id FETCH FIRST ? ROWS ONLY", {n(2)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY ?", {n(2)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY (?)", {n(2)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY - ?", {n(-2)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY id + ?", {n(2)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY id = ? DESC, id", {n(2)}},
      {"SELECT id, - id AS m FROM odd ORDER BY ?", {n(3)}, Fate::kAtLength},
      {"SELECT id, - id AS m FROM odd ORDER BY ?", {t("2")}, Fate::kAtLength},
      {"SELECT label, count(*) FROM odd GROUP BY ? ORDER BY label", {n(1)}, Fate::kAtLength},
      {"SELECT label, count(*) FROM odd GROUP BY ROLLUP (?) ORDER BY label",
       {n(1)},
       Fate::kEndsSession},
      {"SELECT DISTINCT ON (?) label, id FROM odd ORDER BY label, id", {n(1)}, Fate::kAtLength},
      {"SELECT row_number() OVER (ORDER BY ?), id FROM odd ORDER BY id", {n(1)}, Fate::kAtLength},
      {"SELECT day + ? FROM odd WHERE id = ?", {n(3), n(1)}},
      {"SELECT day - ? FROM odd WHERE id = 1", {t("2020-01-01")}, Fate::kAtLength},
      {"SELECT day = ? FROM odd ORDER BY id", {t("2020-02-03")}, Fate::kAtLength},
      {"SELECT ?::date + 1", {t("2020-02-03")}, Fate::kAtLength},
      {"SELECT DATE ?", {t("2020-02-03")}, Fate::kAtLength},
      {"SELECT ?::varchar(2), ?::numeric(4,1)", {t("abcdef"), t("12.345")}, Fate::kAtLength},
      {"SELECT 'abcdef'::varchar(?)", {n(2)}, Fate::kAtLength},
      {"SELECT INTERVAL ?", {t("2 days")}, Fate::kAtLength},
      {"SELECT ?::interval hour", {t("2")}, Fate::kAtLength},
      {"SELECT now() - ? < now()", {t("2 days")}, Fate::kAtLength},
      {"SELECT EXTRACT(? FROM DATE '2020-02-03')", {t("year")}, Fate::kAtLength},
      {"SELECT substr('abcdef', ?)", {n(3)}},
      {"SELECT substring('abcdef' FROM ? FOR ?)", {n(2), n(3)}},
      {"SELECT ? || 'x'", {t("a")}},
      {"SELECT ? || ?", {t("a"), t("b")}},
      {"SELECT ? || label FROM odd ORDER BY id", {n(5)}},
      {"SELECT ? IS NULL", {t("a")}, Fate::kAtLength},
      {"SELECT ? IS NULL, ? IS NULL", {null, n(1)}},
      {"SELECT id FROM odd WHERE id IN (?, ?) ORDER BY id", {n(1), n(3)}},
      {"SELECT id FROM odd WHERE id IN (?, ?) ORDER BY id", {t("1"), n(3)}, Fate::kAtLength},
      {"SELECT id FROM odd WHERE label IN (?, ?) ORDER BY id", {t("a"), t("c")}},
      {"SELECT id FROM odd WHERE id = ANY(?) ORDER BY id", {t("{1,3}")}, Fate::kAtLength},
      {"SELECT COALESCE(NULL, ?)", {n(1)}},
      {"SELECT COALESCE(?, ?)", {null, t("x")}},
      {"SELECT CASE WHEN ? THEN ? ELSE ? END", {Value(true), n(1), t("2")}, Fate::kAtLength},
      {"SELECT ? UNION SELECT 1 ORDER BY 1", {t("2")}, Fate::kAtLength},
      {"SELECT greatest(?, ?)", {n(3), Value(2.5)}},
      {"SELECT ? = ?", {t("1"), n(1)}, Fate::kAtLength},
      {"SELECT ? = ?", {t("01"), t("1")}},
      {"SELECT id FROM odd WHERE id = ?", {t("2")}, Fate::kAtLength},
      {"SELECT id FROM odd WHERE id = ?", {t("two")}, Fate::kAtLength},
      {"SELECT id FROM odd WHERE id = ?", {n(5000000000)}},
      {"SELECT id FROM odd WHERE id = ?", {Value(2.0)}},
      {"SELECT id FROM odd WHERE id < ?", {Value(2.5)}},
      {"SELECT id FROM odd WHERE label LIKE ? ESCAPE ?", {t("a%"), t("!")}},
      {"SELECT id FROM odd WHERE label = ?", {t("a\\'b")}},
      {"SELECT id FROM odd WHERE padded = ?", {t("p ")}, Fate::kAtLength},
      {"SELECT id FROM odd WHERE mood = ?", {t("good")}, Fate::kAtLength},
      {"SELECT id FROM odd WHERE mood = ?", {t("odd")}, Fate::kAtLength},
      {"SELECT doc -> ?, doc ->> ? FROM odd ORDER BY id", {t("k"), t("k")}},
      {"SELECT doc -> 'list' -> ? FROM odd ORDER BY id", {n(0)}},
      {"SELECT id FROM odd WHERE doc @> ? ORDER BY id", {t("{\"k\": 1}")}, Fate::kAtLength},
      {"SELECT jsonb_build_object(?, ?)", {t("k"), n(1)}, Fate::kAtLength},
      {"SELECT concat(?, ?)", {t("k"), n(1)}, Fate::kAtLength},
      {"SELECT length(?)", {Value(Bytes{"abc"})}},
      {"SELECT (ARRAY[1,2,3])[?]", {n(2)}},
      {"SELECT ROW(?, ?) = ROW(1, 'a')", {n(1), t("a")}},
      {"SELECT count(*) FROM (VALUES (?), (?)) v", {n(1), t("2")}, Fate::kAtLength},
      {"VALUES (?, ?)", {n(1), t("a")}},
      {"INSERT INTO odd (id, label) VALUES (?, ?) RETURNING id, label", {n(50), t("new")}},
      {"INSERT INTO odd (id, label) VALUES (?, ?), (?, ?)",
       {n(50), t("x"), t("51"), null},
       Fate::kAtLength},
      {"INSERT INTO odd (id, label) SELECT ?, ? RETURNING *", {t("50"), n(8)}, Fate::kAtLength},
      {"INSERT INTO odd (id, label) VALUES (?, ?)", {n(1), t("there already")}, Fate::kAtLength},
      {"INSERT INTO odd (id, small) VALUES (?, ?)", {n(50), n(40000)}, Fate::kAtLength},
      {"INSERT INTO odd (id, small) VALUES (?, ?) RETURNING small", {n(50), n(-40)}},
      {"INSERT INTO odd (id, label) VALUES (?, ?)",
       {n(50), t("longer than eight")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, label) VALUES (?, ?) RETURNING label", {n(50), n(12)}},
      {"INSERT INTO odd (id, day) VALUES (?, ?) RETURNING day",
       {n(50), t("1 Feb 2020")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, span) VALUES (?, ?) RETURNING span::text",
       {n(50), t("2")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, price) VALUES (?, ?) RETURNING price", {n(50), Value(1.005)}},
      {"INSERT INTO odd (id, price) VALUES (?, ?) RETURNING price",
       {n(50), t("1.005")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, padded) VALUES (?, ?) RETURNING padded",
       {n(50), t("q")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, mood) VALUES (?, ?) RETURNING mood",
       {n(50), t("bad")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, doc) VALUES (?, ?) RETURNING doc",
       {n(50), t("{\"z\":1}")},
       Fate::kAtLength},
      {"INSERT INTO odd (id, raw) VALUES (?, ?) RETURNING raw",
       {n(50), Value(Bytes{std::string("\x00\x01", 2)})}},
      {"UPDATE odd SET label = ? WHERE id = ?", {t("z"), n(2)}},
      {"UPDATE odd SET label = ? WHERE id > ?", {null, n(1)}},
      {"UPDATE odd SET small = small + ? WHERE id = ?", {n(1), n(2)}},
      {"UPDATE odd SET price = price * ? WHERE id = ? RETURNING price", {Value(1.5), n(2)}},
      {"UPDATE odd SET label = 'x' WHERE id = ?", {n(77)}},
      {"DELETE FROM odd WHERE id >= ?", {n(2)}},
      {"DELETE FROM odd WHERE id = ? RETURNING *", {n(2)}},
      {"WITH d AS (DELETE FROM odd WHERE id = ? RETURNING id) SELECT count(*) FROM d", {n(2)}},
      {"SELECT id FROM odd WHERE id = ? FOR UPDATE", {n(2)}},
      {"SELECT id FROM odd WHERE id = ? AND label = 'a' AND TRUE", {n(1)}},
      {"SELECT count(*) FROM odd", {}},
      {"SELECT 1 / ?", {n(0)}, Fate::kAtLength},
      {"SELECT nothing FROM odd WHERE id = ?", {n(2)}, Fate::kAtLength},
      {"SELECT label FROM nowhere WHERE id = ?", {n(2)}, Fate::kAtLength},
      {"SELECT FROM odd WHERE WHERE id = ?", {n(2)}, Fate::kAtLength},
  };
}

void make_odd_table(Server& server) {
  server->query(
      "points",
      "DROP TABLE IF EXISTS odd; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('good', "
      "'bad'); CREATE TABLE odd (id int PRIMARY KEY, label varchar(8), small smallint, day date, "
      "span interval hour, price numeric(8,2), padded char(4), mood mood, doc jsonb, raw bytea); "
      "INSERT INTO odd VALUES (1, 'a', 1, '2020-02-03', '1', 1.5, 'p', 'good', '{\"k\": 1, "
      "\"list\": [5]}'), (2, 'b', 2, '2021-02-03', '2', 2.5, 'q', 'bad', '{\"k\": 2}'), (3, 'c', "
      "3, NULL, NULL, NULL, NULL, NULL, NULL);",
      live::Role::kApplication);
}

/// Run and undone, with a step that gives the branch a name of its own.
WorkReport try_once(Session& session, const Odd& odd) {
  Statement statement = plain(odd.sql);
  statement.params = odd.params;
  const Xid xid = next_xid();
  WorkReport report = session.work(work_of(xid, {statement}));
  if (report.vote == Vote::kPrepared)
    REQUIRE(session.rollback(xid, report.proof).completion == Completion::kRolledBack);
  return report;
}

std::string outcome(const WorkReport& report) {
  return report.error ? words(*report.error) : "ok";
}

std::int64_t kept_by(Session& session) {
  const auto report = session.work(work_of(
      next_xid(),
      {plain(
          "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'assent!_s%' ESCAPE '!'")},
      AfterWork::kStayOpen));
  REQUIRE_FALSE(report.error);
  return std::get<std::int64_t>(report.results.at(0).rows.at(0).at(0));
}

/// When the server was told last to let go of everything: our proof is prepared anew then. Asked in
/// other words each time, so that it is not kept itself.
std::string kept_since(Session& session) {
  static int count = 0;
  const Xid xid = next_xid();
  const auto report = session.work(
      work_of(xid,
              {plain("SELECT prepare_time FROM pg_prepared_statements WHERE name = 'assent_proof' "
                     "AND " +
                     std::to_string(++count) + " > 0")},
              AfterWork::kStayOpen));
  REQUIRE_FALSE(report.error);
  REQUIRE(session.roll_back_open(xid).completion == Completion::kRolledBack);
  return std::get<std::string>(report.results.at(0).rows.at(0).at(0));
}

Statement update_points(std::int64_t card) {
  Statement statement = guarded("UPDATE card SET points = points + 1 WHERE id = ?", 1);
  statement.params = {card};
  return statement;
}

/// As the payments of a session go on: each is prepared, and committed.
void pay(Session& session, const Statement& statement) {
  const Xid xid = next_xid();
  const WorkReport report = session.work(work_of(xid, {statement}));
  require_vote(report, Vote::kPrepared);
  REQUIRE(session.commit(xid, report.proof, PreparedBy::kThisIncarnation).completion ==
          Completion::kCommitted);
}

}  // namespace

TEST_CASE("a statement means the same each time, kept by the server or not") {
  Server& server = shared_server(Kind::kPostgres);
  make_odd_table(server);
  Agent agent(server);
  for (const Odd& odd : odd_statements()) {
    INFO(odd.sql);
    must(agent.control->heartbeat());
    // As a session sees it that has never seen anything: literals.
    const WorkReport first = try_once(*agent.another_session(), odd);
    const auto session = agent.another_session();
    const bool ends = odd.fate == Fate::kEndsSession;
    for (int time = 1; time <= (ends ? 1 : kTimes); ++time) {
      INFO("time " << time);
      const WorkReport again = try_once(*session, odd);
      CHECK(outcome(again) == outcome(first));
      CHECK(again.vote == first.vote);
      CHECK(session->usable() != ends);
      REQUIRE(again.results.size() == first.results.size());
      if (again.results.empty()) continue;
      CHECK(again.results[0].columns == first.results[0].columns);
      CHECK(again.results[0].rows == first.results[0].rows);
      CHECK(again.results[0].rows_affected == first.results[0].rows_affected);
    }
    if (!ends) CHECK(kept_by(*session) == (odd.fate == Fate::kKept ? 1 : 0));
  }
}

TEST_CASE("statements that come again are kept, those that could change their meaning are not") {
  Server& server = shared_server(Kind::kPostgres);
  make_odd_table(server);
  Agent agent(server);
  struct Case {
    Odd odd;
    std::int64_t kept;
  };
  const std::string text = "a";
  const std::vector<Case> cases = {
      {{"UPDATE odd SET small = ? WHERE id = ?", {std::int64_t{1}, std::int64_t{1}}}, 1},
      {{"UPDATE odd SET label = ? WHERE id = ?", {text, std::int64_t{1}}}, 1},
      {{"UPDATE odd SET label = 'x' WHERE id = ?", {std::int64_t{1}}}, 1},
      {{"SELECT id FROM odd WHERE id = ? ORDER BY id LIMIT ?", {std::int64_t{1}, std::int64_t{1}}},
       1},
      {{"UPDATE odd SET day = 'today' WHERE id = ?", {std::int64_t{1}}}, 0},
      {{"UPDATE odd SET day = 'to' \n 'day' WHERE id = ?", {std::int64_t{1}}}, 0},
      {{"UPDATE odd SET day = E'\\x6eow' WHERE id = ?", {std::int64_t{1}}}, 0},
      {{"UPDATE odd SET day = $$now$$ WHERE id = ?", {std::int64_t{1}}}, 0},
      {{"UPDATE odd SET day = '2020-02-03' WHERE id = ?", {std::int64_t{1}}}, 0},
      {{"UPDATE odd SET day = ? WHERE id = 1", {std::string("today")}}, 0},
      {{"UPDATE odd SET span = ? WHERE id = 1", {std::string("2")}}, 0},
      {{"SELECT id FROM odd ORDER BY ?", {std::int64_t{1}}}, 0},
      {{"SELECT id FROM odd WHERE id < 0 ORDER BY id, ?", {std::int64_t{1}}}, 0},
      {{"SELECT md5(label), pg_backend_pid() > ? FROM odd", {std::int64_t{1}}}, 0},
  };
  for (const Case& one : cases) {
    INFO(one.odd.sql);
    const auto session = agent.another_session();
    for (int time = 1; time <= 3 && session->usable(); ++time) {
      const WorkReport report = try_once(*session, one.odd);
      INFO(outcome(report));
      REQUIRE_FALSE(report.error);
    }
    if (session->usable()) CHECK(kept_by(*session) == one.kept);
  }
}

TEST_CASE("a statement that failed is not kept") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  Statement statement = guarded("UPDATE card SET points = ? WHERE id = ?", 1);
  statement.params = {std::int64_t{-1}, std::int64_t{1}};
  for (int time = 1; time <= 3; ++time)
    require_vote(agent.session->work(work_of(next_xid(), {statement})), Vote::kRolledBack);
  CHECK(kept_by(*agent.session) == 0);
}

TEST_CASE("a session keeps no more statements than its limit, and works on") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  for (int i = 1; i <= 150; ++i) {
    Statement statement =
        plain("UPDATE card SET points = points + ? - " + std::to_string(i) + " WHERE id = 1");
    statement.params = {std::int64_t{i}};
    for (int time = 1; time <= 2; ++time) pay(*agent.session, statement);
  }
  const std::int64_t kept = kept_by(*agent.session);
  CHECK(kept > 0);
  CHECK(kept <= 64);
  CHECK(server.points(1) == 100);
}

TEST_CASE("a table gets a column between two payments that read all of it") {
  Server& server = shared_server(Kind::kPostgres);
  make_odd_table(server);
  Agent agent(server);
  const Odd odd{"SELECT * FROM odd WHERE id = ?", {std::int64_t{1}}};
  for (int time = 1; time <= kTimes; ++time) REQUIRE_FALSE(try_once(*agent.session, odd).error);
  server->query("points", "ALTER TABLE odd ADD COLUMN added int DEFAULT 7",
                live::Role::kApplication);
  for (int time = 1; time <= 3; ++time) {
    const WorkReport report = try_once(*agent.session, odd);
    INFO(outcome(report));
    REQUIRE(report.vote == Vote::kPrepared);
    CHECK(report.results[0].columns.back() == "added");
    CHECK(report.results[0].rows.at(0).back() == Value(std::int64_t{7}));
  }
  CHECK(kept_by(*agent.session) == 1);
}

TEST_CASE("a column gets another type between two payments that write it") {
  Server& server = shared_server(Kind::kPostgres);
  make_odd_table(server);
  Agent agent(server);
  const Odd odd{"UPDATE odd SET label = ? WHERE id = 1", {std::string("7")}};
  for (int time = 1; time <= 3; ++time) REQUIRE_FALSE(try_once(*agent.session, odd).error);
  server->query("points", "ALTER TABLE odd ALTER COLUMN label TYPE int USING length(label)",
                live::Role::kApplication);
  for (int time = 1; time <= 3; ++time) {
    const WorkReport report = try_once(*agent.session, odd);
    INFO(outcome(report));
    REQUIRE(report.vote == Vote::kPrepared);
    CHECK(report.results[0].rows_affected == 1);
  }
}

TEST_CASE("somebody drops what the server keeps, and no payment fails") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  server->query("points",
                "CREATE OR REPLACE FUNCTION drop_kept() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN NEW; END$$; "
                "CREATE OR REPLACE FUNCTION drop_kept_by_call() RETURNS int LANGUAGE plpgsql AS "
                "$$BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END$$; ",
                live::Role::kApplication);
  for (int time = 1; time <= 3; ++time) pay(*agent.session, update_points(1));
  CHECK(kept_by(*agent.another_session()) == 0);

  SECTION("by a function that a step calls") {
    const Xid xid = next_xid();
    const WorkReport report =
        agent.session->work(work_of(xid, {plain("SELECT drop_kept_by_call()"), update_points(1)}));
    require_vote(report, Vote::kPrepared);
    CHECK(agent.another_session()->commit(xid, report.proof, PreparedBy::kUnknown).completion ==
          Completion::kCommitted);
    CHECK(server.points(1) == 104);
  }
  SECTION("by a trigger that nobody sees") {
    server->query("points",
                  "CREATE TRIGGER dropper BEFORE UPDATE ON card FOR EACH ROW EXECUTE FUNCTION "
                  "drop_kept()",
                  live::Role::kApplication);
    for (int time = 1; time <= 3; ++time) pay(*agent.session, update_points(1));
    const auto fresh = agent.another_session();
    for (int time = 1; time <= 3; ++time) pay(*fresh, update_points(1));
    const Xid xid = next_xid();
    const auto other = agent.another_session();
    pay(*other, plain("SELECT points FROM card WHERE id = 1"));
    pay(*other, plain("SELECT points FROM card WHERE id = 1"));
    const WorkReport report = other->work(
        work_of(xid, {update_points(1), plain("SELECT points FROM card WHERE id = 1")}));
    require_vote(report, Vote::kPrepared);
    CHECK(report.results.at(1).rows.at(0).at(0) == Value(std::int64_t{110}));
    CHECK(other->rollback(xid, report.proof).completion == Completion::kRolledBack);
    server->query("points", "DROP TRIGGER dropper ON card", live::Role::kApplication);
    CHECK(server.points(1) == 109);
  }
  CHECK(server.prepared_count() == 0);
}

TEST_CASE("the proof that is missing is known in every language of the server") {
  CHECK(PostgresStatements::is_about_proof(
      "ERROR: prepared statement \"assent_proof\" does not exist"));
  CHECK(PostgresStatements::is_about_proof(
      "FEHLER: vorbereitete Anweisung »assent_proof« existiert nicht"));
  CHECK(PostgresStatements::is_about_proof(
      "ERREUR: l'instruction préparée « assent_proof » n'existe pas"));
  CHECK_FALSE(PostgresStatements::is_about_proof(
      "FEHLER: vorbereitete Anweisung »assent_s1« existiert nicht"));
}

TEST_CASE("what is to be kept does not wait behind a lock, and the branch waits once") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  std::vector<Statement> statements;
  for (std::int64_t i = 1; i <= 6; ++i) {
    statements.push_back(
        plain("UPDATE card SET points = points + " + std::to_string(i) + " WHERE id = ?"));
    statements.back().params = {std::int64_t{1}};
  }
  Work work = work_of(next_xid(), statements);
  work.lock_wait = std::chrono::seconds(2);
  require_vote(agent.session->work(work), Vote::kPrepared);
  CHECK(rollback(*agent.session, work.xid).completion == Completion::kRolledBack);

  server->query("points", "BEGIN; LOCK TABLE card; PREPARE TRANSACTION 'changes the table'",
                live::Role::kApplication);
  const auto begin = std::chrono::steady_clock::now();
  work.xid = next_xid();
  const WorkReport report = agent.session->work(work);
  const auto waited = std::chrono::steady_clock::now() - begin;
  server.roll_back_foreign("changes the table");
  require_vote(report, Vote::kRolledBack);
  CHECK(report.error->code == ErrorCode::kConflict);
  CHECK(waited >= work.lock_wait);
  CHECK(waited < 3 * work.lock_wait);  // by the lock's waits alone it would be seven
}

TEST_CASE("a branch whose statements are just being kept has the lock wait that it asked for") {
  Server& server = shared_server(Kind::kPostgres);
  server->query("points",
                "CREATE OR REPLACE VIEW lock_wait AS SELECT setting FROM pg_settings WHERE name = "
                "'lock_timeout'",
                live::Role::kApplication);
  Agent agent(server);
  for (int time = 1; time <= 3; ++time) {
    INFO("time " << time);
    const Xid xid = next_xid();
    Work work = work_of(xid, {update_points(1), plain("SELECT setting FROM lock_wait")});
    work.lock_wait = std::chrono::milliseconds(1234);
    const WorkReport report = agent.session->work(work);
    require_vote(report, Vote::kPrepared);
    CHECK(report.results.at(1).rows.at(0).at(0) == Value(std::string("1234")));
    CHECK(rollback(*agent.session, xid).completion == Completion::kRolledBack);
  }
  CHECK(kept_by(*agent.session) == 2);
}

TEST_CASE("texts that are not kept take no room from those that are") {
  Server& server = shared_server(Kind::kPostgres);
  make_odd_table(server);
  Agent agent(server);
  for (int time = 1; time <= 3; ++time) pay(*agent.session, update_points(1));
  const std::string since = kept_since(*agent.session);
  for (int i = 1; i <= 150; ++i) {
    pay(*agent.session, plain("UPDATE card SET points = " + std::to_string(i) + " WHERE id = 1"));
    // Each of these would be kept, but for its date.
    const Odd date{"UPDATE odd SET day = ? WHERE id = " + std::to_string(i % 70),
                   {std::string("2020-02-03")}};
    REQUIRE_FALSE(try_once(*agent.session, date).error);
  }
  CHECK(kept_since(*agent.session) == since);
  CHECK(kept_by(*agent.session) == 1);
}

TEST_CASE("as many statements as fit stay kept, whatever else comes once") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  std::string since;
  for (int time = 1; time <= 5; ++time) {
    for (int i = 1; i <= 64; ++i) {
      pay(*agent.session,
          plain("UPDATE card SET points = points + 0 * " + std::to_string(i) + " WHERE id = 1"));
    }
    if (time == 2) since = kept_since(*agent.session);
  }
  CHECK(kept_since(*agent.session) == since);
  CHECK(kept_by(*agent.session) == 64);
}

TEST_CASE("a branch that fails as if something were not kept is tried twice only once") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  server->query("points",
                "DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries; CREATE OR REPLACE FUNCTION "
                "refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM nextval('tries'); "
                "RAISE 'no' USING ERRCODE = '26000'; END$$; CREATE TRIGGER refuser BEFORE UPDATE "
                "ON card FOR EACH ROW EXECUTE FUNCTION refuse()",
                live::Role::kApplication);
  constexpr int kBranches = 4;
  for (int i = 1; i <= kBranches; ++i) {
    const WorkReport report = agent.session->work(work_of(next_xid(), {update_points(1)}));
    require_vote(report, Vote::kRolledBack);
    CHECK(report.error->sqlstate == "26000");
  }
  CHECK(server->query_value("points", "SELECT last_value FROM tries") ==
        std::to_string(kBranches + 1));
  server->query("points", "DROP TRIGGER refuser ON card", live::Role::kApplication);
}

TEST_CASE("a row that is no proof proves nothing") {
  const auto numbers = read_proof("731 735 22020352");
  REQUIRE(numbers.has_value());
  CHECK(numbers->transaction == 731);
  CHECK(numbers->snapshot_xmax == 735);
  CHECK(numbers->wal_position == 22020352);
  for (const char* row : {"", " ", "731", "731 735", "731 735 ", "731 735 x", "731 735 22020352 1",
                          "x 735 22020352", "-731 735 22020352", "0 735 22020352",
                          "731,735,22020352", "99999999999999999999 735 22020352"}) {
    INFO(row);
    CHECK(read_proof(row).has_error());
  }
}

TEST_CASE("a proof that can't be read is no yes") {
  Server& server = shared_server(Kind::kPostgres);
  const std::string forged =
      "CREATE SCHEMA forged; CREATE FUNCTION forged.pg_prepared_xact(OUT transaction text, OUT gid "
      "text, OUT dbid oid) RETURNS SETOF record LANGUAGE sql AS $$SELECT '', gid, dbid FROM "
      "pg_catalog.pg_prepared_xact()$$;";
  Agent agent(server);
  server->query("points",
                forged + "ALTER DATABASE points SET search_path = forged, pg_catalog, public");
  server->query("points", "GRANT USAGE ON SCHEMA forged TO PUBLIC");
  const Xid xid = next_xid();
  const WorkReport report = agent.another_session()->work(work_of(xid, {update_points(1)}));
  server->query("points", "ALTER DATABASE points RESET search_path; DROP SCHEMA forged CASCADE");
  REQUIRE(report.error);
  INFO(words(*report.error));
  CHECK(report.vote == Vote::kUnknown);
  CHECK(report.proof.transaction_id == 0);
  // As its coordinator does with what gave no yes.
  CHECK(agent.another_session()->rollback(xid, std::nullopt).completion == Completion::kRolledBack);
  CHECK(server.prepared_count() == 0);
  CHECK(server.points(1) == 100);
}

TEST_CASE("a server that is full of prepared branches says so in its own language") {
  Server& server = shared_server(Kind::kPostgres);
  Agent agent(server);
  server->query("points",
                "CREATE OR REPLACE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                "RAISE 'maximale Anzahl vorbereiteter Transaktionen erreicht' USING ERRCODE = "
                "'53200'; END$$; CREATE TRIGGER full_up BEFORE UPDATE ON card FOR EACH ROW EXECUTE "
                "FUNCTION full_up()",
                live::Role::kApplication);
  const WorkReport whole = agent.session->work(work_of(next_xid(), {update_points(1)}));
  const WorkReport open =
      agent.session->work(work_of(next_xid(), {update_points(1)}, AfterWork::kStayOpen));
  server->query("points", "DROP TRIGGER full_up ON card", live::Role::kApplication);
  require_vote(whole, Vote::kRolledBack);
  CHECK(whole.error->code == ErrorCode::kBusy);
  CHECK_THAT(whole.error->message,
             Catch::Contains("probably") && Catch::Contains("set max_prepared_transactions"));
  require_vote(open, Vote::kRolledBack);
  CHECK_THAT(open.error->message, !Catch::Contains("max_prepared_transactions"));
}
