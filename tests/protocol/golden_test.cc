#include <cstdlib>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/request_hash.h"
#include "tests/protocol/encoded.h"

/// The bytes on the wire, one of each kind. A difference breaks every process of an older release:
/// it needs a new protocol version. ASSENT_REWRITE=1 writes the files anew; read the diff.

namespace assent {
namespace {

const Gtrid kGtrid{LogId{0x0123456789ABCDEF}, Epoch{2}, Sequence{300}};
const Xid kXid{kGtrid, "accounts"};
const Error kError{.code = ErrorCode::kConflict,
                   .effect = Effect::kNone,
                   .message = "deadlock",
                   .participant = "accounts",
                   .sqlstate = "40P01",
                   .native = -7,
                   .step = 1};
const BranchProof kProof{{"7301/16384", 1, 1000}, 77, true};
const StatementResult kResult{
    1,
    {"a", "b", "c", "d", "e", "f"},
    {{std::monostate(), true, std::int64_t{-3}, 0.5, std::string("é"), Bytes{"\xff"}}}};
const BlockedSession kBlocked{4711, "shop", "UPDATE card", Duration(8), "transactionid"};
const BranchSight kSight{
    kXid, Completion::kStillPrepared, Evidence::kListed, 77, Duration(9), {kBlocked}, kError};
const ForeignBranch kForeign{"other-7", Duration(6), {kBlocked}};
const Step kStep{"accounts", {"UPDATE a SET b = ?", {std::int64_t{5}}, 1}, true, true};

std::string hex(std::string_view bytes) {
  constexpr std::size_t kBytesPerLine = 32;
  std::ostringstream out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % kBytesPerLine == 0) out << "\n ";
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out << ' ' << "0123456789abcdef"[byte / 16] << "0123456789abcdef"[byte % 16];
  }
  return out.str();
}

class Golden {
 public:
  template <typename Message>
  void message(const std::string& name, const Message& message) {
    bytes(name, encoded(message));
  }
  void bytes(const std::string& name, std::string_view bytes) {
    text_ += name + ":" + hex(bytes) + "\n";
  }

  void compare(const std::string& file) const {
    const std::string path = ASSENT_SOURCE_DIR "/tests/protocol/testdata/" + file;
    if (std::getenv("ASSENT_REWRITE") != nullptr) std::ofstream(path) << text_;
    std::ifstream in(path);
    REQUIRE(in);
    std::ostringstream expected;
    expected << in.rdbuf();
    CHECK(text_ == expected.str());
  }

 private:
  std::string text_;
};

template <typename Body>
AgentRequest request(Body body) {
  return {Incarnation{9}, kGtrid, std::move(body)};
}

template <typename Body>
AgentReply reply(Body body) {
  return {Incarnation{9}, std::move(body)};
}

TEST_CASE("frames have the bytes of docs/PROTOCOL.md") {
  Golden golden;
  for (const std::string body : {"", "Assent"}) {
    std::string frame;
    const std::size_t begun = begin_frame(frame);
    frame += body;
    REQUIRE(end_frame(frame, begun).has_value());
    golden.bytes("frame of \"" + body + "\"", frame);
  }
  golden.compare("frames.txt");
}

TEST_CASE("messages between coordinator and agent have their golden bytes") {
  Golden golden;
  golden.message("hello", Hello{kProtocolVersion,
                                "main",
                                "secret",
                                "accounts",
                                kGtrid.log_id,
                                Epoch{2},
                                5,
                                {{Epoch{1}, 0}, {Epoch{2}, 6}}});
  golden.message("work", request(Work{kXid,
                                      1,
                                      {kStep.statement},
                                      AfterWork::kStayOpen,
                                      Access::kReadOnly,
                                      Duration(30000),
                                      Duration(5000000),
                                      true}));
  golden.message("prepare", request(Prepare{kXid, 2, Duration(1000)}));
  golden.message("commit", request(Commit{kXid, kProof}));
  golden.message("rollback", request(Rollback{kXid, std::nullopt}));
  golden.message("list_prepared", request(ListPrepared{3, 4}));
  golden.message("forget_witnesses", request(ForgetWitnesses{{kGtrid}}));
  golden.message("ping", request(Ping{}));
  golden.message("welcome",
                 Welcome{Incarnation{9}, "postgres", "15.20", kProof.database, 16, 64, 0, {}});
  golden.message("refused", Refused{kError});
  golden.message("worked", reply(Worked{kXid, 1, {kResult}, kError}));
  golden.message("voted", reply(Voted{kXid, Vote::kPrepared, {kResult}, kError, kProof}));
  golden.message("finished", reply(Finished{kXid, Decision::kCommit, Completion::kCommitted,
                                            Evidence::kWitnessRow, kError}));
  golden.message("prepared_list", reply(PreparedList{3, {{kXid, 77, Duration(1000)}}, 2, kError}));
  golden.message("pong", reply(Pong{}));
  golden.message("rollback with a proof", request(Rollback{kXid, kProof}));
  golden.message("inspect", request(Inspect{5, {{kXid, kProof}, {kXid, std::nullopt}}}));
  golden.message("inspected", reply(Inspected{5, {kSight}, {kForeign}, kError}));
  golden.message("welcome with a fence row",
                 Welcome{Incarnation{9}, "mariadb", "10.11", kProof.database, 16, 0, 12, {}});
  golden.message("refused by a fence row", Refused{kError, 12});
  const BranchProof taken_over{{"7301/16384", 1, 1000, 0x0FEDCBA987654321}, 77, false};
  golden.message("commit of a takeover's vote", request(Commit{kXid, taken_over}));
  golden.message(
      "welcome of a database that knows another log of the coordinator",
      Welcome{Incarnation{9}, "mariadb", "10.11", kProof.database, 16, 0, 12, {{LogId{77}, 4000}}});
  golden.message("prepared_list with the fence row",
                 reply(PreparedList{3, {}, 2, std::nullopt, 14}));
  golden.message("refused by another opening's fence row", Refused{kError, 0, Epoch{7}});
  golden.message("prepared_list of a database that was put back",
                 reply(PreparedList{3, {}, 0, kError, 0, true}));
  golden.message("hello that knows the nonces of its openings",
                 Hello{kProtocolVersion,
                       "main",
                       "secret",
                       "accounts",
                       kGtrid.log_id,
                       Epoch{2},
                       5,
                       {{Epoch{1}, 0}, {Epoch{2}, 6, 5}}});
  golden.compare("agent_messages.txt");
}

TEST_CASE("messages between client and coordinator have their golden bytes") {
  Golden golden;
  const auto call = [](ClientRequest request) { return ClientCall{8, std::move(request)}; };
  const auto answered = [](ClientReply reply) { return ClientCallReply{8, std::move(reply)}; };
  const BranchSummary branch{kXid, "committing", kError, 3, Duration(1000)};
  const TransactionSummary transaction{kGtrid,      "key",    "committing", Outcome::kCommitted,
                                       Duration(9), {branch}, kError};
  golden.message("client_hello", ClientHello{kProtocolVersion, "shop"});
  golden.message(
      "submit",
      call(Submit{"key", WaitFor::kDecided, Duration(1000), WallTime{1700000000000}, {kStep}}));
  golden.message("begin", call(Begin{"key", Duration(1000)}));
  golden.message("execute", call(Execute{kGtrid, kStep}));
  golden.message("commit_transaction",
                 call(CommitTransaction{kGtrid, WaitFor::kApplied, Duration(1000)}));
  golden.message("rollback_transaction", call(RollbackTransaction{kGtrid}));
  golden.message("outcome_of", call(OutcomeOf{"key", true}));
  golden.message("list_transactions", call(ListTransactions{}));
  golden.message("show_transaction", call(ShowTransaction{kGtrid}));
  golden.message("list_participants", call(ListParticipants{}));
  golden.message("client_welcome",
                 ClientWelcome{kProtocolVersion, "main", kGtrid.log_id, Epoch{2}});
  golden.message(
      "answer",
      answered(Answer{kGtrid, Outcome::kRolledBack, true, {"accounts"}, {kResult}, kError}));
  golden.message("begun", answered(Begun{kGtrid}));
  golden.message("executed", answered(Executed{kResult, kError}));
  golden.message("transaction_list", answered(TransactionList{{transaction}, 2}));
  golden.message("transaction_shown", answered(TransactionShown{transaction}));
  golden.message(
      "participant_list",
      answered(ParticipantList{{{"accounts", "127.0.0.1:7001", true, "postgres", "15.20",
                                 "7301/16384", Duration(1), 2, 3, 4, Duration(5), kError}}}));
  golden.compare("client_messages.txt");
}

TEST_CASE("messages of people in trouble have their golden bytes") {
  Golden golden;
  const auto call = [](ClientRequest request) { return ClientCall{8, std::move(request)}; };
  const auto answered = [](ClientReply reply) { return ClientCallReply{8, std::move(reply)}; };
  const ByHand hand{"jo@host", "the server burned", true};
  const Damage damage{"accounts", Heuristic::kRolledBack, "ROLLBACK PREPARED by hand"};
  const BranchTruth branch{kXid,   "commit", "committing", kSight, damage, "the agent",
                           kError, 3,        Duration(7)};
  const InDoubtTransaction transaction{kGtrid,      "key",   "committing", Outcome::kCommitted,
                                       Duration(9), {branch}};
  golden.message("list_in_doubt", call(ListInDoubt{}));
  golden.message("tell_story", call(TellStory{kGtrid}));
  golden.message("retry_transaction", call(RetryTransaction{kGtrid}));
  golden.message("resolve_transaction",
                 call(ResolveTransaction{kGtrid, Decision::kCommit, "accounts", {"points"}, hand}));
  golden.message("forget_damage", call(ForgetDamage{kGtrid, "accounts", hand}));
  golden.message("allow", call(Allow{Allowance::kHistory, "accounts", hand}));
  golden.message("set_drain", call(SetDrain{true}));
  golden.message("ask_status", call(AskStatus{}));
  golden.message("back_up_log", call(BackUpLog{"/srv/copy"}));
  golden.message("in_doubt_list",
                 answered(InDoubtList{{transaction}, 2, {{"accounts", kForeign}}, {kError}}));
  golden.message("story_told",
                 answered(StoryTold{transaction, {{6, WallTime{1700000000000}, "Committed."}}}));
  golden.message("action_told", answered(ActionTold{true, {"Commits."}, transaction, {}, "list"}));
  golden.message("action_told, refused", answered(ActionTold{false, {}, {}, kError, ""}));
  golden.message("coordinator_status",
                 answered(CoordinatorStatus{"main",
                                            true,
                                            true,
                                            true,
                                            3,
                                            2,
                                            1,
                                            {"accounts"},
                                            {{"Lost.", {"one"}, "allow"}},
                                            {9, 8, 1, 4096, 65536, WallTime{1700000000000}, kGtrid},
                                            ""}));
  golden.message(
      "answer, damaged",
      answered(Answer{.gtrid = kGtrid, .outcome = Outcome::kCommitted, .damaged = {damage}}));
  ParticipantSummary participant{.name = "accounts"};
  participant.incarnation = 9;
  participant.prepared_max = 64;
  participant.health = "well";
  golden.message("participant_list with health", answered(ParticipantList{{participant}}));
  CoordinatorStatus deposed{.coordinator = "main"};
  deposed.deposed = "another opening";
  golden.message("coordinator_status, deposed", answered(deposed));
  golden.compare("admin_messages.txt");
}

std::string_view as_text(const RequestHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};  // NOLINT: bytes as text
}

TEST_CASE("request hashes have their golden values") {
  Golden golden;
  Step all_values = kStep;
  all_values.statement.params = kResult.rows.front();
  Step plain = kStep;
  plain.read_only = plain.shared_reads = false;
  plain.statement.expect_rows.reset();
  golden.bytes("nothing", as_text(request_hash({}, std::nullopt)));
  golden.bytes("one plain step", as_text(request_hash({plain}, std::nullopt)));
  golden.bytes("every kind of value", as_text(request_hash({all_values}, std::nullopt)));
  golden.bytes("two steps, not_after",
               as_text(request_hash({plain, all_values}, WallTime{1700000000000})));
  golden.compare("request_hashes.txt");
}

}  // namespace
}  // namespace assent
