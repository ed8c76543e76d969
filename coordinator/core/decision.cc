// Work and votes, the decision, and phase two.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/pace.h"
#include "coordinator/core/reason.h"
#include "coordinator/core/send.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

/// Ordered attempts of one request, after which it is refused with kConflict.
constexpr std::uint32_t kOrderedAttemptsMax = 5;
/// Before the second ordered attempt; doubles with each further one.
constexpr Duration kAttemptPause = std::chrono::milliseconds(10);
/// A hazard waits for a person: looked at again at this pace, so that what the person did shows.
constexpr Duration kHazardRetry = std::chrono::seconds(60);

Error unfit_vote(const std::string& message) {
  return {.code = ErrorCode::kDatabaseUnfit, .effect = assent::Effect::kNone, .message = message};
}

Error hazard(const Xid& xid, const std::string& message) {
  return {.code = ErrorCode::kHazard,
          .effect = assent::Effect::kUnknown,
          .message = "xid=" + to_string(xid) + " " + message,
          .participant = xid.bqual};
}

/// A yes that can't be counted as one is an unknown: the branch may be prepared all the same (R5).
void doubt(Voted& voted, const Branch& branch) {
  if (voted.vote == Vote::kReadOnly && branch.access != Access::kReadOnly) {
    voted.vote = Vote::kUnknown;
    voted.error = unfit_vote("voted read-only without having been declared so");
  }
  if (voted.vote == Vote::kPrepared &&
      voted.proof.database.id != branch.participant->welcome->database.id) {
    voted.vote = Vote::kUnknown;
    voted.error = unfit_vote("the vote's proof names another database than the agent's hello");
  }
  if (voted.vote == Vote::kPrepared && voted.proof.transaction_id == 0 &&
      !voted.proof.witness_row) {
    voted.vote = Vote::kUnknown;
    voted.error = unfit_vote(
        "the vote has neither a transaction id nor a witness row: nothing could prove its commit");
  }
}

bool awaits_vote(const Branch& branch) {
  return branch.state == BranchState::kWorking || branch.state == BranchState::kOpen ||
         branch.state == BranchState::kPreparing;
}

}  // namespace

// ---------------------------------------------------------------- work

void Coordinator::send_next_work(Transaction& tx) {
  const bool in_order = tx.form == Form::kOrdered;
  for (std::size_t i = 0; i < tx.branches.size(); ++i) {
    Branch& branch = tx.branches[i];
    if (branch.state == BranchState::kWaiting) {
      const bool last = i + 1 == tx.branches.size();
      const bool prepare_at_once = !in_order || last;
      send_steps(tx, branch, prepare_at_once ? AfterWork::kPrepare : AfterWork::kStayOpen);
    }
    if (in_order && !branch.worked) return;
  }
}

/// What has done its work is prepared at once, while others still work; but not a branch whose
/// shared locks would be dropped by it while others still read (F 13).
void Coordinator::send_due_prepares(Transaction& tx) {
  if (tx.form == Form::kInteractive && !tx.end_asked) return;
  const bool all_worked = tx.all_worked();
  for (Branch& branch : tx.branches) {
    if (branch.state != BranchState::kOpen) continue;
    if (branch.shared_reads && !all_worked) continue;
    branch.state = BranchState::kPreparing;
    send(*branch.participant, Prepare{tx.xid(branch), branch.statements, left_for_agent(tx)});
  }
  if (tx.phase == Phase::kActive && tx.all_asked_to_prepare()) tx.enter(Phase::kPreparing);
}

void Coordinator::send_steps(Transaction& tx, Branch& branch, AfterWork then) {
  std::vector<Statement> statements;
  statements.reserve(branch.steps.size());
  // Copied: a conflict makes another attempt of the same steps.
  for (const std::uint32_t step : branch.steps) {
    statements.push_back(tx.request.steps[step].statement);
  }
  const Duration lock_wait =
      tx.form == Form::kOptimistic ? config_.optimistic_lock_wait : config_.ordered_lock_wait;
  send_work(tx, branch, std::move(statements), then, lock_wait);
}

void Coordinator::send_statement(Transaction& tx, Branch& branch, Statement statement) {
  std::vector<Statement> statements;
  statements.push_back(std::move(statement));
  send_work(tx, branch, std::move(statements), AfterWork::kStayOpen, config_.ordered_lock_wait);
}

void Coordinator::send_work(Transaction& tx, Branch& branch, std::vector<Statement> statements,
                            AfterWork then, Duration lock_wait) {
  Work work;
  work.xid = tx.xid(branch);
  work.first_index = branch.statements;
  work.then = then;
  work.access = branch.access;
  work.deadline = left_for_agent(tx);
  work.lock_wait = std::min(lock_wait, work.deadline / 2);
  work.interactive = tx.form == Form::kInteractive;
  // A rollback, too, proves something only in the database that had the work.
  branch.proof.database = branch.participant->welcome->database;
  branch.last_index = branch.statements;
  branch.statements += static_cast<std::uint32_t>(statements.size());
  branch.worked = false;
  branch.state = then == AfterWork::kPrepare ? BranchState::kPreparing : BranchState::kWorking;
  work.statements = std::move(statements);
  send(*branch.participant, std::move(work));
}

/// Timeouts nest (R11): the agent gives up first, so that its reason is what the caller is told.
Duration Coordinator::left_for_agent(const Transaction& tx) const {
  const Duration left = tx.request.deadline - now_.steady;
  return std::max(left - left / 10, Duration{1});
}

void Coordinator::on_reply(Participant& participant, Worked& worked) {
  Transaction* tx = find(worked.xid.gtrid);
  Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  if (branch == nullptr || branch->state != BranchState::kWorking) return;  // late or repeated
  if (worked.first_index != branch->last_index) return;                     // repeated
  if (worked.error) {
    decide_rollback(*tx, reason_in_request(*branch, std::move(worked.error)));
    return drive(*tx);
  }
  branch->state = BranchState::kOpen;
  branch->worked = true;
  if (branch->executing) {
    answer_statement(*branch, worked);
  } else {
    take_results(*tx, *branch, worked.results);
  }
  drive(*tx);
}

void Coordinator::answer_statement(Branch& branch, Worked& worked) {
  Executed executed;
  if (!worked.results.empty()) executed.result = std::move(worked.results.front());
  reply(branch.executing->session, branch.executing->request, std::move(executed));
  branch.executing.reset();
}

void Coordinator::take_results(Transaction& tx, const Branch& branch,
                               std::vector<StatementResult>& results) {
  const std::size_t count = std::min(results.size(), branch.steps.size());
  for (std::size_t i = 0; i < count; ++i) {
    tx.request.results[branch.steps[i]] = std::move(results[i]);
  }
}

/// Agents number steps within the branch, callers within the request.
Error Coordinator::reason_in_request(const Branch& branch, std::optional<Error> told) {
  Error reason = reason_of(std::move(told), branch.participant->name);
  const auto index = static_cast<std::size_t>(reason.step);
  if (reason.step >= 0) {
    reason.step = index < branch.steps.size() ? static_cast<std::int32_t>(branch.steps[index]) : -1;
  }
  return reason;
}

// ---------------------------------------------------------------- votes

void Coordinator::on_reply(Participant& participant, Voted& voted) {
  Transaction* tx = find(voted.xid.gtrid);
  Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  if (branch == nullptr) return;  // late; if it is prepared the next scan finds it
  if (tx->undecided() && awaits_vote(*branch)) {
    on_vote_while_undecided(*tx, *branch, voted);
  } else if (branch->state == BranchState::kRollingBack) {
    on_vote_after_rollback(*tx, *branch, voted);
  } else {
    return;  // repeated
  }
  drive(*tx);
}

void Coordinator::on_vote_while_undecided(Transaction& tx, Branch& branch, Voted& voted) {
  doubt(voted, branch);
  if (mutant("a doubt is a yes") && voted.vote == Vote::kUnknown) voted.vote = Vote::kPrepared;
  const bool yes = voted.vote == Vote::kPrepared || voted.vote == Vote::kReadOnly;
  if (yes && branch.state != BranchState::kPreparing) return;  // nobody asked it yet
  if (!yes) {
    // A proof of absence needs no Rollback; without one the branch may still turn up (R5).
    const bool absent = voted.vote == Vote::kRolledBack || mutant("unknown needs no rollback");
    if (absent) mark_done(tx, branch);
    return decide_rollback(tx, reason_in_request(branch, std::move(voted.error)));
  }
  if (!branch.worked) take_results(tx, branch, voted.results);
  branch.worked = true;
  branch.proof = std::move(voted.proof);
  if (voted.vote == Vote::kReadOnly) {
    mark_done(tx, branch);
  } else {
    branch.state = BranchState::kPrepared;
  }
}

void Coordinator::on_vote_after_rollback(Transaction& tx, Branch& branch, Voted& voted) {
  if (voted.vote == Vote::kPrepared) {
    doubt(voted, branch);
    if (voted.vote == Vote::kPrepared) branch.proof = std::move(voted.proof);
    branch.told = false;
    return tell_decision(tx, branch);
  }
  if (voted.vote == Vote::kUnknown) return;  // Finished will tell
  mark_done(tx, branch);
  // A guard that isn't met ends the request, however the other branch's conflict would go on. Any
  // other reason may be the work of our own Rollback.
  if (tx.verdict == Verdict::kRetry && voted.error &&
      voted.error->code == ErrorCode::kGuardNotMet) {
    tx.reason = reason_in_request(branch, voted.error);
    conclude_rollback(tx);
  }
}

// ---------------------------------------------------------------- decisions

void Coordinator::decide_commit(Transaction& tx) {
  note_conflict(tx, false);
  CommitRecord record = tx.commit_record();
  const bool forgettable = record.key.empty() || mutant("who only read is not remembered");
  if (record.branches.empty() && forgettable) {
    // Nothing was changed anywhere and nobody can ask again: there is nothing to make durable.
    tx.enter(Phase::kEnded);
    return reach_outcome(tx, Outcome::kCommitted);
  }
  tx.enter(Phase::kDeciding);
  if (mutant("commit sent before the log")) return on_commit_durable(tx);
  if (mutant("answer before durable")) reach_outcome(tx, Outcome::kCommitted);
  append_forced(std::move(record), tx.gtrid);
}

/// It would be incorrect to tell anybody before the record is durable: until then a crash makes the
/// decision rollback (R1).
void Coordinator::on_commit_durable(Transaction& tx) {
  tx.enter(Phase::kCommitting);
  for (Branch& branch : tx.branches) {
    if (branch.done()) continue;
    branch.state = BranchState::kCommitting;
    note_newest(*branch.participant, {tx.xid(branch), branch.proof});
    tell_decision(tx, branch);
  }
  reach_outcome(tx, Outcome::kCommitted);
}

/// Needs no record for the agents (R1); what a key needs, conclude_rollback does.
void Coordinator::decide_rollback(Transaction& tx, const Error& reason) {
  if (reason.code == ErrorCode::kConflict) note_conflict(tx, true);
  tx.enter(Phase::kRollingBack);
  tx.reason = reason;
  for (Branch& branch : tx.branches) {
    if (branch.executing) {
      reply(branch.executing->session, branch.executing->request, Executed{{}, reason});
      branch.executing.reset();
    }
    if (branch.done()) continue;
    const bool unasked = branch.state == BranchState::kWaiting;
    if (unasked || (mutant("a voteless branch is forgotten") && !branch.voted())) {
      mark_done(tx, branch);  // no message ever left
    } else {
      branch.state = BranchState::kRollingBack;
      tell_decision(tx, branch);
    }
  }
  if (tx.form == Form::kInteractive && !tx.end_asked) {
    tx.verdict = Verdict::kUnasked;
  } else if (may_retry(tx)) {
    plan_retry(tx);
  } else {
    conclude_rollback(tx);
  }
}

bool Coordinator::may_retry(const Transaction& tx) const {
  return tx.reason->code == ErrorCode::kConflict && tx.form != Form::kInteractive &&
         tx.request.ordered_attempts < kOrderedAttemptsMax &&
         now_.steady + pause_before_next_attempt(tx) < tx.request.deadline;
}

Duration Coordinator::pause_before_next_attempt(const Transaction& tx) {
  if (tx.form == Form::kOptimistic) return Duration{0};
  return doubled(kAttemptPause, tx.request.ordered_attempts - 1, std::chrono::seconds(1));
}

void Coordinator::plan_retry(Transaction& tx) {
  tx.verdict = Verdict::kRetry;
  const Duration pause = pause_before_next_attempt(tx);
  if (pause > Duration{0}) tx.next_attempt = now_.steady + pause;
}

/// This rollback is the end of the request.
void Coordinator::conclude_rollback(Transaction& tx) {
  tx.next_attempt.reset();
  // Who is told "refused" may ask again, and a branch that may be committed would take effect
  // twice.
  const Outcome outcome = damaged(tx) ? Outcome::kRolledBack : outcome_of_rollback(tx.reason->code);
  if (mutant("rolled back is not recorded")) return reach_outcome(tx, outcome);
  if (outcome != Outcome::kRolledBack || tx.request.key.empty()) return reach_outcome(tx, outcome);
  tx.verdict = Verdict::kBinding;
  append_forced(tx.rollback_record(), tx.gtrid);
}

void Coordinator::reach_outcome(Transaction& tx, Outcome outcome) {
  tx.verdict = Verdict::kFinal;
  tx.outcome = outcome;
  if (outcome == Outcome::kRefused) release_key(tx);  // free for another try (R15)
  answer_waiters(tx);
}

void Coordinator::append_forced(Record record, Appended what) {
  const LogToken token{next_token_++};
  appended_.emplace_hint(appended_.end(), token, std::move(what));
  effects_.push_back(AppendForced{token, std::move(record)});
}

void Coordinator::on(const LogDurable& event) {
  const auto node = appended_.extract(event.token);
  ASSENT_CHECK(!node.empty());
  std::visit([this](const auto& what) { on_durable(what); }, node.mapped());
  collect_forgettable(event.token);
}

void Coordinator::on_durable(const Gtrid& gtrid) {
  Transaction* tx = find(gtrid);
  ASSENT_CHECK(tx != nullptr);
  if (tx->phase == Phase::kDeciding) {
    on_commit_durable(*tx);
  } else {
    ASSENT_CHECK(tx->verdict == Verdict::kBinding);
    reach_outcome(*tx, Outcome::kRolledBack);
  }
  drive(*tx);
}

// ---------------------------------------------------------------- phase two

/// Once on each link; again when the answer was not the end, and on every new link (R4, R5).
void Coordinator::tell_decision(Transaction& tx, Branch& branch) {
  // While the database is out of its agent's reach one prober asks for all (R4).
  if (!branch.participant->unreached) send_decision(tx, branch);
}

bool Coordinator::send_decision(Transaction& tx, Branch& branch) {
  Participant& participant = *branch.participant;
  if (!participant.connected || branch.told) return false;
  const bool commit = branch.state == BranchState::kCommitting;
  // Listed with another transaction id: whatever it is, it did not vote yes (R6).
  if (commit && participant.hazards.contains(tx.gtrid)) return false;
  if (branch.proof.database.id != participant.welcome->database.id) {
    show_hazard(tx, branch,
                "is of database " + branch.proof.database.id + ", but the agent is at " +
                    participant.welcome->database.id +
                    "; connect the participant to the database it had");
    return false;
  }
  branch.told = true;
  branch.next_try.reset();
  ++branch.tries;
  if (commit) {
    send(participant, Commit{tx.xid(branch), branch.proof});
  } else {
    send(participant,
         Rollback{tx.xid(branch), branch.voted() ? std::optional(branch.proof) : std::nullopt});
  }
  return true;
}

void Coordinator::mark_done(Transaction& tx, Branch& branch) {
  if (branch.hazard) {
    note(Note::Level::kInfo, "xid=" + to_string(tx.xid(branch)) + " hazard is over");
  }
  branch.last_error.reset();
  settle_branch(tx, branch, BranchState::kDone);
  if (mutant("witness rows go at once") && branch.participant->connected)
    send(*branch.participant, ForgetWitnesses{{tx.gtrid}});
  if (mutant("erase after the first acknowledgement"))
    settle_branch(tx, tx.branches.back(), BranchState::kDone);
}

void Coordinator::settle_branch(const Transaction& tx, Branch& branch, BranchState state) {
  branch.state = state;
  branch.told = false;
  branch.hazard = false;
  branch.next_try.reset();
  forget_branch(*branch.participant, tx.gtrid);
  const History& history = branch.participant->history;
  if (history.newest_awaited && history.newest->branch.xid == tx.xid(branch)) {
    look_at_history(*branch.participant);
  }
}

void Coordinator::forget_branch(Participant& participant, const Gtrid& gtrid) {
  participant.branches.erase(gtrid);
  participant.remembered.erase(gtrid);
  if (participant.scan_asked) participant.finished_during_scan.insert(gtrid);
}

void Coordinator::on_reply(Participant& participant, Finished& finished) {
  const bool unreached = finished.completion == Completion::kUnreached;
  Transaction* tx = find(finished.xid.gtrid);
  if (Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant)) {
    on_finished(*tx, *branch, finished);
    drive(*tx);
    phase_two_answered(participant);
  } else {
    on_orphan_finished(participant, finished);
  }
  if (unreached) {
    on_unreached(participant, finished);
  } else {
    on_reached(participant);
  }
}

void Coordinator::on_finished(Transaction& tx, Branch& branch, const Finished& finished) {
  const bool commit = branch.state == BranchState::kCommitting;
  if (!commit && branch.state != BranchState::kRollingBack) return;  // late or repeated
  if ((finished.told == Decision::kCommit) != commit) return;        // of nothing we said
  branch.told = false;
  branch.participant->remembered.erase(tx.gtrid);
  if (stays_in_hazard(finished.xid, finished.evidence)) {
    return show_hazard(tx, branch,
                       "its status would prove its end only in the history in which it voted, and "
                       "that of its database is in question");
  }
  switch (finished.completion) {
    case Completion::kCommitted:
    case Completion::kRolledBack:
      if (commit && shows_nothing(finished.evidence, tx.number, tx.gtrid)) {
        const std::string why =
            "not listed and without a witness row, which was told to go if it had ended: the log "
            "lacks records in which its end may be; find out whether the branch's effects are "
            "there";
        // A row that the fence row was not told of did not go by our word.
        if (tx.number > branch.participant->history.fence_top_seen) commit_not_shown(tx, branch);
        pin({tx.xid(branch), finished.told, Heuristic::kHazard, finished.evidence, why});
        return show_hazard(tx, branch, why);
      }
      branch.evidence = finished.evidence;
      if ((finished.completion == Completion::kCommitted) != commit)
        return violate(tx, branch, finished);
      repair(tx.xid(branch), finished.evidence,
             commit ? "proved committed since" : "proved rolled back since");
      return mark_done(tx, branch);
    case Completion::kCannotTell: {
      const std::string why = finished.error ? finished.error->message
                                             : "neither listed nor provable: look at the database";
      if (commit && finished.evidence == Evidence::kNone) commit_not_shown(tx, branch);
      pin({tx.xid(branch), finished.told, Heuristic::kHazard, finished.evidence, why});
      return show_hazard(tx, branch, why);
    }
    case Completion::kStillPrepared:
      branch.answered = true;
      branch.last_error = finished.error;
      branch.next_try =
          now_.steady + doubled(config_.retry_min, branch.failures++, config_.retry_max);
      return;
    case Completion::kUnreached:
      if (mutant("unreached is done")) return mark_done(tx, branch);
      if (mutant("decision reversed on error")) branch.state = BranchState::kRollingBack;
      branch.last_error = finished.error;
      return;  // the prober is told
  }
}

/// Never ended by itself: shown, and looked at again at a slow pace.
void Coordinator::show_hazard(Transaction& tx, Branch& branch, const std::string& why) {
  branch.participant->remembered.erase(tx.gtrid);
  branch.answered = true;
  branch.last_error = hazard(tx.xid(branch), why);
  branch.next_try = now_.steady + kHazardRetry;
  if (branch.hazard) return;
  branch.hazard = true;
  note(Note::Level::kError, "xid=" + to_string(tx.xid(branch)) + " hazard: " + why);
}

/// The opposite of what was decided was done: this branch waits for a person, and no new work is
/// taken, while everybody else's locks go on being freed (R6).
void Coordinator::violate(Transaction& tx, Branch& branch, const Finished& finished) {
  const bool commit = branch.state == BranchState::kCommitting;
  std::string why = commit ? "rolled back although the decision is commit"
                           : "committed although the decision is rollback";
  show_hazard(tx, branch, why);
  branch.next_try.reset();
  freeze(hazard(tx.xid(branch), why));
  if (finished.error) why = finished.error->message;  // who it probably was, and where to look
  pin({finished.xid, finished.told, commit ? Heuristic::kRolledBack : Heuristic::kCommitted,
       finished.evidence, std::move(why), true});
  if (recorded_as_damaged(tx, branch)) mark_damaged(tx, branch);
}

/// Only where the log has all ends does the absence of a witness row show that the commit of this
/// number was rolled back. Another opening of the log may have ended what it found in it, too.
bool Coordinator::shows_nothing(Evidence evidence, std::uint64_t number, const Gtrid& gtrid) const {
  if (evidence != Evidence::kNoWitnessRow) return false;
  const bool end_may_be_missing = number != 0 && number < ends_missing_below_;
  return end_may_be_missing || deposed_ || given_up(gtrid);
}

void Coordinator::freeze(const Error& why) {
  if (frozen_) return;
  frozen_ = why;
  note(Note::Level::kError, "violation: " + why.message + "; no new work is taken");
}

}  // namespace assent::coordinator
