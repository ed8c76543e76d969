#include "participant_agents/core/branch.h"

#include "participant_agents/core/refusal.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::agent {
namespace {

Error steps_differ(std::uint32_t run, std::uint32_t named) {
  return refusal(ErrorCode::kStepsDiffer, "this branch has run " + std::to_string(run) +
                                              " statements, not " + std::to_string(named) +
                                              ": a message was lost; roll the transaction back");
}

/// What a person has found in the list has another position than the vote, and is the same branch.
bool is_same_branch(const BranchProof& a, const BranchProof& b) {
  return a.database.id == b.database.id && a.transaction_id == b.transaction_id &&
         a.witness_row == b.witness_row;
}

}  // namespace

Branch::Branch(Xid xid, LinkId owner, CoordinatorIndex coordinator)
    : xid_(std::move(xid)), owner_(owner), coordinator_(coordinator) {}

// ---------------------------------------------------------------- work and prepare

void Branch::on_work(LinkId link, Work&& work, Outbox& out) {
  if (is_repeat(work)) return answer_work_again(link, out);
  if (phase_ != Phase::kNew && phase_ != Phase::kOpen) {
    return refuse_work(link, work, refusal_of_work(), out);
  }
  if (work.first_index != statements_run_ && !mutant("statements are not numbered")) {
    return refuse_work(link, work, steps_differ(statements_run_, work.first_index), out);
  }
  last_ = {.first_index = work.first_index,
           .statements = static_cast<std::uint32_t>(work.statements.size()),
           .prepares = work.then == AfterWork::kPrepare};
  phase_ = Phase::kWorking;
  work_asker_ = link;
  out.add(StartWork{std::move(work)});
}

void Branch::on_prepare(LinkId link, const Prepare& prepare, Outbox& out) {
  if (is_repeat(prepare)) return answer_work_again(link, out);
  if (phase_ != Phase::kOpen) return refuse_prepare(link, refusal_of_work(), out);
  if (prepare.statements != statements_run_) {
    return refuse_prepare(link, steps_differ(statements_run_, prepare.statements), out);
  }
  last_ = {.first_index = statements_run_, .statements = 0, .prepares = true};
  phase_ = Phase::kWorking;
  work_asker_ = link;
  out.add(StartPrepare{xid_, prepare.deadline});
}

/// Of a branch that was told its end nothing is repeated: work for it is refused (R6).
bool Branch::is_repeat(const Work& work) const {
  return phase_ != Phase::kNew && !told_ && !cancelled_ && work.first_index == last_.first_index &&
         work.statements.size() == last_.statements &&
         (work.then == AfterWork::kPrepare) == last_.prepares;
}

bool Branch::is_repeat(const Prepare& prepare) const {
  return phase_ != Phase::kNew && !told_ && !cancelled_ && last_.prepares &&
         prepare.statements == last_.first_index + last_.statements;
}

void Branch::answer_work_again(LinkId link, Outbox& out) {
  if (phase_ == Phase::kWorking) {
    work_asker_ = link;
  } else if (const auto* worked = std::get_if<Worked>(&work_reply_)) {
    out.reply(link, *worked);
  } else if (const auto* voted = std::get_if<Voted>(&work_reply_)) {
    out.reply(link, *voted);
  }
}

void Branch::refuse_work(LinkId link, const Work& work, Error error, Outbox& out) const {
  if (work.then == AfterWork::kPrepare) return refuse_prepare(link, std::move(error), out);
  out.reply(link, Worked{xid_, work.first_index, {}, std::move(error)});
}

void Branch::refuse_prepare(LinkId link, Error error, Outbox& out) const {
  out.reply(link, Voted{xid_, vote_if_refused(), {}, std::move(error), {}});
}

Error Branch::refusal_of_work() const {
  if (frozen_) return *frozen_;
  if (phase_ == Phase::kNew) {
    return refusal(ErrorCode::kNoSuchTransaction,
                   "this agent knows nothing of the branch; roll the transaction back");
  }
  if (phase_ == Phase::kWorking && !told_ && !cancelled_) {
    return steps_differ(last_.first_index, last_.first_index + last_.statements);
  }
  return refusal(ErrorCode::kNoSuchTransaction,
                 cancelled_ ? "the branch was cancelled when the link that it belonged to was lost"
                            : "the branch takes no more work: it was ended or told its end");
}

Vote Branch::vote_if_refused() const {
  return phase_ == Phase::kDead || phase_ == Phase::kRolledBack ? Vote::kRolledBack
                                                                : Vote::kUnknown;
}

void Branch::on_work_ended(WorkEnded&& ended, Outbox& out) {
  ASSENT_CHECK(phase_ == Phase::kWorking);
  ASSENT_CHECK(!ended.open || (!ended.error && !last_.prepares));
  settle_phase(ended);
  store_work_reply(std::move(ended));
  if (frozen_ || (cancelled_ && !told_)) {
    if (phase_ == Phase::kOpen) close(out);
    return;
  }
  if (told_) return continue_rollback(out);
  if (work_asker_) answer_work_again(*work_asker_, out);
}

void Branch::settle_phase(const WorkEnded& ended) {
  if (ended.open) {
    phase_ = Phase::kOpen;
    statements_run_ = last_.first_index + last_.statements;
  } else if (ended.vote == Vote::kPrepared) {
    phase_ = Phase::kPrepared;
    proof_ = ended.proof;
  } else if (ended.vote == Vote::kReadOnly) {
    phase_ = Phase::kReadOnly;
  } else if (ended.vote == Vote::kRolledBack || !last_.prepares) {
    // A session that is gone and was never asked to prepare has left nothing.
    phase_ = Phase::kDead;
  } else {
    phase_ = Phase::kUnsettled;
  }
}

void Branch::store_work_reply(WorkEnded&& ended) {
  if (last_.prepares) {
    work_reply_ = Voted{xid_, ended.vote, std::move(ended.results), std::move(ended.error),
                        std::move(ended.proof)};
  } else {
    work_reply_ = Worked{xid_, last_.first_index, std::move(ended.results), std::move(ended.error)};
  }
}

void Branch::cancel(Outbox& out) {
  if (mutant("an agent decides alone")) return on_rollback(owner_, {xid_, std::nullopt}, out);
  if (!is_unprepared()) return;
  cancelled_ = true;
  if (phase_ == Phase::kWorking) interrupt(out);
  if (phase_ == Phase::kOpen) close(out);
}

void Branch::interrupt(Outbox& out) {
  if (interrupted_) return;
  interrupted_ = true;
  out.add(Interrupt{xid_});
}

void Branch::close(Outbox& out) {
  ASSENT_CHECK(phase_ == Phase::kOpen);
  phase_ = Phase::kClosing;
  out.add(StartRollBackOpen{xid_});
}

// ---------------------------------------------------------------- commit and rollback

void Branch::on_commit(LinkId link, const Commit& commit, Outbox& out) {
  if (frozen_) return answer_finished_again(link, Decision::kCommit, out);
  const bool anew = is_of_another(Decision::kCommit, commit.proof);
  if (told_ == Decision::kRollback && !in_hazard_ && !anew) {
    return freeze(link, Decision::kCommit, "commit came for a branch that was told rollback", out);
  }
  if (finished_ && !anew) return answer_finished_again(link, Decision::kCommit, out);
  if (phase_ == Phase::kRollingBack) return ask_for_patience(link, Decision::kCommit, out);
  if (!told_ && phase_ != Phase::kNew && phase_ != Phase::kPrepared) {
    return freeze(link, Decision::kCommit, "commit came for a branch that has not voted prepared",
                  out);
  }
  const bool as_voted = phase_ == Phase::kPrepared;
  if (as_voted && !is_same_branch(commit.proof, *proof_)) {
    return freeze(link, Decision::kCommit,
                  "commit came with a proof that is not of the branch that voted", out);
  }
  told_ = Decision::kCommit;
  told_proof_ = as_voted ? proof_ : commit.proof;
  finish_asker_ = link;
  if (phase_ == Phase::kCommitting) return;
  finished_.reset();
  phase_ = Phase::kCommitting;
  out.add(StartCommit{xid_, *told_proof_, as_voted});
}

void Branch::on_rollback(LinkId link, const Rollback& rollback, Outbox& out) {
  if (frozen_) return answer_finished_again(link, Decision::kRollback, out);
  const bool anew = rollback.proof && is_of_another(Decision::kRollback, *rollback.proof);
  if (told_ == Decision::kCommit && !in_hazard_ && !anew) {
    return freeze(link, Decision::kRollback, "rollback came for a branch that was told commit",
                  out);
  }
  if (finished_ && !anew) return answer_finished_again(link, Decision::kRollback, out);
  if (phase_ == Phase::kCommitting) return ask_for_patience(link, Decision::kRollback, out);
  if (anew) {
    phase_ = Phase::kUnsettled;
    finished_.reset();
  }
  told_ = Decision::kRollback;
  if (proof_ && !anew) {
    told_proof_ = proof_;
  } else if (rollback.proof) {
    told_proof_ = rollback.proof;
  }
  finish_asker_ = link;
  continue_rollback(out);
}

/// Somebody may prepare another branch under the name of one that is decided. A person has it
/// rolled back, which contradicts nothing that the one that voted is told, before or after (R6).
bool Branch::is_of_another(Decision told, const BranchProof& proof) const {
  const bool was_told_other = told_ && *told_ != told && told_proof_;
  if (!was_told_other || proof.transaction_id == 0 || told_proof_->transaction_id == 0) {
    return false;
  }
  return !is_unprepared() && proof.transaction_id != told_proof_->transaction_id;
}

/// As far as it goes without an answer of the database. Where a prepare may have been sent, only
/// looking proves the absence, and only once no session is at the branch any more (F 8).
void Branch::continue_rollback(Outbox& out) {
  switch (phase_) {
    case Phase::kWorking:
      return interrupt(out);
    case Phase::kOpen:
      return close(out);
    case Phase::kClosing:
    case Phase::kRollingBack:
      return;
    case Phase::kNew:
    case Phase::kPrepared:
    case Phase::kUnsettled:
      if (mutant("absence is not proved"))
        return finish(Completion::kRolledBack, Evidence::kNeverPrepared, std::nullopt, out);
      phase_ = Phase::kRollingBack;
      out.add(StartRollback{xid_, told_proof_ ? told_proof_ : proof_});
      return;
    case Phase::kReadOnly:
    case Phase::kDead:
      return finish(Completion::kRolledBack, Evidence::kNeverPrepared, std::nullopt, out);
    case Phase::kCommitting:
    case Phase::kCommitted:
    case Phase::kRolledBack:
      break;
  }
  check_failed(__FILE__, __LINE__, "a rollback that goes on belongs to an unfinished branch");
}

void Branch::on_finish_ended(FinishEnded&& ended, Outbox& out) {
  if (phase_ == Phase::kClosing) {
    // Whatever the answer was: its session is idle or gone, and was never asked to prepare.
    phase_ = Phase::kDead;
    if (told_ && !frozen_) continue_rollback(out);
    return;
  }
  ASSENT_CHECK(phase_ == Phase::kCommitting || phase_ == Phase::kRollingBack);
  if (mutant("a lost answer is a good one") && told_ == Decision::kCommit)
    ended.completion = Completion::kCommitted;
  finish(ended.completion, ended.evidence, std::move(ended.error), out);
}

void Branch::finish(Completion completion, Evidence evidence, std::optional<Error> error,
                    Outbox& out) {
  const bool committed = completion == Completion::kCommitted;
  const bool rolled_back = completion == Completion::kRolledBack;
  phase_ = committed ? Phase::kCommitted : rolled_back ? Phase::kRolledBack : Phase::kUnsettled;
  in_hazard_ = completion == Completion::kCannotTell;
  work_reply_ = std::monostate();
  if (told_ == Decision::kCommit ? rolled_back : committed) {
    std::string text = "xid=" + to_string(xid_) + " heuristic " +
                       (committed ? "commit" : "rollback") +
                       " evidence=" + std::string(to_string(evidence));
    if (error) text += ": " + error->message;
    out.add(Note{Note::Level::kError, std::move(text)});
  }
  Finished reply{xid_, *told_, completion, evidence, std::move(error)};
  if (committed || rolled_back) finished_ = reply;
  out.reply(finish_asker_, std::move(reply));
}

void Branch::answer_finished_again(LinkId link, Decision told, Outbox& out) const {
  if (finished_ && finished_->told == told) return out.reply(link, *finished_);
  out.reply(link, Finished{xid_, told, Completion::kCannotTell, Evidence::kNone, frozen_});
}

/// A person decides the other way while the database is still at what was told before: how that
/// ends comes first.
void Branch::ask_for_patience(LinkId link, Decision told, Outbox& out) const {
  Error busy =
      refusal(ErrorCode::kBusy, "the database is still at the " + std::string(to_string(*told_)) +
                                    " that the branch was told before; "
                                    "tell it again");
  out.reply(link,
            Finished{xid_, told, Completion::kStillPrepared, Evidence::kNone, std::move(busy)});
}

void Branch::freeze(LinkId link, Decision told, const char* what, Outbox& out) {
  set_frozen(what, out);
  answer_finished_again(link, told, out);
  // Locks that no decision can need any more.
  if (phase_ == Phase::kOpen) close(out);
}

void Branch::set_frozen(const char* what, Outbox& out) {
  frozen_ = refusal(ErrorCode::kHazard,
                    std::string(what) + "; the branch is frozen until a person has looked at it");
  frozen_->effect = assent::Effect::kUnknown;
  out.add(Note{Note::Level::kError, "xid=" + to_string(xid_) + " hazard: " + what});
}

// ---------------------------------------------------------------- what the agent asks

void Branch::forget_asker(LinkId link) {
  if (work_asker_ == link) work_asker_.reset();
  if (finish_asker_ == link) finish_asker_.reset();
}

void Branch::on_listed() {
  const bool over = phase_ == Phase::kCommitted || phase_ == Phase::kRolledBack ||
                    phase_ == Phase::kReadOnly || phase_ == Phase::kDead;
  if (!over || frozen_) return;
  phase_ = Phase::kUnsettled;
  finished_.reset();
}

bool Branch::is_unprepared() const {
  return phase_ == Phase::kWorking || phase_ == Phase::kOpen || phase_ == Phase::kClosing;
}

bool Branch::may_be_forgotten() const {
  const bool busy =
      is_unprepared() || phase_ == Phase::kCommitting || phase_ == Phase::kRollingBack;
  return !busy && !frozen_;
}

bool Branch::needs_witness() const {
  const bool over = phase_ == Phase::kCommitted || phase_ == Phase::kRolledBack;
  return !over || frozen_.has_value();
}

}  // namespace assent::agent
