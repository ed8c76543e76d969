// What may reach a database as a step, and how parameters get into it (design section 8).

#include "participant_agents/rm/sql_lexer.h"

#include <cmath>
#include <limits>

#include <catch2/catch.hpp>

#include "tests/support/print_result.h"

namespace assent::rm {
namespace {

constexpr Kind kPg = Kind::kPostgres;
constexpr Kind kMy = Kind::kMariadb;

/// The text that would be sent, or "refused".
std::string sent(Kind kind, std::string_view sql, const std::vector<Value>& params = {}) {
  const auto lexed = lex_statement(kind, sql);
  if (!lexed) {
    CHECK(lexed.error().code == ErrorCode::kStatementNotAllowed);
    CHECK(lexed.error().effect == Effect::kNone);
    return "refused";
  }
  const auto text = render(kind, *lexed, params);
  return text ? *text : "unfit";
}

bool refused_by_both(std::string_view sql) {
  return sent(kPg, sql) == "refused" && sent(kMy, sql) == "refused";
}

}  // namespace

TEST_CASE("A step begins with a word that works on rows") {
  for (const char* sql :
       {"SELECT 1", "insert into t values (1)", "Update t set a = 1", "DELETE FROM t",
        "with x as (select 1) select * from x", "VALUES (1)", "REPLACE t VALUES (1)"}) {
    CHECK(sent(kPg, sql) == sql);
    CHECK(sent(kMy, sql) == sql);
  }
  for (const char* sql : {"COMMIT",
                          "ROLLBACK",
                          "BEGIN",
                          "XA COMMIT 'a'",
                          "PREPARE TRANSACTION 'a'",
                          "COMMIT PREPARED 'a'",
                          "SET a = 1",
                          "CALL p()",
                          "DO $$ BEGIN COMMIT; END $$",
                          "LOCK TABLES t WRITE",
                          "CREATE TABLE t(a int)",
                          "(SELECT 1)",
                          "EXPLAIN SELECT 1",
                          "",
                          "  ",
                          "-- nothing",
                          "1",
                          "'SELECT 1'",
                          "SELECTED 1",
                          "END",
                          "@a"}) {
    INFO(sql);
    CHECK(refused_by_both(sql));
  }
}

TEST_CASE("A semicolon stands only at the end") {
  CHECK(sent(kPg, "SELECT 1;") == "SELECT 1");
  CHECK(sent(kMy, "SELECT 1 ; -- done\n ").starts_with("SELECT 1 "));
  CHECK(sent(kPg, "SELECT ';' , \";\" FROM t /* ; */ -- ;\n WHERE a = $x$;$x$").find("$x$;$x$") !=
        std::string::npos);
  CHECK(refused_by_both("SELECT 1; COMMIT"));
  CHECK(refused_by_both("SELECT 1;;"));
  CHECK(refused_by_both("SELECT 1; END; COMMIT; BEGIN NOT ATOMIC SELECT 1"));
  CHECK(refused_by_both("UPDATE t SET a = ''; COMMIT; --'"));
}

TEST_CASE("COMMIT behind comments is still COMMIT") {
  CHECK(refused_by_both("/* SELECT */ COMMIT"));
  CHECK(refused_by_both("-- SELECT 1\nCOMMIT"));
  CHECK(sent(kMy, "# SELECT 1\nCOMMIT") == "refused");
  CHECK(refused_by_both("SELECT 1 /* ; */ ; /* */ COMMIT"));
}

TEST_CASE("Comments never reach a database") {
  CHECK(sent(kPg, "SELECT/* a /* nested */ b */1") == "SELECT 1");
  CHECK(sent(kMy, "SELECT/* a /* not nested */1") == "SELECT 1");
  CHECK(sent(kMy, "SELECT 1 # to the end\n+ 1") == "SELECT 1  \n+ 1");
  CHECK(sent(kPg, "SELECT 1 # 2") == "SELECT 1 # 2");  // an operator there
  CHECK(sent(kPg, "SELECT 1 --2") == "SELECT 1  ");
  CHECK(sent(kMy, "SELECT 1 --2") == "refused");  // two minus signs there
  CHECK(refused_by_both("SELECT 1 /* open"));
  CHECK(sent(kPg, "SELECT 1 /* /* */") == "refused");
}

TEST_CASE("MariaDB's executable comments are refused") {
  for (const char* sql : {"SELECT 1 /*! ; COMMIT */", "SELECT 1 /*!50000 + 1 */",
                          "SELECT 1 /*M! + 1 */", "/*! COMMIT */ SELECT 1"}) {
    INFO(sql);
    CHECK(sent(kMy, sql) == "refused");
  }
}

TEST_CASE("Quotes end where the database ends them") {
  // A backslash hides a quote in MariaDB and in E'..' only.
  CHECK(sent(kPg, R"(SELECT '\'; COMMIT; --')") == "refused");
  CHECK(sent(kMy, R"(SELECT '\'; COMMIT; --')") == R"(SELECT '\'; COMMIT; --')");
  CHECK(sent(kPg, R"(SELECT E'\'; COMMIT; --')") == R"(SELECT E'\'; COMMIT; --')");
  CHECK(sent(kPg, R"(SELECT e'\''; COMMIT; --')") == "refused");
  CHECK(sent(kPg, R"(SELECT 1e'\''; COMMIT; --')") == "refused");
  CHECK(sent(kPg, R"(SELECT xe'\'; COMMIT; --')") == "refused");
  CHECK(sent(kMy, R"(SELECT `\`; COMMIT; -- `)") == "refused");
  CHECK(sent(kMy, R"(SELECT "\"; COMMIT; --")") == R"(SELECT "\"; COMMIT; --")");
  CHECK(sent(kPg, R"(SELECT "\"; COMMIT; --")") == "refused");
  CHECK(sent(kPg, "SELECT 'it''s', \"a\"\"b\"") == "SELECT 'it''s', \"a\"\"b\"");
  CHECK(refused_by_both("SELECT 'open"));
  CHECK(refused_by_both("SELECT \"open"));
  CHECK(sent(kMy, "SELECT `open") == "refused");
}

TEST_CASE("An escape string that goes on after a line break is refused") {
  CHECK(sent(kPg, "SELECT E'a'\n'b\\'; COMMIT; --'") == "refused");
  CHECK(sent(kPg, "SELECT E'a' /* c */\n'b'") == "refused");
  CHECK(sent(kPg, "SELECT E'a', 'b'") == "SELECT E'a', 'b'");
}

TEST_CASE("Dollar quotes are PostgreSQL's") {
  CHECK(sent(kPg, "SELECT $$; COMMIT; $$") == "SELECT $$; COMMIT; $$");
  CHECK(sent(kPg, "SELECT $a$; $b$ ; $a$") == "SELECT $a$; $b$ ; $a$");
  CHECK(sent(kPg, "SELECT a$b$; COMMIT; $b$") == "refused");  // the dollars belong to a name
  CHECK(sent(kPg, "SELECT $a$ open") == "refused");
  CHECK(sent(kPg, "SELECT $1") == "refused");
  CHECK(sent(kMy, "SELECT $$; COMMIT; $$") == "refused");
}

TEST_CASE("What could be read in two ways is refused") {
  CHECK(refused_by_both("SELECT {fn now()}"));
  CHECK(refused_by_both("SELECT \\N"));
  CHECK(refused_by_both(std::string_view("SELECT 1\0; COMMIT", 17)));
  CHECK(refused_by_both("SELECT '\xff'"));
  CHECK(refused_by_both("SELECT '\xc0\xa7'"));      // an overlong quote
  CHECK(refused_by_both("SELECT '\xed\xa0\x80'"));  // a surrogate
  CHECK(sent(kMy, "SELECT 1 INTO OUTFILE '/tmp/x'") == "refused");
  CHECK(sent(kPg, "SELECT 'caf\xc3\xa9'") == "SELECT 'caf\xc3\xa9'");
}

TEST_CASE("A literal with a backslash means the same under every setting of PostgreSQL") {
  CHECK(sent(kPg, R"(SELECT '\', '; COMMIT; --')") == R"(SELECT E'\\', '; COMMIT; --')");
  CHECK(sent(kPg, R"(SELECT date '\')") == R"(SELECT date E'\\')");
  CHECK(sent(kPg, "SELECT '\\'\n'\\'; COMMIT; --'") == "refused");
  CHECK(sent(kPg, R"(SELECT b'\')") == "refused");
  CHECK(sent(kPg, R"(SELECT U&'\0041')") == "refused");
  CHECK(sent(kPg, R"(SELECT u&"\0041")") == "refused");
  CHECK(sent(kPg, "SELECT u & 1") == "SELECT u & 1");
  // psqlODBC knows only the capital, and takes every such letter for it.
  CHECK(sent(kPg, R"(SELECT e'\'..\'')") == R"(SELECT E'\'..\'')");
  CHECK(sent(kPg, "SELECT date'2020-01-01'") == "refused");
}

TEST_CASE("A step has no business in its session and in our tables") {
  for (const char* sql : {"SELECT * FROM assent_witness", "DELETE FROM Assent_Fence",
                          "UPDATE db.assent_identity SET id = 1", "SELECT assent.x FROM t"}) {
    INFO(sql);
    CHECK(refused_by_both(sql));
  }
  CHECK(sent(kPg, "DELETE FROM \"assent\".\"fence\"") == "refused");
  CHECK(sent(kPg, "DELETE FROM assent /* */ . fence") == "refused");
  CHECK(sent(kMy, "DELETE FROM `assent_witness`") == "refused");
  CHECK_FALSE(refused_by_both("SELECT 'assent', assents, my_assent_x FROM assenting"));
  CHECK(lex_statement(kMy, "DELETE FROM assent_witness", Author::kAssent));

  CHECK(sent(kPg, "SELECT Set_Config('a', 'b', false)") == "refused");
  CHECK(sent(kPg, "SELECT \"set_config\"('a', 'b', false)") == "refused");
  CHECK(sent(kPg, "UPDATE pg_catalog.pg_settings SET setting = 'x'") == "refused");
  CHECK(sent(kMy, "SELECT @a := 1") == "refused");
  CHECK(sent(kMy, "SELECT 1 INTO @a") == "refused");
  CHECK(sent(kMy, "SELECT @@sql_mode") == "refused");
  CHECK(sent(kMy, "SELECT 'a@b.c'") == "SELECT 'a@b.c'");
}

TEST_CASE("Calls of functions that may change their session are seen") {
  const auto may_change = [](Kind kind, std::string_view sql) {
    const auto lexed = lex_statement(kind, sql);
    REQUIRE(lexed);
    return lexed->may_change_session;
  };
  for (const Kind kind : {kPg, kMy}) {
    for (const char* sql :
         {"UPDATE t SET a = (a + 1) * 2 WHERE id IN (1, 2) AND (b OR NOT (c))",
          "INSERT INTO t (a, b) VALUES (1, 2)", "INSERT INTO s.t(a) SELECT (1)",
          "SELECT COUNT(*), sum (a), coalesce(a, 0) FROM t WHERE EXISTS (SELECT 1)",
          "WITH x AS (SELECT 1) SELECT row_number() OVER (PARTITION BY (a)) FROM x"}) {
      INFO(sql);
      CHECK_FALSE(may_change(kind, sql));
    }
    for (const char* sql :
         {"SELECT f()", "SELECT f /* */\n ()", "SELECT s.count(1)", "INSERT INTO t VALUES (f(1))",
          "INSERT INTO t SELECT f(1)", "SELECT caf\xc3\xa9(1)"}) {
      INFO(sql);
      CHECK(may_change(kind, sql));
    }
  }
  CHECK(may_change(kPg, "SELECT \"count\"(1)"));
  CHECK(may_change(kMy, "SELECT `count` (1)"));
  CHECK(may_change(kPg, "SELECT pg_advisory_lock(1)"));
  CHECK(may_change(kMy, "SELECT GET_LOCK('a', 1)"));
}

TEST_CASE("Markers in quotes and comments are text") {
  CHECK(sent(kPg, "SELECT '?', \"?\", $$?$$ /* ? */ WHERE a = ?", {Value(std::int64_t{7})}) ==
        "SELECT '?', \"?\", $$?$$   WHERE a =  7 ");
  CHECK(sent(kMy, "SELECT '\\'?', `?` # ?\n, ?", {Value(std::int64_t{7})}) ==
        "SELECT '\\'?', `?`  \n,  7 ");
}

TEST_CASE("As many parameters as markers") {
  const auto lexed = lex_statement(kPg, "SELECT ?, ?");
  REQUIRE(lexed);
  const auto text = render(kPg, *lexed, {Value(true)});
  REQUIRE(!text);
  CHECK(text.error().code == ErrorCode::kInvalid);
  CHECK(text.error().message.find("2 ? markers and came with 1") != std::string::npos);
}

TEST_CASE("Literals mean the value and nothing else") {
  const auto literal = [](Kind kind, Value value) {
    return sent(kind, "SELECT ?", {std::move(value)});
  };
  CHECK(literal(kPg, std::monostate{}) == "SELECT  NULL ");
  CHECK(literal(kMy, true) == "SELECT  TRUE ");
  CHECK(literal(kPg, std::int64_t{-5}) == "SELECT  (-5) ");
  CHECK(sent(kPg, "SELECT 1 -?", {Value(std::int64_t{-5})}) == "SELECT 1 - (-5) ");
  CHECK(literal(kPg, std::numeric_limits<std::int64_t>::min()) ==
        "SELECT  '-9223372036854775808'::bigint ");
  CHECK(literal(kPg, 0.1) == "SELECT  '1e-01'::float8 ");
  CHECK(literal(kMy, -0.1) == "SELECT  (-1e-01) ");
  CHECK(literal(kPg, std::nan("")) == "SELECT  'NaN'::float8 ");
  CHECK(literal(kMy, std::nan("")) == "unfit");
  CHECK(literal(kPg, std::string("it's")) == "SELECT  'it''s' ");
  CHECK(literal(kPg, std::string("\\'; COMMIT; --")) == "SELECT  E'\\\\''; COMMIT; --' ");
  CHECK(literal(kMy, std::string("\\'; COMMIT; --")) == "SELECT  '\\\\''; COMMIT; --' ");
  CHECK(literal(kMy, std::string("\xff")) == "unfit");
  CHECK(literal(kPg, std::string("a\0b", 3)) == "unfit");
  CHECK(literal(kPg, Bytes{std::string("\0\xff'", 3)}) == "SELECT  '\\x00ff27'::bytea ");
  CHECK(literal(kMy, Bytes{std::string("\0\xff'", 3)}) == "SELECT  x'00ff27' ");
}

TEST_CASE("It is known which statements may return rows") {
  CHECK(lex_statement(kPg, "SELECT 1")->may_return_rows);
  CHECK(lex_statement(kPg, "WITH x AS (SELECT 1) SELECT 1")->may_return_rows);
  CHECK(lex_statement(kPg, "INSERT INTO t VALUES (1) returning a")->may_return_rows);
  CHECK_FALSE(lex_statement(kPg, "UPDATE t SET a = 'returning'")->may_return_rows);
}

}  // namespace assent::rm
