// Transactions that a session runs statement by statement (R7, R8).

#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/request_rules.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

Error no_such_transaction() {
  return {.code = ErrorCode::kNoSuchTransaction,
          .effect = assent::Effect::kUnknown,
          .message =
              "no live transaction of that gtrid belongs to this session; ask for the "
              "outcome of its key"};
}

Error too_old_to_join(std::uint64_t others) {
  return {.code = ErrorCode::kTooOld,
          .effect = assent::Effect::kNone,
          .message = "more than " + std::to_string(others) +
                     " transactions have begun since this one, too many for it to reach a further "
                     "participant; begin it again"};
}

Error rolled_back_by_caller(std::string message) {
  return {.code = ErrorCode::kRolledBackByCaller,
          .effect = assent::Effect::kNone,
          .message = std::move(message)};
}

}  // namespace

/// The key is held from here on, so that nothing else can be committed under it meanwhile and
/// settle finds it; a record binds it only when its end is asked for.
void Coordinator::on_request(ClientRequested& asked, Begin& begin) {
  const Duration timeout =
      timeout_or(begin.timeout, config_.interactive_timeout, config_.timeout_max);
  Request request;
  request.deadline = now_.steady + timeout;
  const Waiter waiter{asked.session, asked.request, WaitFor::kDecided, request.deadline};
  request.waiters = {waiter};
  if (const auto complaint = complaint_about_length(begin.key)) return refuse(request, *complaint);
  if (answered_by_key(asked, begin.key, waiter)) return;
  if (const auto why = why_key_unknown(); why && !begin.key.empty()) {
    return reply(asked.session, asked.request, unknown_key(*why));
  }
  if (const auto complaint = complaint_about(begin)) return refuse(request, *complaint);
  if (clock_ && !begin.key.empty()) return refuse(request, *clock_);
  if (asked.busy) return refuse(request, *asked.busy);
  if (const auto why = refusal_of_new_work()) return refuse(request, *why);
  request.waiters.clear();
  request.key = std::move(begin.key);
  const Gtrid gtrid = take_gtrid();
  Transaction& tx = transactions_[gtrid];
  tx.gtrid = gtrid;
  tx.form = Form::kInteractive;
  tx.begun = now_.steady;
  tx.owner = asked.session;
  tx.request = std::move(request);
  hold_key(tx.request.key, gtrid);
  sessions_[tx.owner].insert(gtrid);
  interactive_.insert(gtrid);
  reply(asked.session, asked.request, Begun{gtrid});
  drive(tx);
}

void Coordinator::on_request(ClientRequested& asked, Execute& execute) {
  const auto answer = [&](const Error& error) {
    reply(asked.session, asked.request, Executed{{}, error});
  };
  Transaction* tx = find(execute.gtrid);
  if (tx == nullptr || tx->form != Form::kInteractive || tx->owner != asked.session) {
    return answer(no_such_transaction());
  }
  if (tx->reason) return answer(*tx->reason);
  if (tx->end_asked) return answer(invalid("the commit has been asked for already"));
  const auto branch = interactive_branch(*tx, execute.step);
  if (branch) {
    (*branch)->executing = Executing{asked.session, asked.request};
    send_statement(*tx, **branch, std::move(execute.step.statement));
  } else {
    // Whatever the caller was told has failed, nothing of it may be committed (R8).
    answer(branch.error());
    decide_rollback(*tx, branch.error());
  }
  drive(*tx);
}

Result<Branch*> Coordinator::interactive_branch(Transaction& tx, const Step& step) {
  if (const auto complaint = complaint_about(step, config_)) return *complaint;
  Participant& participant = *find_participant(step.participant);
  if (Branch* branch = tx.find_branch(participant)) {
    if (!branch->executing) return branch;
    return invalid("one statement at a time for each participant; wait for the answer");
  }
  if (tx.branches.size() >= kParticipantsMax) {
    return invalid("a transaction has more than " + std::to_string(kParticipantsMax) +
                   " participants");
  }
  if (tx.gtrid < oldest_to_join()) return too_old_to_join(config_.late_join_max);
  if (const auto why = refusal_of(participant)) return *why;
  return &enlist(tx, participant);
}

void Coordinator::on_request(ClientRequested& asked, CommitTransaction& commit) {
  Transaction* tx = find(commit.gtrid);
  if (tx == nullptr) return answer_unknown_transaction(asked);
  const Duration timeout = timeout_or(commit.timeout, config_.default_timeout, config_.timeout_max);
  const Waiter waiter{asked.session, asked.request, commit.wait, now_.steady + timeout};
  if (tx->end_asked || tx->form == Form::kRecovered) return join(*tx, waiter);
  if (tx->form != Form::kInteractive || tx->owner != asked.session) {
    return answer_unknown_transaction(asked);
  }
  ask_end(*tx, waiter);
  if (tx->verdict == Verdict::kUnasked) {
    conclude_rollback(*tx);
  } else if (tx->executing()) {
    decide_rollback(*tx, invalid("commit was asked for while a statement was under way"));
  }
  answer_waiters(*tx);
  drive(*tx);
}

void Coordinator::on_request(ClientRequested& asked, RollbackTransaction& rollback) {
  Transaction* tx = find(rollback.gtrid);
  if (tx == nullptr || tx->form != Form::kInteractive || tx->owner != asked.session) {
    return answer_unknown_transaction(asked);
  }
  const Waiter waiter{asked.session, asked.request, WaitFor::kDecided,
                      now_.steady + config_.default_timeout};
  if (!tx->end_asked) {
    ask_end(*tx, waiter);
  } else {
    tx->request.waiters.push_back(waiter);
  }
  if (tx->verdict == Verdict::kUnasked) {
    conclude_rollback(*tx);
  } else if (tx->undecided()) {
    decide_rollback(*tx, rolled_back_by_caller("rollback was asked for"));
  }
  answer_waiters(*tx);
  drive(*tx);
}

void Coordinator::ask_end(Transaction& tx, const Waiter& waiter) {
  tx.end_asked = true;
  tx.request.deadline = waiter.deadline;
  tx.request.waiters.push_back(waiter);
  forget_session(tx);
}

/// Not live: the log knows what was committed and which keys were rolled back. Nothing there is no
/// proof: a transaction without a key that had only read leaves no record when it commits.
void Coordinator::answer_unknown_transaction(const ClientRequested& asked) {
  Answer answer;
  if (asked.known) {
    answer = answer_from(*asked.known);
  } else {
    answer.outcome = Outcome::kUnknown;
    answer.error = no_such_transaction();
  }
  reply(asked.session, asked.request, std::move(answer));
}

/// Nobody was told anything, so no key is bound.
void Coordinator::on(const ClientSessionClosed& event) {
  forget_looks(event.session);
  if (mutant("a dropped session keeps its locks")) return;
  const auto node = sessions_.extract(event.session);
  if (node.empty()) return;
  for (const Gtrid& gtrid : node.mapped()) {
    Transaction& tx = *find(gtrid);
    if (tx.undecided()) decide_rollback(tx, rolled_back_by_caller("the session was dropped"));
    if (tx.verdict == Verdict::kUnasked) reach_outcome(tx, Outcome::kRefused);
    drive(tx);
  }
}

void Coordinator::forget_session(const Transaction& tx) {
  if (interactive_.erase(tx.gtrid) == 0) return;
  const auto found = sessions_.find(tx.owner);
  if (found == sessions_.end()) return;
  found->second.erase(tx.gtrid);
  if (found->second.empty()) sessions_.erase(found);
}

}  // namespace assent::coordinator
