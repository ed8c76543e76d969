#include "protocol/wire/convert_client.h"

#include <algorithm>

#include "protocol/proto/client.pb.h"
#include "protocol/wire/convert_admin.h"
#include "protocol/wire/convert_common.h"
#include "protocol/wire/utf8.h"

namespace assent::wire {
namespace {

using wire::put;  // those of this namespace would hide them
using wire::take;

/// 9999-12-31T23:59:59.999Z, the last moment that ISO 8601 can write.
constexpr std::int64_t kWallTimeMsMax = 253402300799999;

WaitFor take_wait(int number, const Place& here) {
  return take_enum(number, WaitFor::kDecided, WaitFor::kApplied, here);
}

void check_participants(const std::vector<Step>& steps, const Place& here) {
  std::vector<std::string_view> names;
  for (const auto& step : steps) {
    if (std::find(names.begin(), names.end(), step.participant) == names.end()) {
      names.push_back(step.participant);
    }
  }
  if (names.size() > kParticipantsMax) {
    here.refuse("go to more than " + std::to_string(kParticipantsMax) + " participants");
  }
}

// ---- client to coordinator

void put(const Submit& from, v1::Submit& to) {
  to.set_key(from.key);
  to.set_wait(static_cast<v1::WaitFor>(from.wait));
  to.set_timeout_us(from.timeout.count());
  if (from.not_after) to.set_not_after_ms(from.not_after->ms_since_epoch);
  for (const auto& step : from.steps) put(step, *to.add_steps());
}

void take_steps(v1::Submit& from, std::vector<Step>& to, const Place& here) {
  const auto count = static_cast<std::size_t>(from.steps_size());
  if (count == 0) here.in("steps").refuse("are missing: a submit has at least one");
  check_count(count, kStepsMax, here.in("steps"));
  if (count > kStepsMax) return;
  to.reserve(count);
  for (auto& step : *from.mutable_steps()) to.push_back(take(step, here.at("steps", to.size())));
  check_participants(to, here.in("steps"));
}

Submit take(v1::Submit& from, const Place& here) {
  Submit to;
  to.key = take_key(from.key(), Empty::kAllowed, here.in("key"));
  to.wait = take_wait(from.wait(), here.in("wait"));
  to.timeout = take_duration(from.timeout_us(), here.in("timeout_us"));
  if (from.has_not_after_ms()) {
    to.not_after = WallTime{from.not_after_ms()};
    if (*to.not_after < WallTime{} || *to.not_after > WallTime{kWallTimeMsMax}) {
      here.in("not_after_ms").refuse("is not a time from 1970 to 9999");
    }
  }
  take_steps(from, to.steps, here);
  return to;
}

void put(const Begin& from, v1::Begin& to) {
  to.set_key(from.key);
  to.set_timeout_us(from.timeout.count());
}

Begin take(const v1::Begin& from, const Place& here) {
  return {take_key(from.key(), Empty::kAllowed, here.in("key")),
          take_duration(from.timeout_us(), here.in("timeout_us"))};
}

void put(const Execute& from, v1::Execute& to) {
  put(from.gtrid, *to.mutable_gtrid());
  put(from.step, *to.mutable_step());
}

Execute take(v1::Execute& from, const Place& here) {
  return {take(from.gtrid(), here.in("gtrid")), take(*from.mutable_step(), here.in("step"))};
}

void put(const CommitTransaction& from, v1::CommitTransaction& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_wait(static_cast<v1::WaitFor>(from.wait));
  to.set_timeout_us(from.timeout.count());
}

CommitTransaction take(const v1::CommitTransaction& from, const Place& here) {
  return {take(from.gtrid(), here.in("gtrid")), take_wait(from.wait(), here.in("wait")),
          take_duration(from.timeout_us(), here.in("timeout_us"))};
}

struct PutRequest {
  v1::ClientCall& to;

  void operator()(const Submit& request) const { put(request, *to.mutable_submit()); }
  void operator()(const Begin& request) const { put(request, *to.mutable_begin()); }
  void operator()(const Execute& request) const { put(request, *to.mutable_execute()); }
  void operator()(const CommitTransaction& request) const {
    put(request, *to.mutable_commit_transaction());
  }
  void operator()(const RollbackTransaction& request) const {
    put(request.gtrid, *to.mutable_rollback_transaction()->mutable_gtrid());
  }
  void operator()(const OutcomeOf& request) const {
    to.mutable_outcome_of()->set_key(request.key);
    to.mutable_outcome_of()->set_settle(request.settle);
  }
  void operator()(const ListTransactions&) const { to.mutable_list_transactions(); }
  void operator()(const ShowTransaction& request) const {
    put(request.gtrid, *to.mutable_show_transaction()->mutable_gtrid());
  }
  void operator()(const ListParticipants&) const { to.mutable_list_participants(); }
  void operator()(const ListInDoubt& request) const { put(request, *to.mutable_list_in_doubt()); }
  void operator()(const TellStory& request) const { put(request, *to.mutable_tell_story()); }
  void operator()(const RetryTransaction& request) const {
    put(request.gtrid, *to.mutable_retry_transaction()->mutable_gtrid());
  }
  void operator()(const ResolveTransaction& request) const {
    put(request, *to.mutable_resolve_transaction());
  }
  void operator()(const ForgetDamage& request) const { put(request, *to.mutable_forget_damage()); }
  void operator()(const Allow& request) const { put(request, *to.mutable_allow()); }
  void operator()(const SetDrain& request) const {
    to.mutable_set_drain()->set_drain(request.drain);
  }
  void operator()(const AskStatus&) const { to.mutable_ask_status(); }
  void operator()(const BackUpLog& request) const {
    to.mutable_back_up_log()->set_path(request.path);
  }
};

ClientRequest take_request(v1::ClientCall& from, const Place& here) {
  switch (from.request_case()) {
    case v1::ClientCall::kSubmit:
      return take(*from.mutable_submit(), here.in("submit"));
    case v1::ClientCall::kBegin:
      return take(from.begin(), here.in("begin"));
    case v1::ClientCall::kExecute:
      return take(*from.mutable_execute(), here.in("execute"));
    case v1::ClientCall::kCommitTransaction:
      return take(from.commit_transaction(), here.in("commit_transaction"));
    case v1::ClientCall::kRollbackTransaction:
      return RollbackTransaction{
          take(from.rollback_transaction().gtrid(), here.in("rollback_transaction.gtrid"))};
    case v1::ClientCall::kOutcomeOf:
      return OutcomeOf{
          take_key(from.outcome_of().key(), Empty::kRefused, here.in("outcome_of.key")),
          from.outcome_of().settle()};
    case v1::ClientCall::kListTransactions:
      return ListTransactions{};
    case v1::ClientCall::kShowTransaction:
      return ShowTransaction{
          take(from.show_transaction().gtrid(), here.in("show_transaction.gtrid"))};
    case v1::ClientCall::kListParticipants:
      return ListParticipants{};
    case v1::ClientCall::kListInDoubt:
      return take(from.list_in_doubt(), here.in("list_in_doubt"));
    case v1::ClientCall::kTellStory:
      return take(from.tell_story(), here.in("tell_story"));
    case v1::ClientCall::kRetryTransaction:
      return RetryTransaction{
          take(from.retry_transaction().gtrid(), here.in("retry_transaction.gtrid"))};
    case v1::ClientCall::kResolveTransaction:
      return take(from.resolve_transaction(), here.in("resolve_transaction"));
    case v1::ClientCall::kForgetDamage:
      return take(from.forget_damage(), here.in("forget_damage"));
    case v1::ClientCall::kAllow:
      return take(from.allow(), here.in("allow"));
    case v1::ClientCall::kSetDrain:
      return SetDrain{from.set_drain().drain()};
    case v1::ClientCall::kAskStatus:
      return AskStatus{};
    case v1::ClientCall::kBackUpLog:
      return take(from.back_up_log(), here.in("back_up_log"));
    case v1::ClientCall::REQUEST_NOT_SET:
      break;
  }
  here.in("request").refuse("is none that this version knows");
  return ListTransactions{};
}

// ---- coordinator to client

void put(const Answer& from, v1::Answer& to) {
  if (from.gtrid) put(*from.gtrid, *to.mutable_gtrid());
  to.set_outcome(static_cast<v1::Outcome>(from.outcome));
  to.set_applied(from.applied);
  for (const auto& name : from.pending) to.add_pending(name);
  for (const auto& result : from.results) put(result, *to.add_results());
  if (from.error) put(*from.error, *to.mutable_error());
  for (const auto& damage : from.damaged) put(damage, *to.add_damaged());
}

Answer take(v1::Answer& from, const Place& here) {
  Answer to;
  if (from.has_gtrid()) to.gtrid = take(from.gtrid(), here.in("gtrid"));
  to.outcome =
      take_enum(from.outcome(), Outcome::kCommitted, Outcome::kNoRecord, here.in("outcome"));
  to.applied = from.applied();
  for (const auto& name : from.pending()) {
    to.pending.push_back(take_participant_name(name, here.at("pending", to.pending.size())));
  }
  check_count(static_cast<std::size_t>(from.results_size()), kStepsMax, here.in("results"));
  to.results.reserve(static_cast<std::size_t>(from.results_size()));
  for (auto& result : *from.mutable_results()) {
    to.results.push_back(take(result, here.at("results", to.results.size())));
  }
  if (from.has_error()) to.error = take(from.error(), here.in("error"));
  to.damaged = take_each<Damage>(from.damaged(), "damaged", here, kListedMax, take);
  return to;
}

void put(const Executed& from, v1::Executed& to) {
  put(from.result, *to.mutable_result());
  if (from.error) put(*from.error, *to.mutable_error());
}

Executed take(v1::Executed& from, const Place& here) {
  Executed to;
  to.result = take(*from.mutable_result(), here.in("result"));
  if (from.has_error()) to.error = take(from.error(), here.in("error"));
  return to;
}

void put(const BranchSummary& from, v1::BranchSummary& to) {
  put(from.xid, *to.mutable_xid());
  to.set_state(made_utf8(from.state, kShortTextBytesMax));
  if (from.last_error) put(*from.last_error, *to.mutable_last_error());
  to.set_tries(from.tries);
  to.set_next_try_in_us(clamped_us(from.next_try_in));
}

BranchSummary take(const v1::BranchSummary& from, const Place& here) {
  BranchSummary to;
  to.xid = take(from.xid(), here.in("xid"));
  to.state = take_short_text(from.state(), here.in("state"));
  if (from.has_last_error()) to.last_error = take(from.last_error(), here.in("last_error"));
  to.tries = from.tries();
  to.next_try_in = take_duration(from.next_try_in_us(), here.in("next_try_in_us"));
  return to;
}

void put(const TransactionSummary& from, v1::TransactionSummary& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_key(from.key);
  to.set_phase(made_utf8(from.phase, kShortTextBytesMax));
  if (from.outcome) to.set_outcome(static_cast<v1::Outcome>(*from.outcome));
  to.set_age_us(clamped_us(from.age));
  for (const auto& branch : from.branches) put(branch, *to.add_branches());
  if (from.reason) put(*from.reason, *to.mutable_reason());
}

TransactionSummary take(const v1::TransactionSummary& from, const Place& here) {
  TransactionSummary to;
  to.gtrid = take(from.gtrid(), here.in("gtrid"));
  to.key = take_key(from.key(), Empty::kAllowed, here.in("key"));
  to.phase = take_short_text(from.phase(), here.in("phase"));
  if (from.has_outcome()) {
    to.outcome =
        take_enum(from.outcome(), Outcome::kCommitted, Outcome::kNoRecord, here.in("outcome"));
  }
  to.age = take_duration(from.age_us(), here.in("age_us"));
  for (const auto& branch : from.branches()) {
    to.branches.push_back(take(branch, here.at("branches", to.branches.size())));
  }
  if (from.has_reason()) to.reason = take(from.reason(), here.in("reason"));
  return to;
}

TransactionList take(const v1::TransactionList& from, const Place& here) {
  TransactionList to;
  check_count(static_cast<std::size_t>(from.transactions_size()), kListedMax,
              here.in("transactions"));
  for (const auto& transaction : from.transactions()) {
    to.transactions.push_back(take(transaction, here.at("transactions", to.transactions.size())));
  }
  to.more = from.more();
  return to;
}

TransactionShown take(const v1::TransactionShown& from, const Place& here) {
  if (!from.has_transaction()) return {};
  return {take(from.transaction(), here.in("transaction"))};
}

void put(const ParticipantSummary& from, v1::ParticipantSummary& to) {
  to.set_name(from.name);
  to.set_agent_address(made_utf8(from.agent_address, kShortTextBytesMax));
  to.set_connected(from.connected);
  to.set_kind(made_utf8(from.kind, kShortTextBytesMax));
  to.set_server_version(made_utf8(from.server_version, kShortTextBytesMax));
  to.set_database_id(made_utf8(from.database_id, kShortTextBytesMax));
  to.set_since_us(clamped_us(from.since));
  to.set_open_branches(from.open_branches);
  to.set_prepared_listed(from.prepared_listed);
  to.set_foreign_listed(from.foreign_listed);
  to.set_last_scan_ago_us(clamped_us(from.last_scan_ago));
  if (from.last_error) put(*from.last_error, *to.mutable_last_error());
  to.set_incarnation(from.incarnation);
  to.set_prepared_max(from.prepared_max);
  to.set_health(made_utf8(from.health, kShortTextBytesMax));
}

ParticipantSummary take(const v1::ParticipantSummary& from, const Place& here) {
  ParticipantSummary to;
  to.name = take_participant_name(from.name(), here.in("name"));
  to.agent_address = take_short_text(from.agent_address(), here.in("agent_address"));
  to.connected = from.connected();
  to.kind = take_short_text(from.kind(), here.in("kind"));
  to.server_version = take_short_text(from.server_version(), here.in("server_version"));
  to.database_id = take_short_text(from.database_id(), here.in("database_id"));
  to.since = take_duration(from.since_us(), here.in("since_us"));
  to.open_branches = from.open_branches();
  to.prepared_listed = from.prepared_listed();
  to.foreign_listed = from.foreign_listed();
  to.last_scan_ago = take_duration(from.last_scan_ago_us(), here.in("last_scan_ago_us"));
  if (from.has_last_error()) to.last_error = take(from.last_error(), here.in("last_error"));
  to.incarnation = from.incarnation();
  to.prepared_max = from.prepared_max();
  to.health = take_short_text(from.health(), here.in("health"));
  return to;
}

ParticipantList take(const v1::ParticipantList& from, const Place& here) {
  ParticipantList to;
  for (const auto& participant : from.participants()) {
    to.participants.push_back(take(participant, here.at("participants", to.participants.size())));
  }
  return to;
}

struct PutReply {
  v1::ClientCallReply& to;

  void operator()(const Answer& reply) const { put(reply, *to.mutable_answer()); }
  void operator()(const Begun& reply) const {
    put(reply.gtrid, *to.mutable_begun()->mutable_gtrid());
  }
  void operator()(const Executed& reply) const { put(reply, *to.mutable_executed()); }
  void operator()(const TransactionList& reply) const {
    v1::TransactionList& list = *to.mutable_transaction_list();
    for (const auto& transaction : reply.transactions) put(transaction, *list.add_transactions());
    list.set_more(reply.more);
  }
  void operator()(const TransactionShown& reply) const {
    v1::TransactionShown& shown = *to.mutable_transaction_shown();
    if (reply.transaction) put(*reply.transaction, *shown.mutable_transaction());
  }
  void operator()(const ParticipantList& reply) const {
    v1::ParticipantList& list = *to.mutable_participant_list();
    for (const auto& participant : reply.participants) put(participant, *list.add_participants());
  }
  void operator()(const InDoubtList& reply) const { put(reply, *to.mutable_in_doubt_list()); }
  void operator()(const StoryTold& reply) const { put(reply, *to.mutable_story_told()); }
  void operator()(const ActionTold& reply) const { put(reply, *to.mutable_action_told()); }
  void operator()(const CoordinatorStatus& reply) const {
    put(reply, *to.mutable_coordinator_status());
  }
};

ClientReply take_reply(v1::ClientCallReply& from, const Place& here) {
  switch (from.reply_case()) {
    case v1::ClientCallReply::kAnswer:
      return take(*from.mutable_answer(), here.in("answer"));
    case v1::ClientCallReply::kBegun:
      return Begun{take(from.begun().gtrid(), here.in("begun.gtrid"))};
    case v1::ClientCallReply::kExecuted:
      return take(*from.mutable_executed(), here.in("executed"));
    case v1::ClientCallReply::kTransactionList:
      return take(from.transaction_list(), here.in("transaction_list"));
    case v1::ClientCallReply::kTransactionShown:
      return take(from.transaction_shown(), here.in("transaction_shown"));
    case v1::ClientCallReply::kParticipantList:
      return take(from.participant_list(), here.in("participant_list"));
    case v1::ClientCallReply::kInDoubtList:
      return take(from.in_doubt_list(), here.in("in_doubt_list"));
    case v1::ClientCallReply::kStoryTold:
      return take(from.story_told(), here.in("story_told"));
    case v1::ClientCallReply::kActionTold:
      return take(from.action_told(), here.in("action_told"));
    case v1::ClientCallReply::kCoordinatorStatus:
      return take(from.coordinator_status(), here.in("coordinator_status"));
    case v1::ClientCallReply::REPLY_NOT_SET:
      break;
  }
  here.in("reply").refuse("is none that this version knows");
  return Begun{};
}

}  // namespace

void put(const ClientHello& from, v1::ClientHello& to) {
  to.set_version(from.version);
  to.set_application(made_utf8(from.application, kShortTextBytesMax));
}

ClientHello take(const v1::ClientHello& from, const Place& here) {
  ClientHello to;
  to.version = take_version(from.version(), here.in("version"));
  to.application = take_short_text(from.application(), here.in("application"));
  return to;
}

void put(const ClientCall& from, v1::ClientCall& to) {
  to.set_request_id(from.request_id);
  std::visit(PutRequest{to}, from.request);
}

ClientCall take(v1::ClientCall& from, const Place& here) {
  return {from.request_id(), take_request(from, here)};
}

void put(const ClientWelcome& from, v1::ClientWelcome& to) {
  to.set_version(from.version);
  to.set_coordinator(from.coordinator);
  to.set_log_id(static_cast<std::uint64_t>(from.log_id));
  to.set_epoch(static_cast<std::uint32_t>(from.epoch));
}

ClientWelcome take(const v1::ClientWelcome& from, const Place& here) {
  ClientWelcome to;
  to.version = take_version(from.version(), here.in("version"));
  to.coordinator =
      take_text(from.coordinator(), kShortTextBytesMax, Empty::kRefused, here.in("coordinator"));
  to.log_id = LogId{from.log_id()};
  if (to.log_id == LogId{}) here.in("log_id").refuse("is missing or 0");
  to.epoch = Epoch{from.epoch()};
  if (to.epoch == Epoch{}) here.in("epoch").refuse("is missing or 0");
  return to;
}

void put(const ClientCallReply& from, v1::ClientCallReply& to) {
  to.set_request_id(from.request_id);
  std::visit(PutReply{to}, from.reply);
}

ClientCallReply take(v1::ClientCallReply& from, const Place& here) {
  return {from.request_id(), take_reply(from, here)};
}

}  // namespace assent::wire
