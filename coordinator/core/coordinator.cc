#include "coordinator/core/coordinator.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"

namespace assent::coordinator {
namespace {

Error still_deciding() {
  return {.code = ErrorCode::kTimeout,
          .effect = assent::Effect::kUnknown,
          .message = "not decided durably within the timeout; ask again for the outcome"};
}

Error timed_out() {
  return {.code = ErrorCode::kTimeout,
          .effect = assent::Effect::kNone,
          .message = "not decided within the timeout and so rolled back"};
}

}  // namespace

Coordinator::Coordinator(Config config, Past past, Now now)
    : config_(std::move(config)),
      log_id_(past.log_id),
      epoch_(past.epoch),
      opened_(now.steady),
      now_(now),
      missing_(std::move(past.missing)),
      missing_to_(past.missing_to),
      given_up_to_(past.given_up_to),
      given_up_logs_(std::move(past.given_up_logs)),
      given_up_epoch_(past.given_up_epoch),
      ends_missing_below_(past.ends_missing_below) {
  ASSENT_CHECK(check_past(config_, past).has_value());
  open_clock(past.log_time);
  for (const std::string& name : config_.participants) {
    Participant& participant = participants_[name];
    participant.name = name;
    participant.since = now_.steady;
  }
  for (const NewestCommit& newest : past.newest) {
    Participant* participant = find_participant(newest.branch.xid.bqual);
    if (participant != nullptr) participant->history.newest = newest;
  }
  for (const auto& [name, number] : past.by_hand) {
    Participant* participant = find_participant(name);
    if (participant != nullptr) participant->history.by_hand = number;
  }
  for (const auto& [name, number] : past.taken_back) {
    Participant* participant = find_participant(name);
    if (participant != nullptr) participant->history.fence_top_seen = number;
  }
  for (HeuristicRecord& record : past.damaged) {
    Damaged& damaged = damage_[record.xid.gtrid][record.xid.bqual];
    const RecordedAt& at = past.damaged_at[record.xid];
    if (at.number < past.violation_allowed) record.violation = false;
    damaged.newest = record;
    damaged.durable = std::move(record);
    damaged.found_lost = true;
    damaged.since = at.when;
  }
  freeze_for_violations();
  for (const CommitRecord& record : past.unfinished) {
    recover(record, past.unfinished_at[record.gtrid]);
  }
}

Effects Coordinator::step(Event event, Now now) {
  now_ = now;
  keep_time();
  std::visit([this](auto& one) { on(std::move(one)); }, event);
  return std::exchange(effects_, {});
}

std::optional<Instant> Coordinator::next_deadline() const {
  return timers_.next();
}

// ---------------------------------------------------------------- events

void Coordinator::on(ClientRequested event) {
  std::visit([this, &event](auto& body) { on_request(event, body); }, event.body);
}

void Coordinator::on(AgentReplied event) {
  Participant* participant = find_participant(event.participant);
  ASSENT_CHECK(participant != nullptr);
  if (!participant->connected) return;
  // What another incarnation says is about another life of these branches (R6).
  if (event.reply.incarnation != participant->welcome->incarnation) return;
  std::visit([this, participant](auto& body) { on_reply(*participant, body); }, event.reply.body);
}

/// The link that asks whether its silent agent is still there reads the answer itself.
void Coordinator::on_reply(Participant&, Pong&) {}

void Coordinator::on(const TimePassed&) {
  while (const auto due = timers_.take_due(now_.steady)) {
    if (const auto* gtrid = std::get_if<Gtrid>(&*due)) {
      Transaction* tx = find(*gtrid);
      ASSENT_CHECK(tx != nullptr);
      on_due(*tx);
    } else if (const auto* look = std::get_if<LookId>(&*due)) {
      on_due(*look);
    } else {
      on_due(*std::get<Participant*>(*due));
    }
  }
}

// ---------------------------------------------------------------- moving on

void Coordinator::drive(Transaction& tx) {
  if (tx.undecided()) {
    send_next_work(tx);
    send_due_prepares(tx);
    const bool yes = tx.phase == Phase::kPreparing && tx.all_voted_yes();
    if (yes && tx.all_voters_linked()) decide_commit(tx);
  }
  switch (tx.phase) {
    case Phase::kCommitting:
      if (tx.all_settled()) return end(tx);
      break;
    case Phase::kRollingBack:
      if (!tx.all_settled()) break;
      if (tx.verdict == Verdict::kFinal) return remove(tx);
      if (tx.verdict == Verdict::kRetry && tx.all_done() && !tx.next_attempt) {
        return start_next_attempt(tx);
      }
      break;
    case Phase::kEnded:
      return remove(tx);
    case Phase::kActive:
    case Phase::kPreparing:
    case Phase::kDeciding:
      break;
  }
  reschedule(tx);
}

/// Every branch is proved committed, or its damage is recorded.
void Coordinator::end(Transaction& tx) {
  tx.enter(Phase::kEnded);
  answer_waiters(tx);
  effects_.push_back(AppendUnforced{tx.end_record()});
  Ended ended{LogToken{next_token_}, tx.gtrid, {}};
  for (const Branch& branch : tx.branches) {
    if (branch.proof.witness_row) ended.witnesses.push_back(branch.participant);
  }
  if (!ended.witnesses.empty()) ended_.push_back(std::move(ended));
  remove(tx);
}

void Coordinator::remove(Transaction& tx) {
  timers_.cancel(tx.timer);
  release_key(tx);
  forget_session(tx);
  transactions_.erase(tx.gtrid);
}

void Coordinator::on_due(Transaction& tx) {
  if (tx.unbound() && tx.request.deadline <= now_.steady) {
    if (tx.undecided()) {
      decide_rollback(tx, timed_out());
    } else {
      tx.reason = timed_out();
    }
    // Nothing more is waited for: neither another attempt nor the caller of a doomed transaction.
    if (tx.unbound()) conclude_rollback(tx);
  }
  answer_late_waiters(tx);
  if (tx.next_attempt && *tx.next_attempt <= now_.steady) tx.next_attempt.reset();
  for (Branch& branch : tx.branches) {
    if (!branch.next_try || *branch.next_try > now_.steady) continue;
    branch.next_try.reset();
    tell_decision(tx, branch);
  }
  drive(tx);
}

void Coordinator::on_due(Participant& participant) {
  if (participant.next_scan && *participant.next_scan <= now_.steady) ask_list(participant);
  if (participant.next_probe && *participant.next_probe <= now_.steady) probe(participant);
  reschedule(participant);
}

/// After commit is decided there is no deadline for the transaction (R4), only for those who wait:
/// at theirs they are told what is known, without any grace.
void Coordinator::answer_late_waiters(Transaction& tx) {
  auto& waiters = tx.request.waiters;
  const auto late = std::stable_partition(
      waiters.begin(), waiters.end(), [this](const Waiter& w) { return w.deadline > now_.steady; });
  std::vector<Waiter> told(late, waiters.end());
  waiters.erase(late, waiters.end());
  for (const Waiter& waiter : told) reply_outcome(tx, waiter);
}

/// Answers those for whom the outcome, as it stands, is enough.
void Coordinator::answer_waiters(Transaction& tx) {
  if (!tx.outcome) return;
  const bool everybody = *tx.outcome != Outcome::kCommitted || tx.all_settled();
  auto& waiters = tx.request.waiters;
  const auto first = std::stable_partition(
      waiters.begin(), waiters.end(),
      [everybody](const Waiter& w) { return !everybody && w.wait == WaitFor::kApplied; });
  std::vector<Waiter> told(first, waiters.end());
  waiters.erase(first, waiters.end());
  for (const Waiter& waiter : told) reply_outcome(tx, waiter);
}

void Coordinator::reply_outcome(Transaction& tx, const Waiter& waiter) {
  Answer answer = answer_of(tx);
  if (!tx.outcome) answer.error = still_deciding();
  if (waiter.wants_results && answer.outcome == Outcome::kCommitted)
    answer.results = std::move(tx.request.results);
  reply(waiter.session, waiter.request, std::move(answer));
}

void Coordinator::reschedule(Transaction& tx) {
  timers_.set(tx.timer, tx.due(), tx.gtrid);
}

void Coordinator::reschedule(Participant& participant) {
  timers_.set(participant.timer, participant.due(), &participant);
}

// ---------------------------------------------------------------- small things

Gtrid Coordinator::next_gtrid() const {
  return {log_id_, epoch_, Sequence{next_sequence_}};
}

Gtrid Coordinator::take_gtrid() {
  const Gtrid gtrid = next_gtrid();
  ++next_sequence_;
  return gtrid;
}

/// Of what this participant's agent must remember, so that a dead participant doesn't keep the
/// agents of the others from forgetting: branches that may get work or a vote, and transactions
/// that may still open one. Work for anything older is never sent, and refused if it comes late.
Gtrid Coordinator::lowest_unfinished(const Participant& participant) const {
  Gtrid lowest = next_gtrid();
  const auto take = [&lowest](const Gtrid& gtrid) { lowest = std::min(lowest, gtrid); };
  const auto of_this_log = participant.remembered.lower_bound(Gtrid{log_id_, Epoch{}, Sequence{}});
  if (of_this_log != participant.remembered.end()) take(*of_this_log);
  if (!interactive_.empty()) take(std::max(*interactive_.begin(), oldest_to_join()));
  return lowest;
}

/// One idle interactive transaction must not make every agent remember all that comes after it.
Gtrid Coordinator::oldest_to_join() const {
  const std::uint64_t back = std::min(config_.late_join_max, next_sequence_ - 1);
  return {log_id_, epoch_, Sequence{next_sequence_ - back}};
}

/// 0 where the log does not tell.
Duration Coordinator::ago(WallTime when) const {
  if (when == WallTime{}) return {};
  const std::int64_t ms = now_.wall.ms_since_epoch - when.ms_since_epoch;
  return std::chrono::milliseconds(std::max<std::int64_t>(ms, 0));
}

Transaction* Coordinator::find(const Gtrid& gtrid) {
  const auto found = transactions_.find(gtrid);
  return found == transactions_.end() ? nullptr : &found->second;
}

Participant* Coordinator::find_participant(const std::string& name) {
  const auto found = participants_.find(name);
  return found == participants_.end() ? nullptr : &found->second;
}

void Coordinator::reply(ClientSessionId session, RequestId request, ClientReply reply) {
  effects_.push_back(ReplyToClient{session, request, std::move(reply)});
}

void Coordinator::note(Note::Level level, std::string text) {
  effects_.push_back(Note{level, std::move(text)});
}

}  // namespace assent::coordinator
