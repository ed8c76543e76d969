#include "protocol/wire/convert_agent.h"

#include "protocol/proto/agent.pb.h"
#include "protocol/wire/convert_admin.h"
#include "protocol/wire/convert_common.h"
#include "protocol/wire/utf8.h"

namespace assent::wire {
namespace {

using wire::put;  // those of this namespace would hide them
using wire::take;

// ---- coordinator to agent

void put(const Work& from, v1::Work& to) {
  put(from.xid, *to.mutable_xid());
  to.set_first_index(from.first_index);
  for (const auto& statement : from.statements) put(statement, *to.add_statements());
  to.set_then(static_cast<v1::AfterWork>(from.then));
  to.set_access(static_cast<v1::Access>(from.access));
  to.set_lock_wait_us(from.lock_wait.count());
  to.set_deadline_us(from.deadline.count());
  to.set_interactive(from.interactive);
}

Work take(v1::Work& from, const Place& here) {
  Work to;
  to.xid = take(from.xid(), here.in("xid"));
  to.first_index = from.first_index();
  const auto count = static_cast<std::size_t>(from.statements_size());
  check_count(count, kStepsMax, here.in("statements"));
  to.statements.reserve(count);
  for (auto& statement : *from.mutable_statements()) {
    to.statements.push_back(take(statement, here.at("statements", to.statements.size())));
  }
  to.then = take_enum(from.then(), AfterWork::kStayOpen, AfterWork::kPrepare, here.in("then"));
  to.access = take_enum(from.access(), Access::kReadWrite, Access::kReadOnly, here.in("access"));
  to.lock_wait = take_duration(from.lock_wait_us(), here.in("lock_wait_us"));
  to.deadline = take_duration(from.deadline_us(), here.in("deadline_us"));
  to.interactive = from.interactive();
  return to;
}

void put(const Prepare& from, v1::Prepare& to) {
  put(from.xid, *to.mutable_xid());
  to.set_statements(from.statements);
  to.set_deadline_us(from.deadline.count());
}

Prepare take(const v1::Prepare& from, const Place& here) {
  Prepare to;
  to.xid = take(from.xid(), here.in("xid"));
  to.statements = from.statements();
  to.deadline = take_duration(from.deadline_us(), here.in("deadline_us"));
  return to;
}

void put(const Commit& from, v1::Commit& to) {
  put(from.xid, *to.mutable_xid());
  put(from.proof, *to.mutable_proof());
}

Commit take(const v1::Commit& from, const Place& here) {
  if (!from.has_proof()) here.in("proof").refuse("is missing");
  return {take(from.xid(), here.in("xid")), take(from.proof(), here.in("proof"))};
}

void put(const Rollback& from, v1::Rollback& to) {
  put(from.xid, *to.mutable_xid());
  if (from.proof) put(*from.proof, *to.mutable_proof());
}

Rollback take(const v1::Rollback& from, const Place& here) {
  Rollback to;
  to.xid = take(from.xid(), here.in("xid"));
  if (from.has_proof()) to.proof = take(from.proof(), here.in("proof"));
  return to;
}

void put(const ListPrepared& from, v1::ListPrepared& to) {
  to.set_scan(from.scan);
  to.set_log_top(from.log_top);
}

ListPrepared take(const v1::ListPrepared& from, const Place&) {
  return {from.scan(), from.log_top()};
}

void put(const ForgetWitnesses& from, v1::ForgetWitnesses& to) {
  for (const auto& gtrid : from.gtrids) put(gtrid, *to.add_gtrids());
}

ForgetWitnesses take(const v1::ForgetWitnesses& from, const Place& here) {
  ForgetWitnesses to;
  to.gtrids.reserve(static_cast<std::size_t>(from.gtrids_size()));
  for (const auto& gtrid : from.gtrids()) {
    to.gtrids.push_back(take(gtrid, here.at("gtrids", to.gtrids.size())));
  }
  return to;
}

void put(const Inspect& from, v1::Inspect& to) {
  to.set_serial(from.serial);
  for (const auto& branch : from.branches) {
    v1::BranchAsked& out = *to.add_branches();
    put(branch.xid, *out.mutable_xid());
    if (branch.proof) put(*branch.proof, *out.mutable_proof());
  }
}

BranchAsked take(const v1::BranchAsked& from, const Place& here) {
  BranchAsked to;
  to.xid = take(from.xid(), here.in("xid"));
  if (from.has_proof()) to.proof = take(from.proof(), here.in("proof"));
  return to;
}

Inspect take(const v1::Inspect& from, const Place& here) {
  Inspect to;
  to.serial = from.serial();
  to.branches = take_each<BranchAsked>(from.branches(), "branches", here, kInspectedMax, take);
  return to;
}

struct PutRequestBody {
  v1::AgentRequest& to;

  void operator()(const Work& body) const { put(body, *to.mutable_work()); }
  void operator()(const Prepare& body) const { put(body, *to.mutable_prepare()); }
  void operator()(const Commit& body) const { put(body, *to.mutable_commit()); }
  void operator()(const Rollback& body) const { put(body, *to.mutable_rollback()); }
  void operator()(const ListPrepared& body) const { put(body, *to.mutable_list_prepared()); }
  void operator()(const ForgetWitnesses& body) const { put(body, *to.mutable_forget_witnesses()); }
  void operator()(const Inspect& body) const { put(body, *to.mutable_inspect()); }
  void operator()(const Ping&) const { to.mutable_ping(); }
};

void take_body(v1::AgentRequest& from, AgentRequest& to, const Place& here) {
  switch (from.body_case()) {
    case v1::AgentRequest::kWork:
      to.body = take(*from.mutable_work(), here.in("work"));
      return;
    case v1::AgentRequest::kPrepare:
      to.body = take(from.prepare(), here.in("prepare"));
      return;
    case v1::AgentRequest::kCommit:
      to.body = take(from.commit(), here.in("commit"));
      return;
    case v1::AgentRequest::kRollback:
      to.body = take(from.rollback(), here.in("rollback"));
      return;
    case v1::AgentRequest::kListPrepared:
      to.body = take(from.list_prepared(), here.in("list_prepared"));
      return;
    case v1::AgentRequest::kForgetWitnesses:
      to.body = take(from.forget_witnesses(), here.in("forget_witnesses"));
      return;
    case v1::AgentRequest::kInspect:
      to.body = take(from.inspect(), here.in("inspect"));
      return;
    case v1::AgentRequest::kPing:
      to.body = Ping{};
      return;
    case v1::AgentRequest::BODY_NOT_SET:
      here.in("body").refuse("is none that this version knows");
      return;
  }
}

// ---- agent to coordinator

template <typename Message>
void put_error(const std::optional<Error>& from, Message& to) {
  if (from) put(*from, *to.mutable_error());
}

template <typename Message>
std::optional<Error> take_error(const Message& from, const Place& here) {
  if (!from.has_error()) return std::nullopt;
  return take(from.error(), here.in("error"));
}

template <typename Message>
std::vector<StatementResult> take_results(Message& from, const Place& here) {
  std::vector<StatementResult> to;
  const auto count = static_cast<std::size_t>(from.results_size());
  check_count(count, kStepsMax, here.in("results"));
  to.reserve(count);
  for (auto& result : *from.mutable_results()) {
    to.push_back(take(result, here.at("results", to.size())));
  }
  return to;
}

void put(const Worked& from, v1::Worked& to) {
  put(from.xid, *to.mutable_xid());
  to.set_first_index(from.first_index);
  for (const auto& result : from.results) put(result, *to.add_results());
  put_error(from.error, to);
}

Worked take(v1::Worked& from, const Place& here) {
  Worked to;
  to.xid = take(from.xid(), here.in("xid"));
  to.first_index = from.first_index();
  to.results = take_results(from, here);
  to.error = take_error(from, here);
  return to;
}

void put(const Voted& from, v1::Voted& to) {
  put(from.xid, *to.mutable_xid());
  to.set_vote(static_cast<v1::Vote>(from.vote));
  for (const auto& result : from.results) put(result, *to.add_results());
  put_error(from.error, to);
  const bool has_proof = from.vote == Vote::kPrepared || from.proof != BranchProof{};
  if (has_proof) put(from.proof, *to.mutable_proof());
}

Voted take(v1::Voted& from, const Place& here) {
  Voted to;
  to.xid = take(from.xid(), here.in("xid"));
  to.vote = take_enum(from.vote(), Vote::kPrepared, Vote::kUnknown, here.in("vote"));
  to.results = take_results(from, here);
  to.error = take_error(from, here);
  if (to.vote == Vote::kPrepared && !from.has_proof()) {
    here.in("proof").refuse("is missing with a vote to prepare");
  }
  to.proof = take(from.proof(), here.in("proof"));
  return to;
}

void put(const Finished& from, v1::Finished& to) {
  put(from.xid, *to.mutable_xid());
  to.set_told(static_cast<v1::Decision>(from.told));
  to.set_completion(static_cast<v1::Completion>(from.completion));
  to.set_evidence(static_cast<v1::Evidence>(from.evidence));
  put_error(from.error, to);
}

Finished take(const v1::Finished& from, const Place& here) {
  Finished to;
  to.xid = take(from.xid(), here.in("xid"));
  to.told = take_enum(from.told(), Decision::kCommit, Decision::kRollback, here.in("told"));
  to.completion = take_enum(from.completion(), Completion::kCommitted, Completion::kUnreached,
                            here.in("completion"));
  to.evidence =
      take_enum(from.evidence(), Evidence::kNone, Evidence::kNeverPrepared, here.in("evidence"));
  to.error = take_error(from, here);
  return to;
}

void put(const PreparedList& from, v1::PreparedList& to) {
  to.set_scan(from.scan);
  for (const auto& branch : from.branches) {
    v1::PreparedBranch& out = *to.add_branches();
    put(branch.xid, *out.mutable_xid());
    out.set_transaction_id(branch.transaction_id);
    out.set_age_us(clamped_us(branch.age));
  }
  to.set_foreign_count(from.foreign);
  put_error(from.error, to);
  to.set_fence_top(from.fence_top);
  to.set_put_back(from.put_back);
}

PreparedBranch take(const v1::PreparedBranch& from, const Place& here) {
  PreparedBranch to;
  to.xid = take(from.xid(), here.in("xid"));
  to.transaction_id = from.transaction_id();
  to.age = take_duration(from.age_us(), here.in("age_us"));
  return to;
}

PreparedList take(const v1::PreparedList& from, const Place& here) {
  PreparedList to;
  to.scan = from.scan();
  to.branches.reserve(static_cast<std::size_t>(from.branches_size()));
  for (const auto& branch : from.branches()) {
    to.branches.push_back(take(branch, here.at("branches", to.branches.size())));
  }
  to.foreign = from.foreign_count();
  to.error = take_error(from, here);
  to.fence_top = from.fence_top();
  to.put_back = from.put_back();
  if (to.put_back && !to.error) here.in("put_back").refuse("stands without an error");
  return to;
}

void put(const Inspected& from, v1::Inspected& to) {
  to.set_serial(from.serial);
  for (const auto& branch : from.branches) put(branch, *to.add_branches());
  for (const auto& branch : from.foreign) put(branch, *to.add_foreign());
  put_error(from.error, to);
}

Inspected take(const v1::Inspected& from, const Place& here) {
  Inspected to;
  to.serial = from.serial();
  to.branches = take_each<BranchSight>(from.branches(), "branches", here, 2 * kInspectedMax, take);
  to.foreign = take_each<ForeignBranch>(from.foreign(), "foreign", here, kInspectedMax, take);
  to.error = take_error(from, here);
  return to;
}

struct PutReplyBody {
  v1::AgentReply& to;

  void operator()(const Worked& body) const { put(body, *to.mutable_worked()); }
  void operator()(const Voted& body) const { put(body, *to.mutable_voted()); }
  void operator()(const Finished& body) const { put(body, *to.mutable_finished()); }
  void operator()(const PreparedList& body) const { put(body, *to.mutable_prepared_list()); }
  void operator()(const Inspected& body) const { put(body, *to.mutable_inspected()); }
  void operator()(const Pong&) const { to.mutable_pong(); }
};

void take_body(v1::AgentReply& from, AgentReply& to, const Place& here) {
  switch (from.body_case()) {
    case v1::AgentReply::kWorked:
      to.body = take(*from.mutable_worked(), here.in("worked"));
      return;
    case v1::AgentReply::kVoted:
      to.body = take(*from.mutable_voted(), here.in("voted"));
      return;
    case v1::AgentReply::kFinished:
      to.body = take(from.finished(), here.in("finished"));
      return;
    case v1::AgentReply::kPreparedList:
      to.body = take(from.prepared_list(), here.in("prepared_list"));
      return;
    case v1::AgentReply::kInspected:
      to.body = take(from.inspected(), here.in("inspected"));
      return;
    case v1::AgentReply::kPong:
      to.body = Pong{};
      return;
    case v1::AgentReply::BODY_NOT_SET:
      here.in("body").refuse("is none that this version knows");
      return;
  }
}

Incarnation take_incarnation(std::uint64_t number, const Place& here) {
  if (number == 0) here.refuse("is missing or 0");
  return Incarnation{number};
}

}  // namespace

void put(const Hello& from, v1::Hello& to) {
  to.set_version(from.version);
  to.set_coordinator(from.coordinator);
  to.set_token(from.token);
  to.set_participant(from.participant);
  to.set_log_id(static_cast<std::uint64_t>(from.log_id));
  to.set_epoch(static_cast<std::uint32_t>(from.epoch));
  to.set_opening_nonce(from.opening_nonce);
  for (const HeldTop& one : from.held) {
    v1::HeldTop& held = *to.add_held();
    held.set_epoch(static_cast<std::uint32_t>(one.epoch));
    held.set_top(one.top);
    held.set_nonce(one.nonce);
  }
}

Hello take(const v1::Hello& from, const Place& here) {
  Hello to;
  to.version = take_version(from.version(), here.in("version"));
  to.coordinator =
      take_text(from.coordinator(), kShortTextBytesMax, Empty::kRefused, here.in("coordinator"));
  to.token = from.token();
  if (to.token.size() > kTokenBytesMax) here.in("token").refuse("is too long");
  to.participant = take_participant_name(from.participant(), here.in("participant"));
  to.log_id = LogId{from.log_id()};
  if (to.log_id == LogId{}) here.in("log_id").refuse("is missing or 0");
  to.epoch = Epoch{from.epoch()};
  if (to.epoch == Epoch{}) here.in("epoch").refuse("is missing or 0");
  to.opening_nonce = from.opening_nonce();
  const auto held = here.in("held");
  if (static_cast<std::size_t>(from.held_size()) > kHeldTopsMax) held.refuse("are too many");
  for (const v1::HeldTop& one : from.held()) {
    const bool rises =
        to.held.empty() ? one.epoch() > 0 : Epoch{one.epoch()} > to.held.back().epoch;
    if (!rises) held.refuse("are not in the order of their epochs");
    to.held.push_back({Epoch{one.epoch()}, one.top(), one.nonce()});
  }
  return to;
}

void put(const AgentRequest& from, v1::AgentRequest& to) {
  to.set_incarnation(static_cast<std::uint64_t>(from.incarnation));
  put(from.lowest_unfinished, *to.mutable_lowest_unfinished());
  std::visit(PutRequestBody{to}, from.body);
}

AgentRequest take(v1::AgentRequest& from, const Place& here) {
  AgentRequest to;
  to.incarnation = take_incarnation(from.incarnation(), here.in("incarnation"));
  if (!from.has_lowest_unfinished()) here.in("lowest_unfinished").refuse("is missing");
  const v1::Gtrid& lowest = from.lowest_unfinished();  // a bound, not a transaction: may be 0
  to.lowest_unfinished = {LogId{lowest.log_id()}, Epoch{lowest.epoch()},
                          Sequence{lowest.sequence()}};
  take_body(from, to, here);
  return to;
}

void put(const Welcome& from, v1::Welcome& to) {
  to.set_incarnation(static_cast<std::uint64_t>(from.incarnation));
  to.set_kind(made_utf8(from.kind, kShortTextBytesMax));
  to.set_server_version(made_utf8(from.server_version, kShortTextBytesMax));
  put(from.database, *to.mutable_database());
  to.set_work_sessions(from.work_sessions);
  to.set_prepared_max(from.prepared_max);
  to.set_fence_top(from.fence_top);
  for (const OtherLog& other : from.other_logs) {
    v1::OtherLog& added = *to.add_other_logs();
    added.set_log_id(static_cast<std::uint64_t>(other.log_id));
    added.set_top(other.top);
  }
}

Welcome take(const v1::Welcome& from, const Place& here) {
  Welcome to;
  to.incarnation = take_incarnation(from.incarnation(), here.in("incarnation"));
  to.kind = take_text(from.kind(), kShortTextBytesMax, Empty::kRefused, here.in("kind"));
  to.server_version = take_text(from.server_version(), kShortTextBytesMax, Empty::kAllowed,
                                here.in("server_version"));
  to.database = take(from.database(), here.in("database"));
  to.work_sessions = from.work_sessions();
  to.prepared_max = from.prepared_max();
  to.fence_top = from.fence_top();
  const auto other_logs = here.in("other_logs");
  if (static_cast<std::size_t>(from.other_logs_size()) > kOtherLogsMax) {
    other_logs.refuse("are too many");
  }
  for (const v1::OtherLog& other : from.other_logs()) {
    if (other.log_id() == 0) other_logs.refuse("have one without an id");
    to.other_logs.push_back({LogId{other.log_id()}, other.top()});
  }
  return to;
}

void put(const Refused& from, v1::Refused& to) {
  put(from.error, *to.mutable_error());
  to.set_fence_top(from.fence_top);
  to.set_fence_epoch(static_cast<std::uint32_t>(from.fence_epoch));
}

Refused take(const v1::Refused& from, const Place& here) {
  return {take(from.error(), here.in("error")), from.fence_top(), Epoch{from.fence_epoch()}};
}

void put(const AgentReply& from, v1::AgentReply& to) {
  to.set_incarnation(static_cast<std::uint64_t>(from.incarnation));
  std::visit(PutReplyBody{to}, from.body);
}

AgentReply take(v1::AgentReply& from, const Place& here) {
  AgentReply to;
  to.incarnation = take_incarnation(from.incarnation(), here.in("incarnation"));
  take_body(from, to, here);
  return to;
}

}  // namespace assent::wire
