#include <functional>

#include <catch2/catch.hpp>

#include "protocol/wire/convert.h"
#include "tests/protocol/encoded.h"

/// What decode says to messages that break a rule. Encode checks nothing of what is broken here.

namespace assent {
namespace {

const Xid kXid{{LogId{1}, Epoch{1}, Sequence{1}}, "accounts"};

Submit good_submit() {
  Submit submit;
  submit.key = "key";
  submit.steps.push_back({"accounts", {"SELECT ?", {std::int64_t{1}}, 1}, false, false});
  return submit;
}

std::string refusal_of(const Submit& submit) {
  const auto decoded = decode_from_client(encoded(ClientCall{1, submit}));
  if (decoded) return "accepted";
  CHECK(decoded.error().code == ErrorCode::kInvalid);
  CHECK(decoded.error().effect == Effect::kNone);
  return decoded.error().message;
}

std::string after(const std::function<void(Submit&)>& breaking) {
  Submit submit = good_submit();
  breaking(submit);
  return refusal_of(submit);
}

TEST_CASE("a submit that breaks a limit is refused with the field's name") {
  CHECK(refusal_of(good_submit()) == "accepted");
  CHECK(after([](Submit& s) { s.key.assign(kKeyBytesMax, 'k'); }) == "accepted");
  CHECK(after([](Submit& s) { s.key.assign(kKeyBytesMax + 1, 'k'); }) ==
        "client_call.submit.key is longer than 200 bytes.");
  CHECK(after([](Submit& s) { s.key = "\xff"; }) == "client_call.submit.key is not UTF-8.");
  CHECK(after([](Submit& s) { s.steps.clear(); }) ==
        "client_call.submit.steps are missing: a submit has at least one.");
  CHECK(after([](Submit& s) { s.steps.assign(kStepsMax, s.steps.front()); }) == "accepted");
  CHECK(after([](Submit& s) { s.steps.assign(kStepsMax + 1, s.steps.front()); }) ==
        "client_call.submit.steps are 257, at most 256 are allowed.");
  CHECK(after([](Submit& s) { s.steps.front().participant = "Accounts"; }) ==
        "client_call.submit.steps[0].participant is not a participant's name: 1 to 32 of a-z 0-9 _ "
        "-, beginning with a letter.");
  CHECK(after([](Submit& s) { s.steps.front().statement.sql.assign(kSqlBytesMax, 'x'); }) ==
        "accepted");
  CHECK(after([](Submit& s) { s.steps.front().statement.sql.assign(kSqlBytesMax + 1, 'x'); }) ==
        "client_call.submit.steps[0].statement.sql is longer than 65536 bytes.");
  CHECK(after([](Submit& s) { s.steps.front().statement.sql.clear(); }) ==
        "client_call.submit.steps[0].statement.sql is empty.");
  CHECK(after([](Submit& s) { s.steps.front().statement.sql = "SELECT '\xc3'"; }) ==
        "client_call.submit.steps[0].statement.sql is not UTF-8.");
  CHECK(after([](Submit& s) { s.steps.front().statement.params.resize(kParamsMax + 1); }) ==
        "client_call.submit.steps[0].statement.params are 1001, at most 1000 are allowed.");
  CHECK(after([](Submit& s) { s.steps.front().statement.expect_rows = -1; }) ==
        "client_call.submit.steps[0].statement.expect_rows is negative.");
  CHECK(after([](Submit& s) { s.timeout = Duration(-1); }) ==
        "client_call.submit.timeout_us is not a duration of 0 to 366 days.");
  CHECK(after([](Submit& s) { s.timeout = std::chrono::hours(24 * 367); }) ==
        "client_call.submit.timeout_us is not a duration of 0 to 366 days.");
  CHECK(after([](Submit& s) { s.not_after = WallTime{-1}; }) ==
        "client_call.submit.not_after_ms is not a time from 1970 to 9999.");
  CHECK(after([](Submit& s) { s.wait = static_cast<WaitFor>(3); }) ==
        "client_call.submit.wait is a number that this version does not know.");
}

TEST_CASE("a submit goes to at most 16 participants") {
  const auto with_participants = [](std::size_t count) {
    return after([count](Submit& s) {
      s.steps.resize(2 * count, s.steps.front());
      for (std::size_t i = 0; i < s.steps.size(); ++i) {
        s.steps[i].participant = "p" + std::to_string(i % count);
      }
    });
  };
  CHECK(with_participants(kParticipantsMax) == "accepted");
  CHECK(with_participants(kParticipantsMax + 1) ==
        "client_call.submit.steps go to more than 16 participants.");
}

TEST_CASE("requests that name no transaction or no key are refused") {
  for (const ClientRequest& request :
       {ClientRequest(Execute{{}, good_submit().steps.front()}), ClientRequest(CommitTransaction{}),
        ClientRequest(RollbackTransaction{}), ClientRequest(ShowTransaction{}),
        ClientRequest(OutcomeOf{})}) {
    CHECK(decode_from_client(encoded(ClientCall{1, request})).has_error());
  }
}

std::string call_refusal(ClientRequest request) {
  const auto decoded = decode_from_client(encoded(ClientCall{1, std::move(request)}));
  return decoded ? "accepted" : decoded.error().message;
}

TEST_CASE("what acts by hand says who and why") {
  const auto forget = [](ByHand hand) { return ForgetDamage{kXid.gtrid, "", std::move(hand)}; };
  CHECK(call_refusal(forget({"jo", "", false})) == "accepted");
  CHECK(call_refusal(forget({"jo", "", true})) ==
        "client_call.forget_damage.hand.reason is empty.");
  CHECK(call_refusal(forget({"", "why", true})) == "client_call.forget_damage.hand.by is empty.");
  CHECK(call_refusal(forget({"jo", std::string(kReasonBytesMax + 1, 'x'), true})) ==
        "client_call.forget_damage.hand.reason is longer than 1024 bytes.");
  CHECK(call_refusal(ForgetDamage{}).starts_with("client_call.forget_damage.gtrid is missing"));
}

TEST_CASE("requests of people in trouble are doubted like all others") {
  CHECK(call_refusal(ListInDoubt{std::chrono::minutes(1)}) == "accepted");
  CHECK(call_refusal(ListInDoubt{std::chrono::seconds(61)}) ==
        "client_call.list_in_doubt.patience_us is more than a minute.");
  CHECK(call_refusal(TellStory{}).starts_with("client_call.tell_story.gtrid is missing"));
  CHECK(call_refusal(RetryTransaction{}).starts_with("client_call.retry_transaction.gtrid is"));
  ResolveTransaction resolve{.gtrid = kXid.gtrid, .decision = static_cast<Decision>(0)};
  CHECK(call_refusal(resolve) ==
        "client_call.resolve_transaction.decision is a number that this version does not know.");
  resolve.decision = Decision::kCommit;
  CHECK(call_refusal(resolve) == "accepted");
  resolve.despite = {"accounts", ""};
  CHECK(call_refusal(resolve).starts_with("client_call.resolve_transaction.despite[1] is not a"));
  CHECK(call_refusal(Allow{static_cast<Allowance>(5)}) ==
        "client_call.allow.what is a number that this version does not know.");
  CHECK(call_refusal(BackUpLog{"copy"}) == "client_call.back_up_log.path is not an absolute path.");
  CHECK(call_refusal(BackUpLog{std::string("/a\0b", 4)}) ==
        "client_call.back_up_log.path holds a zero byte.");
}

TEST_CASE("a reply does not say at once that it acted and that it refused") {
  const auto decoded =
      decode_to_client(encoded(ClientCallReply{1, ActionTold{.acted = true, .refused = Error{}}}));
  CHECK(decoded.error().message == "client_call_reply.action_told.refused stands beside acted.");
}

template <typename Body>
std::string reply_refusal(Body body, Incarnation incarnation = Incarnation{1}) {
  const auto decoded = decode_from_agent(encoded(AgentReply{incarnation, std::move(body)}));
  return decoded ? "accepted" : decoded.error().message;
}

template <typename Body>
std::string request_refusal(Body body, Incarnation incarnation = Incarnation{1}) {
  const auto decoded = decode_to_agent(encoded(AgentRequest{incarnation, {}, std::move(body)}));
  return decoded ? "accepted" : decoded.error().message;
}

TEST_CASE("an agent's message without incarnation is refused") {
  CHECK(reply_refusal(Pong{}, Incarnation{}) == "agent_reply.incarnation is missing or 0.");
  CHECK(request_refusal(Ping{}, Incarnation{}) == "agent_request.incarnation is missing or 0.");
}

TEST_CASE("a list does not say at once that the database was put back and what it lists") {
  CHECK(reply_refusal(PreparedList{.put_back = true}) ==
        "agent_reply.prepared_list.put_back stands without an error.");
}

TEST_CASE("numbers that are no enumerator are refused") {
  const std::string unknown = " is a number that this version does not know.";
  CHECK(reply_refusal(Voted{kXid, static_cast<Vote>(0), {}, {}, {}}) ==
        "agent_reply.voted.vote" + unknown);
  CHECK(reply_refusal(Voted{kXid, static_cast<Vote>(5), {}, {}, {}}) ==
        "agent_reply.voted.vote" + unknown);
  CHECK(reply_refusal(Finished{kXid, static_cast<Decision>(3)}) ==
        "agent_reply.finished.told" + unknown);
  CHECK(reply_refusal(Finished{kXid, Decision::kCommit, static_cast<Completion>(6)}) ==
        "agent_reply.finished.completion" + unknown);
  CHECK(reply_refusal(
            Finished{kXid, Decision::kCommit, Completion::kCommitted, static_cast<Evidence>(7)}) ==
        "agent_reply.finished.evidence" + unknown);
  CHECK(reply_refusal(Worked{kXid, 0, {}, Error{.code = static_cast<ErrorCode>(27)}}) ==
        "agent_reply.worked.error.code" + unknown);
  CHECK(reply_refusal(Worked{kXid, 0, {}, Error{.effect = static_cast<Effect>(0)}}) ==
        "agent_reply.worked.error.effect" + unknown);
  Work work{.xid = kXid};
  work.then = static_cast<AfterWork>(9);
  CHECK(request_refusal(work) == "agent_request.work.then" + unknown);
}

TEST_CASE("a branch without its whole name is refused") {
  CHECK(request_refusal(Rollback{{kXid.gtrid, ""}, std::nullopt})
            .starts_with("agent_request.rollback.xid.bqual is not a participant's name"));
  CHECK(request_refusal(Rollback{{{LogId{0}, Epoch{1}, Sequence{1}}, "a"}, std::nullopt})
            .starts_with("agent_request.rollback.xid.gtrid is missing or names no transaction"));
  CHECK(request_refusal(ForgetWitnesses{{kXid.gtrid, Gtrid{}}})
            .starts_with("agent_request.forget_witnesses.gtrids[1] is missing"));
}

TEST_CASE("what an agent saw is doubted") {
  const std::vector<BranchAsked> asked(kInspectedMax, {kXid, std::nullopt});
  CHECK(request_refusal(Inspect{1, asked}) == "accepted");
  CHECK(request_refusal(Inspect{1, std::vector(kInspectedMax + 1, asked.front())}) ==
        "agent_request.inspect.branches are 1001, at most 1000 are allowed.");
  BranchSight sight{.xid = kXid, .completion = static_cast<Completion>(6)};
  CHECK(
      reply_refusal(Inspected{1, {sight}, {}, {}}) ==
      "agent_reply.inspected.branches[0].completion is a number that this version does not know.");
  sight.completion = Completion::kCommitted;
  sight.blocked.resize(kBlockedMax + 1);
  CHECK(reply_refusal(Inspected{1, {sight}, {}, {}}) ==
        "agent_reply.inspected.branches[0].blocked are 11, at most 10 are allowed.");
}

TEST_CASE("rows beyond the limits are refused") {
  const auto with = [](StatementResult result) {
    return reply_refusal(Worked{kXid, 0, {std::move(result)}, {}});
  };
  const std::vector<Value> row{std::int64_t{1}};
  CHECK(with({0, {"c"}, std::vector(kRowsMax, row)}) == "accepted");
  CHECK(with({0, {"c"}, std::vector(kRowsMax + 1, row)}) ==
        "agent_reply.worked.results[0].rows are 1001, at most 1000 are allowed.");
  CHECK(with({0, {"c", "d"}, {row}}) ==
        "agent_reply.worked.results[0].rows[0] has another number of values than there are "
        "columns.");
  CHECK(with({0, {"c"}, {{std::string(kRowBytesMax, 'x')}}}) == "accepted");
  CHECK(with({0, {"c"}, {{std::string(kRowBytesMax, 'x')}, {std::string("y")}}}) ==
        "agent_reply.worked.results[0].rows hold more bytes than a statement may return.");
}

TEST_CASE("a hello of another protocol version is refused before anything else of it is read") {
  Hello hello;  // nothing of it is filled in
  hello.version = 2;
  const auto to_agent = decode_to_agent(encoded(hello));
  CHECK(to_agent.error().code == ErrorCode::kUnsupportedVersion);
  CHECK(
      to_agent.error().message ==
      "hello.version is 2; this process speaks protocol version 1: run the same release of Assent "
      "on both sides.");
  CHECK(decode_from_client(encoded(ClientHello{0, ""})).error().code ==
        ErrorCode::kUnsupportedVersion);
  CHECK(decode_to_client(encoded(ClientWelcome{3, "", {}, {}})).error().code ==
        ErrorCode::kUnsupportedVersion);
}

// The wire format of protobuf: a tag is field number * 8 + type; type 2 is a length and bytes.
TEST_CASE("bodies without a message, or with one of a later version, are refused") {
  using namespace std::string_literals;
  const std::string nothing = "The message is of no kind that this version knows.";
  CHECK(decode_to_agent("").error().message == nothing);
  CHECK(decode_to_agent("\x7a\x00"s).error().message == nothing);  // field 15
  CHECK(decode_to_agent("\x1a\x00"s).has_error());                 // an empty agent_request
  // agent_request { incarnation: 1, lowest_unfinished {}, nothing more }
  CHECK(decode_to_agent("\x1a\x0b\x09\x01\0\0\0\0\0\0\0\x12\0"s).error().message ==
        "agent_request.body is none that this version knows.");
  // client_call { request_id: 1, nothing more }
  CHECK(decode_from_client("\x3a\x02\x08\x01"s).error().message ==
        "client_call.request is none that this version knows.");
}

}  // namespace
}  // namespace assent
