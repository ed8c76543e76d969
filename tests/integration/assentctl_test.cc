// assentctl: what it reads, what it prints, and its exit statuses.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "coordinator/tools/base64.h"
#include "coordinator/tools/exit_status.h"
#include "coordinator/tools/json_in.h"
#include "coordinator/tools/json_out.h"
#include "coordinator/tools/text_out.h"
#include "tests/integration/support_house.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;
using namespace assent::tools;

namespace {

House& house() {
  return House::shared(postgres_and_mariadb());
}

live::CommandResult assentctl(std::vector<std::string> arguments, const std::string& input = {}) {
  arguments.insert(arguments.begin(), ASSENT_BINARY_DIR "/coordinator/tools/assentctl");
  live::ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.environment["ASSENT_COORDINATOR"] = house().sandbox().coordinator_address();
  return live::run_command(spec, input, kPatience);
}

/// A payment of `amount` points of a card.
std::string submit_file(const std::string& key, std::int64_t card, std::int64_t amount) {
  const std::string id = std::to_string(card);
  const std::string points = std::to_string(amount);
  const std::string params = "[" + points + "," + id + "," + points + "]";
  return R"({"key":")" + key + R"(","wait":"applied","timeout_ms":5000,"steps":[
    {"participant":"points","expect_rows":1,"params":)" +
         params + R"(,
     "sql":"UPDATE card SET points = points - ? WHERE id = ? AND points >= ?"},
    {"participant":"payments","expect_rows":1,"params":)" +
         params + R"(,
     "sql":"UPDATE bill SET due = due - ? WHERE card_id = ? AND due >= ?"}]})";
}

std::string complaint(const std::string& json) {
  const auto read = read_submission(json);
  REQUIRE(read.has_error());
  CHECK(read.error().code == ErrorCode::kInvalid);
  return read.error().message;
}

std::string complaint_about_param(const std::string& param) {
  return complaint(R"({"steps":[{"participant":"p","sql":"x","params":[)" + param + "]}]}");
}

Answer answered(Outcome outcome, ErrorCode code = ErrorCode::kBusy) {
  Answer answer;
  answer.outcome = outcome;
  answer.error = Error{.code = code};
  return answer;
}

InDoubtList at_night() {
  const Xid xid{{LogId{0xab}, Epoch{1}, Sequence{42}}, "points"};
  InDoubtList list;
  InDoubtTransaction& transaction = list.transactions.emplace_back();
  transaction.gtrid = xid.gtrid;
  transaction.key = "order-7";
  transaction.phase = "committing";
  transaction.outcome = Outcome::kCommitted;
  transaction.age = std::chrono::seconds(252);
  BranchTruth& points = transaction.branches.emplace_back();
  points.xid = xid;
  points.logged = "commit";
  points.state = "committing";
  points.sight = BranchSight{.xid = xid,
                             .completion = Completion::kStillPrepared,
                             .evidence = Evidence::kListed,
                             .age = std::chrono::seconds(250)};
  points.sight->blocked = {
      {4711, "shop", "UPDATE card SET points = 1", std::chrono::seconds(61), "row of card"}};
  points.waits_for = "the next try of commit";
  points.tries = 3;
  points.next_try_in = std::chrono::milliseconds(1300);
  BranchTruth& payments = transaction.branches.emplace_back();
  payments.xid = {xid.gtrid, "payments"};
  payments.logged = "commit";
  payments.state = "done";
  payments.tries = 1;
  list.foreign = {{"points", {"other-7", std::chrono::hours(30), {}}}};
  list.unreached = {{.code = ErrorCode::kParticipantUnavailable,
                     .message = "no link to the agent",
                     .participant = "payments"}};
  return list;
}

std::string content_of(const std::string& file) {
  std::ifstream stream(std::filesystem::path(ASSENT_SOURCE_DIR) / file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

// ---------------------------------------------------------------- what it reads

TEST_CASE("a submit file is read whole") {
  const auto read = read_submission(R"({
    "key": "order-8123", "wait": "decided", "timeout_ms": 1500, "not_after_ms": 1700000000000,
    "steps": [
      {"participant": "points", "sql": "UPDATE card SET points = ?", "expect_rows": 1,
       "params": [null, true, -9223372036854775808, 9223372036854775807, 1.5, 1e300, "a \"b\" 99",
                  {"bytes": "AAH/"}]},
      {"participant": "payments", "sql": "SELECT 1", "read_only": true, "shared_reads": true}]})");
  REQUIRE(read);
  CHECK(read->key == "order-8123");
  CHECK(read->wait == WaitFor::kDecided);
  CHECK(read->timeout == std::chrono::milliseconds(1500));
  CHECK(read->not_after == WallTime{1700000000000});
  REQUIRE(read->steps.size() == 2);
  CHECK(read->steps[0].participant == "points");
  CHECK(read->steps[0].statement.expect_rows == 1);
  CHECK(read->steps[0].statement.params ==
        std::vector<Value>{std::monostate{}, true, std::numeric_limits<std::int64_t>::min(),
                           std::numeric_limits<std::int64_t>::max(), 1.5, 1e300,
                           std::string("a \"b\" 99"), Bytes{std::string("\0\1\xff", 3)}});
  CHECK(read->steps[1].read_only);
  CHECK(read->steps[1].shared_reads);
}

TEST_CASE("what is no JSON is told with line and column") {
  CHECK_THAT(complaint("{\n  \"key\": }"), Catch::StartsWith("line 2, column 10: not JSON"));
  CHECK_THAT(complaint("{\"key\": \"x\""), Catch::Contains("not JSON"));
  CHECK_THAT(complaint("{} {}"), Catch::StartsWith("line 1, column 4: not JSON"));
  CHECK_THAT(complaint(""), Catch::StartsWith("line 1, column 1: not JSON"));
}

TEST_CASE("what is wrong is told by its key") {
  CHECK(complaint("[]") == "the file must hold one JSON object");
  CHECK_THAT(complaint("{}"), Catch::StartsWith("steps: "));
  CHECK_THAT(complaint(R"({"kee":"x"})"), Catch::StartsWith("kee: there is no such key"));
  CHECK_THAT(complaint(R"({"wait":"soon"})"), Catch::StartsWith("wait: "));
  CHECK_THAT(complaint(R"({"timeout_ms":-1})"), Catch::StartsWith("timeout_ms: "));
  CHECK_THAT(complaint(R"({"steps":[{"participant":"p"}]})"),
             Catch::StartsWith("steps[0].sql: is missing"));
  CHECK_THAT(complaint(R"({"steps":[{"participant":"p","sql":"x"},{"participant":1}]})"),
             Catch::StartsWith("steps[1].participant: must be a text"));
  CHECK_THAT(complaint(R"({"steps":[{"participant":"p","sql":"x","parms":[]}]})"),
             Catch::StartsWith("steps[0].parms: there is no such key"));
}

TEST_CASE("parameters that would change on the way are refused") {
  CHECK_THAT(complaint_about_param("9223372036854775808"), Catch::Contains("64 bits"));
  CHECK_THAT(complaint_about_param("123456789012345678901234567890"), Catch::Contains("64 bits"));
  CHECK_THAT(complaint_about_param("[1]"), Catch::StartsWith("steps[0].params[0]: "));
  CHECK_THAT(complaint_about_param(R"({"bytes":"A"})"), Catch::Contains("base64"));
  CHECK_THAT(complaint_about_param(R"({"text":"A"})"), Catch::Contains("bytes"));
}

TEST_CASE("base64 both ways") {
  const auto pair = GENERATE(table<std::string, std::string>({{"", ""},
                                                              {"f", "Zg=="},
                                                              {"fo", "Zm8="},
                                                              {"foo", "Zm9v"},
                                                              {"foobar", "Zm9vYmFy"},
                                                              {"\xff\xfe\xfd", "//79"}}));
  CHECK(to_base64(std::get<0>(pair)) == std::get<1>(pair));
  CHECK(from_base64(std::get<1>(pair)) == std::get<0>(pair));
}

TEST_CASE("what is no base64 is no bytes") {
  const std::string text = GENERATE("Z", "Zg=", "Zg===", "Z=g=", "Zh==", "Zm9=", "Zm 9", "====");
  INFO(text);
  CHECK_FALSE(from_base64(text));
}

// ---------------------------------------------------------------- what it answers

TEST_CASE("exit statuses of answers") {
  CHECK(status_of_submit(answered(Outcome::kCommitted)) == ExitStatus::kCommitted);
  CHECK(status_of_submit(answered(Outcome::kRolledBack)) == ExitStatus::kRolledBack);
  CHECK(status_of_submit(answered(Outcome::kInProgress)) == ExitStatus::kUnknown);
  CHECK(status_of_submit(answered(Outcome::kUnknown)) == ExitStatus::kUnknown);
  CHECK(status_of_submit(answered(Outcome::kExpired)) == ExitStatus::kExpired);
  CHECK(status_of_submit(answered(Outcome::kRefused)) == ExitStatus::kRefused);
  for (const auto code : {ErrorCode::kInvalid, ErrorCode::kStatementNotAllowed,
                          ErrorCode::kUnknownParticipant, ErrorCode::kKeyReused})
    CHECK(status_of_submit(answered(Outcome::kRefused, code)) == ExitStatus::kBadInput);
  CHECK(status_of_outcome(answered(Outcome::kRefused)) == ExitStatus::kUnknown);
  CHECK(status_of_outcome(answered(Outcome::kNoRecord)) == ExitStatus::kNoRecord);
}

TEST_CASE("an answer as JSON") {
  Answer answer;
  answer.gtrid = Gtrid{LogId{0xab}, Epoch{1}, Sequence{42}};
  answer.outcome = Outcome::kRolledBack;
  answer.pending = {"payments"};
  StatementResult result;
  result.rows_affected = 1;
  result.columns = {"id", "name"};
  result.rows = {{std::int64_t{7}, Bytes{"f"}}, {std::monostate{}, std::string("x")}};
  answer.results = {result};
  answer.error = Error{.code = ErrorCode::kStatementFailed,
                       .message = "no",
                       .participant = "points",
                       .sqlstate = "23505",
                       .native = 7,
                       .step = 0};
  CHECK(to_json(answer) ==
        R"({"gtrid":"00000000000000ab-1-2a","outcome":"rolled_back","applied":false,)"
        R"("pending":["payments"],"results":[{"rows_affected":1,"columns":["id","name"],)"
        R"("rows":[[7,{"bytes":"Zg=="}],[null,"x"]]}],"error":{"code":"statement_failed",)"
        R"("effect":"none","message":"no","participant":"points","sqlstate":"23505",)"
        R"("native":7,"step":0},"damaged":[]})");
  CHECK(
      to_json(Answer{}) ==
      R"({"gtrid":null,"outcome":"unknown","applied":false,"pending":[],"results":[],"error":null,"damaged":[]})");
}

TEST_CASE("a damaged answer says at whom, and stays what it is") {
  Answer answer;
  answer.gtrid = Gtrid{LogId{0xab}, Epoch{1}, Sequence{42}};
  answer.outcome = Outcome::kCommitted;
  answer.damaged = {{"payments", Heuristic::kRolledBack, "ROLLBACK PREPARED by hand"}};
  CHECK(status_of_outcome(answer) == ExitStatus::kCommitted);
  CHECK(to_text(answer) ==
        "committed 00000000000000ab-1-2a, damaged at payments\n"
        "  payments: heuristic rollback: ROLLBACK PREPARED by hand\n");
}

TEST_CASE("what is in doubt, for a person at 3 a.m.") {
  const InDoubtList list = at_night();
  CHECK(to_text(list) ==
        "00000000000000ab-1-2a  age 4m12s  committing  committed  key order-7\n"
        "    BRANCH    LOG     COORDINATOR  DATABASE\n"
        "    points    commit  committing   still prepared (listed) for 4m10s\n"
        "      waits for the next try of commit\n"
        "      told 3 times, again in 1.3s\n"
        "      blocks 1:\n"
        "        session 4711  shop  waits 1m01s  row of card  UPDATE card SET points = 1\n"
        "    payments  commit  done         not reached\n"
        "      told 1 time\n"
        "\n"
        "foreign branches (1), of other transaction managers, never touched:\n"
        "  points  other-7  age 1d06h\n"
        "\n"
        "not reached; what these databases hold may be missing above:\n"
        "  participant_unavailable: no link to the agent, at payments\n");
}

TEST_CASE("a database that was not asked is not called unreached") {
  InDoubtList list;
  InDoubtTransaction& transaction = list.transactions.emplace_back();
  transaction.gtrid = Gtrid{LogId{0xab}, Epoch{1}, Sequence{42}};
  transaction.phase = "none";
  BranchTruth& points = transaction.branches.emplace_back();
  points.xid = {transaction.gtrid, "points"};
  points.damage = {"points", Heuristic::kRolledBack, "ROLLBACK PREPARED by hand"};
  CHECK(to_text(list) ==
        "00000000000000ab-1-2a  damaged\n"
        "    BRANCH  LOG  COORDINATOR  DATABASE\n"
        "    points  -    -            not asked here; show asks it\n"
        "      heuristic rollback: ROLLBACK PREPARED by hand\n");

  const StoryTold story{transaction, {}};
  CHECK_THAT(to_text(story), Catch::Contains("not reached"));
}

TEST_CASE("what would be done is told with the command that does it") {
  ActionTold told;
  told.plan = {"commit is decided for the whole transaction"};
  told.next = "assentctl resolve 1 --commit --reason \"WHY\"";  // one command is enough
  CHECK(to_text(told, "assentctl resolve 1 --commit --reason 'it is paid' --yes") ==
        "nothing is done yet; this would be done\n"
        "  commit is decided for the whole transaction\n"
        "\n"
        "to do it\n"
        "  assentctl resolve 1 --commit --reason 'it is paid' --yes\n");
}

TEST_CASE("a deposed coordinator says so before anything else, and not that it is ready") {
  CoordinatorStatus status{.coordinator = "pay"};
  status.presumes = false;
  CHECK_THAT(
      to_text(status),
      Catch::StartsWith("coordinator pay: not ready; decisions may be missing from its log\n"));
  status.deposed = "another opening of its log";
  CHECK_THAT(to_text(status),
             Catch::StartsWith(
                 "coordinator pay takes no new work: deposed by another opening of its log\n") &&
                 !Catch::Contains("ready"));
}

TEST_CASE("what operators are told is told to scripts, too") {
  CHECK(to_json(at_night()) ==
        R"({"transactions":[{"gtrid":"00000000000000ab-1-2a","key":"order-7","phase":"committin)"
        R"(g","outcome":"committed","age_ms":252000,"branches":[{"participant":"points","xid":")"
        R"(00000000000000ab-1-2a/points","logged":"commit","state":"committing","database":{"co)"
        R"(mpletion":"still_prepared","evidence":"listed","transaction_id":0,"age_ms":250000,"b)"
        R"(locks":[{"session":4711,"user":"shop","query":"UPDATE card SET points = 1","waiting_)"
        R"(ms":61000,"lock":"row of card"}],"error":null},"damage":null,"waits_for":"the next t)"
        R"(ry of commit","tries":3,"next_try_in_ms":1300,"last_error":null},{"participant":"pay)"
        R"(ments","xid":"00000000000000ab-1-2a/payments","logged":"commit","state":"done","data)"
        R"(base":null,"damage":null,"waits_for":"","tries":1,"next_try_in_ms":0,"last_error":nu)"
        R"(ll}]}],"more":0,"foreign":[{"participant":"points","name":"other-7","age_ms":1080000)"
        R"(00,"blocks":[]}],"unreached":[{"code":"participant_unavailable","effect":"none","mes)"
        R"(sage":"no link to the agent","participant":"payments"}]})");

  CoordinatorStatus status{.coordinator = "pay"};
  status.ready = true;
  status.findings = {{"The clock jumped.", {"keys"}, "assentctl allow clock"}};
  status.log.newest = 9;
  CHECK(to_json(status) ==
        R"({"coordinator":"pay","ready":true,"draining":false,"presumes":true,"deposed":"","liv)"
        R"(e":0,"in_doubt":0,"damaged":0,"holding_up":[],"findings":[{"what":"The clock jumped.)"
        R"(","at_stake":["keys"],"command":"assentctl allow clock"}],"log":{"oldest":0,"newest")"
        R"(:9,"top":0,"bytes":0,"disk_free":0,"log_time_ms":0,"low_water":null}})");

  ActionTold told;
  told.plan = {"commit the branch at points"};
  told.refused = Error{.code = ErrorCode::kInvalid, .message = "no"};
  CHECK(to_json(told) ==
        R"({"acted":false,"plan":["commit the branch at points"],"evidence":null,"refused":{"co)"
        R"(de":"invalid","effect":"none","message":"no"},"next":""})");
}

TEST_CASE("the command pays, repeats and looks") {
  const auto card = house().fresh_card();
  const std::string key = house().fresh_key();
  const std::string file = submit_file(key, card, 60);

  const auto paid = assentctl({"submit", "-", "--json"}, file);
  INFO(paid.standard_error);
  CHECK(paid.end.exit_code == 0);
  CHECK_THAT(paid.standard_output, Catch::Contains(R"("outcome":"committed","applied":true)"));
  CHECK(house().paid(card) == 60);
  CHECK(assentctl({"submit", "-"}, file).end.exit_code == 0);
  CHECK(house().paid(card) == 60);
  CHECK(assentctl({"outcome", "--key", key}).end.exit_code == 0);

  const auto failed = assentctl({"submit", "-"}, submit_file(house().fresh_key(), card, 60));
  CHECK(failed.end.exit_code == 1);
  CHECK_THAT(failed.standard_output, Catch::StartsWith("rolled back") &&
                                         Catch::Contains("guard_not_met") &&
                                         Catch::Contains("at points"));
  CHECK(house().paid(card) == 60);

  const auto gtrid = paid.standard_output.substr(10, paid.standard_output.find('"', 10) - 10);
  const auto shown = assentctl({"show", gtrid, "--json"});
  CHECK(shown.end.exit_code == 0);
  CHECK_THAT(shown.standard_output, Catch::StartsWith(R"({"gtrid":")" + gtrid) &&
                                        Catch::Contains(R"("outcome":"committed")"));
  CHECK(assentctl({"list"}).end.exit_code == 0);
  const auto participants = assentctl({"participants"});
  CHECK_THAT(participants.standard_output, Catch::Contains("points") && Catch::Contains("mariadb"));
}

TEST_CASE("the command names what is wrong and leaves with status 2") {
  const auto card = house().fresh_card();
  const std::string key = house().fresh_key();
  REQUIRE(assentctl({"submit", "-"}, submit_file(key, card, 1)).end.exit_code == 0);

  CHECK(assentctl({"submit", "-"}, submit_file(key, card, 2)).end.exit_code == 2);
  CHECK(assentctl({"submit", "-"}, R"({"steps":[{"participant":"nobody","sql":"SELECT 1"}]})")
            .end.exit_code == 2);
  CHECK(assentctl({"submit", "-"}, R"({"steps":[{"participant":"points","sql":"COMMIT"}]})")
            .end.exit_code == 2);
  CHECK(assentctl({"submit", "-"}, "{").end.exit_code == 2);
  CHECK(assentctl({"submit", "/nowhere/file.json"}).end.exit_code == 2);
  CHECK(assentctl({"show", "nothing"}).end.exit_code == 2);
  CHECK(assentctl({"pay"}).end.exit_code == 2);
  CHECK(assentctl({}).end.exit_code == 2);
  CHECK(assentctl({"list", "--coordinator", "10.0.0.1:1"}).end.exit_code == 2);
  CHECK(assentctl({"--help"}).end.exit_code == 0);
}

TEST_CASE("the command on keys that nobody used") {
  const std::string key = house().fresh_key();
  CHECK(assentctl({"outcome", "--key", key}).end.exit_code == 5);
  CHECK(assentctl({"outcome", "--key", key, "--settle"}).end.exit_code == 1);
  CHECK(assentctl({"outcome", "--key", key}).end.exit_code == 1);
  CHECK(assentctl({"show", "00000000000000ab-1-1"}).end.exit_code == 5);
}

TEST_CASE("the command without a coordinator: nothing was done, or nothing is known") {
  const live::PortLease port{1};
  const std::string nobody = "127.0.0.1:" + std::to_string(port.first());
  const auto submitted =
      assentctl({"submit", "-", "--coordinator", nobody}, submit_file("k", 1, 1));
  CHECK(submitted.end.exit_code == 4);
  CHECK(assentctl({"outcome", "--key", "k", "--coordinator", nobody}).end.exit_code == 3);
  CHECK(assentctl({"list", "--coordinator", nobody}).end.exit_code == 4);
}

TEST_CASE("a payment past its not_after is status 6") {
  std::string file = submit_file(house().fresh_key(), house().fresh_card(), 1);
  file.insert(1, R"("not_after_ms":1000,)");
  CHECK(assentctl({"submit", "-"}, file).end.exit_code == 6);
}

TEST_CASE("the example that the README shows") {
  const std::string source = content_of("coordinator/client/example_point_payment.cc");
  CHECK_THAT(content_of("README.md"), Catch::Contains("```cpp\n" + source + "```\n"));
  House fresh(postgres_and_mariadb());
  live::ProcessSpec spec;
  spec.argv = {ASSENT_BINARY_DIR "/coordinator/client/example_point_payment",
               fresh.sandbox().coordinator_address(), "order-1"};
  const auto paid = live::run_command(spec, "", kPatience);
  CHECK(paid.standard_output == "paid\n");
  CHECK(paid.end.exit_code == 0);
  CHECK(fresh.balance("points", 1) == 0);
  CHECK(fresh.balance("payments", 1) == 900);
}
