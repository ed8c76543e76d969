// What people do to one transaction: planned on a fresh look, recorded, done, answered.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/request_rules.h"
#include "coordinator/core/send.h"
#include "coordinator/core/wording.h"
#include "protocol/base/check.h"

namespace assent::coordinator {
namespace {

Error refused(std::string message, ErrorCode code = ErrorCode::kInvalid) {
  return {.code = code, .effect = assent::Effect::kNone, .message = std::move(message)};
}

std::string word(Decision decision) {
  return decision == Decision::kCommit ? "commit" : "rollback";
}

std::string verb(Decision decision) {
  return decision == Decision::kCommit ? "commit" : "roll back";
}

std::string done(Decision decision) {
  return decision == Decision::kCommit ? "committed" : "rolled back";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

bool looked_at(const BranchTruth& truth) {
  return truth.sight && truth.sight->completion != Completion::kUnreached;
}

/// What was shown of one branch, for the plan and for the audit record.
std::string evidence_text(const BranchTruth& truth) {
  const std::string& name = truth.xid.bqual;
  if (!looked_at(truth)) {
    const auto& why = truth.sight && truth.sight->error ? truth.sight->error : truth.last_error;
    return name + " was not reached" + (why ? ": " + why->message : "");
  }
  const std::string shown = ", shown by " + std::string(to_string(truth.sight->evidence));
  switch (truth.sight->completion) {
    case Completion::kStillPrepared: {
      const std::uint64_t number = truth.sight->transaction_id;
      return name + " lists it as prepared" +
             (number == 0 ? "" : " (transaction " + std::to_string(number) + ")");
    }
    case Completion::kCommitted:
      return name + " has committed it" + shown;
    case Completion::kRolledBack:
      return name + " has nothing of it" + shown;
    case Completion::kCannotTell:
    case Completion::kUnreached:
      break;
  }
  const auto& why = truth.sight->error;
  if (truth.sight->evidence == Evidence::kListed) {
    return name + " lists another branch under its name" + (why ? ": " + why->message : "");
  }
  return name + " does not list it and can't tell whether there was a branch, or how it ended" +
         (why ? ": " + why->message : "");
}

/// Absence of a witness row shows the end only of a branch that is known to have been there.
bool proves_rollback(const BranchSight& sight) {
  return sight.completion == Completion::kRolledBack && sight.evidence != Evidence::kNoWitnessRow;
}

DecidedBranch as_listed(const BranchSight& sight, const DatabaseIdentity& database) {
  const bool by_witness = sight.transaction_id == 0;
  return {sight.xid, {database, sight.transaction_id, by_witness}};
}

std::string command(const ResolveTransaction& resolve) {
  std::string out =
      "assentctl resolve " + to_string(resolve.gtrid) + " --" + word(resolve.decision);
  if (!resolve.participant.empty()) out += " --participant " + resolve.participant;
  for (const std::string& name : resolve.despite) out += " --despite " + name;
  return with_reason(std::move(out));
}

std::string command(const ForgetDamage& forget) {
  std::string out = "assentctl forget " + to_string(forget.gtrid);
  if (!forget.participant.empty()) out += " --participant " + forget.participant;
  return with_reason(std::move(out));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

// ---------------------------------------------------------------- again, at once

void Coordinator::on_request(ClientRequested& asked, RetryTransaction& retry) {
  ActionTold told;
  Transaction* tx = find(retry.gtrid);
  if (tx != nullptr) {
    for (Branch& branch : tx->branches) {
      if (!branch.decided()) continue;
      const std::string& name = branch.participant->name;
      if (branch.told) {
        told.plan.push_back(name + " has been told; its answer is awaited");
      } else if (send_decision(*tx, branch)) {
        told.plan.push_back(name + " is told again now");
      } else {
        told.plan.push_back(name + " can't be told now; it waits for " + waits_for(*tx, branch));
      }
    }
    reschedule(*tx);
  }
  for (auto& [name, participant] : participants_) {
    const auto orphan = participant.orphans.find(retry.gtrid);
    if (orphan == participant.orphans.end()) continue;
    tell_orphan(participant, orphan->first, orphan->second);
    told.plan.push_back(name + " has been told to roll it back");
  }
  told.acted = !told.plan.empty();
  if (!told.acted) {
    told.refused = refused(
        "no decided branch of it is unfinished here; look at it with `assentctl "
        "show " +
            to_string(retry.gtrid) + "`",
        ErrorCode::kNoSuchTransaction);
  }
  reply(asked.session, asked.request, std::move(told));
}

// ---------------------------------------------------------------- planned, recorded, done

void Coordinator::answer(Look& look, ResolveTransaction& resolve,
                         const std::map<Gtrid, Decided>& decided) {
  const Decided* const logged = find_decided(decided, resolve.gtrid);
  Deed deed;
  deed.hand.action = resolve.participant.empty() ? HandAction::kResolve : HandAction::kFinish;
  deed.hand.gtrid = resolve.gtrid;
  deed.hand.participant = resolve.participant;
  deed.hand.decision = resolve.decision;
  deed.told.evidence = truth_of(resolve.gtrid, look, logged);
  deed.told.next = command(resolve);
  const Result<> planned = resolve.participant.empty() ? plan_whole(deed, resolve, logged)
                                                       : plan_finish(deed, resolve, logged);
  go_on(look, std::move(deed), planned, resolve.hand);
}

void Coordinator::answer(Look& look, ForgetDamage& forget,
                         const std::map<Gtrid, Decided>& decided) {
  Deed deed;
  deed.what = Deed::What::kForget;
  deed.hand.action = HandAction::kForget;
  deed.hand.gtrid = forget.gtrid;
  deed.hand.participant = forget.participant;
  deed.told.evidence = truth_of(forget.gtrid, look, find_decided(decided, forget.gtrid));
  deed.told.next = command(forget);
  const Result<> planned = plan_forget(deed, forget);
  go_on(look, std::move(deed), planned, forget.hand);
}

void Coordinator::go_on(Look& look, Deed deed, const Result<>& planned, const ByHand& hand) {
  const auto answer_now = [&](std::optional<Error> why) {
    deed.told.refused = std::move(why);
    if (deed.told.refused) {
      deed.told.next.clear();
      deed.told.plan.clear();
    }
    reply(look.session, look.request, std::move(deed.told));
  };
  if (planned.has_error()) return answer_now(planned.error());
  if (auto why = complaint_about(hand)) return answer_now(std::move(why));
  if (!hand.act) return answer_now(std::nullopt);
  if (by_hand_.contains(*deed.hand.gtrid)) {
    return answer_now(refused("somebody else is at it: look again", ErrorCode::kBusy));
  }
  deed.session = look.session;
  deed.request = look.request;
  deed.hand.by = hand.by;
  deed.hand.reason = hand.reason;
  for (const BranchTruth& truth : deed.told.evidence->branches) {
    deed.hand.evidence.push_back(evidence_text(truth));
  }
  const Gtrid gtrid = *deed.hand.gtrid;
  const Deed& kept = by_hand_.emplace(gtrid, std::move(deed)).first->second;
  if (!kept.decision) return append_forced(kept.hand, DoneByHand{gtrid});
  // In this order: a crash in between leaves an audit record, and nothing decided.
  append_forced(kept.hand, std::monostate{});
  append_forced(*kept.decision, DoneByHand{gtrid});
}

void Coordinator::on_durable(const DoneByHand& done_by_hand) {
  auto node = by_hand_.extract(done_by_hand.gtrid);
  ASSENT_CHECK(!node.empty());
  Deed& deed = node.mapped();
  deed.told.acted = true;
  deed.told.next = "assentctl show " + to_string(done_by_hand.gtrid);
  note(Note::Level::kWarning, "gtrid=" + to_string(done_by_hand.gtrid) +
                                  " by hand: " + joined(deed.told.plan) + "; by " + deed.hand.by);
  carry_out(deed);
  reply(deed.session, deed.request, std::move(deed.told));
}

void Coordinator::carry_out(Deed& deed) {
  switch (deed.what) {
    case Deed::What::kDecide:
      return decide_by_hand(deed);
    case Deed::What::kRollBackLive:
      return roll_back_live(deed);
    case Deed::What::kFinishListed:
      return finish_listed(deed);
    case Deed::What::kDeclare:
      return declare(deed);
    case Deed::What::kForget:
      return forget_damage(deed);
  }
}

// ---------------------------------------------------------------- a whole transaction

Result<> Coordinator::plan_whole(Deed& deed, const ResolveTransaction& resolve,
                                 const Decided* decided) {
  const Transaction* tx = find(resolve.gtrid);
  if (tx != nullptr && (tx->undecided() || tx->unbound())) {
    if (resolve.decision == Decision::kCommit) {
      return refused(
          "it is live and decides itself, within its timeout; only its rollback can be "
          "asked for");
    }
    deed.what = Deed::What::kRollBackLive;
    deed.told.plan.push_back("ask the coordinator to roll back the live transaction");
    return {};
  }
  const auto logged = decision_of(resolve.gtrid, decided);
  if (!logged) {
    if (decided != nullptr && resolve.decision == Decision::kCommit) {
      deed.told.plan.emplace_back(
          "take it that it is a transaction of the opening that was given up: the rollback that "
          "this log records under its gtrid is another one's");
    }
    return plan_unrecorded(deed, resolve);
  }
  if (*logged != resolve.decision) {
    return refused("its decision is " + word(*logged) + " and can't be reversed");
  }
  return refused("its decision is " + word(*logged) +
                 " already; to tell what is unfinished again: assentctl retry " +
                 to_string(resolve.gtrid));
}

std::optional<Decision> Coordinator::decision_of(const Gtrid& gtrid, const Decided* decided) {
  if (const Transaction* tx = find(gtrid)) {
    if (tx->undecided()) return std::nullopt;
    return tx->phase == Phase::kRollingBack ? Decision::kRollback : Decision::kCommit;
  }
  if (decided == nullptr || may_be_of_another(*decided)) return std::nullopt;
  return std::holds_alternative<CommitRecord>(decided->record) ? Decision::kCommit
                                                               : Decision::kRollback;
}

/// Only then it may still be committed: of any other, "not committed" may have been told (R1). Of
/// this opening no decision is missing but what was removed after the retention.
bool Coordinator::waits_for_person(const Gtrid& gtrid) const {
  const bool may_be_missing = !is_of_this_opening(gtrid) || (low_water_ && gtrid <= *low_water_);
  return may_be_missing &&
         std::any_of(participants_.begin(), participants_.end(), [&gtrid](const auto& entry) {
           return entry.second.hazards.contains(gtrid) || entry.second.held.contains(gtrid);
         });
}

/// Prepared branches that exist in databases only, and nobody may presume anything of.
Result<> Coordinator::plan_unrecorded(Deed& deed, const ResolveTransaction& resolve) {
  const bool commit = resolve.decision == Decision::kCommit;
  if (!is_ours(resolve.gtrid.log_id)) {
    return refused("it belongs to another coordinator's log, which has to decide it");
  }
  if (deposed_) return *deposed_;
  if (resolve.gtrid.log_id == log_id_ && resolve.gtrid >= next_gtrid()) {
    return refused(
        "no opening that this log knows has given that gtrid: the log is not the newest "
        "one, which has to decide it");
  }
  for (const std::string& name : resolve.despite) {
    if (find_participant(name) == nullptr) {
      return refused("no participant " + name, ErrorCode::kUnknownParticipant);
    }
  }
  std::vector<std::string> unreached;
  for (const BranchTruth& truth : deed.told.evidence->branches) {
    const std::string& name = truth.xid.bqual;
    if (commit && participants_.at(name).orphans.contains(resolve.gtrid)) {
      return refused("it is presumed aborted, and " + name + " has been told so");
    }
    if (!looked_at(truth)) {
      (contains(resolve.despite, name) ? deed.hand.despite : unreached).push_back(name);
      continue;
    }
    const BranchSight& sight = *truth.sight;
    if (!commit && sight.completion == Completion::kCommitted) {
      return refused(evidence_text(truth) + ": it can only be committed");
    }
    if (commit && proves_rollback(sight)) {
      return refused(evidence_text(truth) + ": it can only be rolled back");
    }
    if (sight.completion == Completion::kCannotTell) {
      deed.told.plan.push_back("take it that " + name + " has not " +
                               done(commit ? Decision::kRollback : Decision::kCommit) +
                               " a branch of it, which its database can't tell");
    }
    if (sight.completion != Completion::kStillPrepared) continue;
    deed.branches.push_back(as_listed(sight, participants_.at(name).welcome->database));
    deed.told.plan.push_back(verb(resolve.decision) + " the branch at " + name);
  }
  if (!unreached.empty()) {
    return refused("not reached: " + joined(unreached) +
                   "; what they hold is not known: bring them back, or add --despite for each");
  }
  if (deed.branches.empty() && (commit || deed.hand.despite.empty())) {
    return refused("no database that was reached lists a branch of it: nothing to resolve",
                   ErrorCode::kNoSuchTransaction);
  }
  if (commit && !waits_for_person(resolve.gtrid)) {
    return refused(
        "no commit of it can be missing from the log, which holds none: presumed "
        "aborted, and rolled back by itself");
  }
  for (const std::string& name : deed.hand.despite) {
    deed.told.plan.push_back(name + " is not looked at; what it holds follows when it is back");
  }
  if (commit) {
    deed.decision = CommitRecord{resolve.gtrid, "", {}, std::nullopt, deed.branches, true};
  } else {
    deed.decision = RollbackRecord{resolve.gtrid,
                                   "",
                                   {},
                                   std::nullopt,
                                   {.code = ErrorCode::kRolledBackByCaller,
                                    .effect = assent::Effect::kNone,
                                    .message = "rolled back by hand: " + resolve.hand.reason}};
  }
  return {};
}

/// Phase two runs as always.
void Coordinator::decide_by_hand(Deed& deed) {
  const Gtrid& gtrid = *deed.hand.gtrid;
  ASSENT_CHECK(find(gtrid) == nullptr);
  for (const DecidedBranch& branch : deed.branches) {
    Participant& participant = participants_.at(branch.xid.bqual);
    participant.hazards.erase(gtrid);
    participant.held.erase(gtrid);
    participant.orphans.erase(gtrid);
  }
  if (const auto* commit = std::get_if<CommitRecord>(&*deed.decision)) {
    Transaction& tx = take_committed(*commit);
    for (Branch& branch : tx.branches) {
      note_by_hand(*branch.participant);
      tell_decision(tx, branch);
    }
    return drive(tx);
  }
  Transaction& tx = transactions_[gtrid];
  tx.gtrid = gtrid;
  tx.form = Form::kRecovered;
  tx.phase = Phase::kRollingBack;
  tx.verdict = Verdict::kFinal;
  tx.outcome = Outcome::kRolledBack;
  tx.reason = std::get<RollbackRecord>(*deed.decision).reason;
  tx.begun = now_.steady;
  for (const DecidedBranch& listed : deed.branches) {
    Branch& branch = enlist(tx, participants_.at(listed.xid.bqual));
    branch.state = BranchState::kRollingBack;
    branch.proof = listed.proof;
  }
  for (Branch& branch : tx.branches) tell_decision(tx, branch);
  drive(tx);
}

/// Whoever asked for the rollback of the attempt before is told where its request is now.
void Coordinator::note_next_attempt(const Gtrid& before, const Gtrid& next) {
  for (auto& [gtrid, deed] : by_hand_) {
    if (deed.next_attempt.value_or(gtrid) == before) deed.next_attempt = next;
  }
}

void Coordinator::roll_back_live(Deed& deed) {
  Transaction* tx = find(*deed.hand.gtrid);
  if (tx == nullptr || !(tx->undecided() || tx->unbound())) {
    deed.told.acted = false;
    deed.told.plan.clear();
    deed.told.refused = refused("it was decided while the request was being recorded");
    if (!deed.next_attempt) return;
    const std::string next = to_string(*deed.next_attempt);
    deed.told.refused =
        refused("a conflict ended it while this was being recorded; its request goes on as " +
                next + " and may commit");
    deed.told.next = with_reason("assentctl resolve " + next + " --rollback");
    return;
  }
  const Error reason{.code = ErrorCode::kRolledBackByCaller,
                     .effect = assent::Effect::kNone,
                     .message = "rolled back by hand: " + deed.hand.reason};
  if (tx->undecided()) {
    decide_rollback(*tx, reason);
  } else {
    tx->reason = reason;
  }
  if (tx->unbound()) conclude_rollback(*tx);
  drive(*tx);
}

// ---------------------------------------------------------------- one branch in hazard

Result<> Coordinator::plan_finish(Deed& deed, const ResolveTransaction& resolve,
                                  const Decided* decided) {
  Participant* participant = find_participant(resolve.participant);
  if (participant == nullptr) {
    return refused("no participant " + resolve.participant, ErrorCode::kUnknownParticipant);
  }
  const auto logged = decision_of(resolve.gtrid, decided);
  if (!logged) return refused("it is not decided: resolve the whole of it, without --participant");
  Transaction* tx = find(resolve.gtrid);
  const Branch* branch = tx == nullptr ? nullptr : tx->find_branch(*participant);
  const bool other_listed = participant->hazards.contains(resolve.gtrid);
  const bool open = branch != nullptr && branch->decided() && branch->hazard;
  if (!other_listed && !open) {
    return refused("its branch at " + resolve.participant + " is not in heuristic hazard");
  }
  const auto& branches = deed.told.evidence->branches;
  const auto truth = std::find_if(branches.begin(), branches.end(), [&](const BranchTruth& one) {
    return one.xid.bqual == resolve.participant;
  });
  ASSENT_CHECK(truth != branches.end());
  if (!looked_at(*truth)) {
    if (!contains(resolve.despite, resolve.participant)) {
      return refused(evidence_text(*truth) + "; bring it back, or add --despite " +
                     resolve.participant);
    }
    deed.hand.despite.push_back(resolve.participant);
    return plan_declaration(deed, resolve, *logged);
  }
  const BranchSight& sight = *truth->sight;
  // As long as it is listed nobody can tell how the branch that voted has ended.
  const bool is_other = other_listed && sight.evidence == Evidence::kListed &&
                        sight.completion == Completion::kCannotTell && sight.transaction_id != 0;
  if (is_other) {
    if (resolve.decision == Decision::kCommit) {
      return refused("what " + resolve.participant +
                     " lists is not the branch that voted: it can only be rolled back");
    }
    return plan_finish_listed(deed, *participant, sight);
  }
  const bool shows_no_end = tx != nullptr && *logged == Decision::kCommit &&
                            shows_nothing(sight.evidence, tx->number, tx->gtrid);
  if (sight.completion == Completion::kCannotTell || shows_no_end) {
    return plan_declaration(deed, resolve, *logged);
  }
  if (sight.completion != Completion::kStillPrepared) {
    return refused(evidence_text(*truth) + ": it needs no hand: assentctl retry " +
                   to_string(resolve.gtrid));
  }
  // What is listed in the place of the branch that voted did not vote, so it may be rolled back.
  const bool may_roll_back = *logged == Decision::kRollback || other_listed;
  const bool allowed =
      resolve.decision == Decision::kCommit ? *logged == Decision::kCommit : may_roll_back;
  if (!allowed) return refused("its decision is " + word(*logged) + " and can't be reversed");
  return plan_finish_listed(deed, *participant, sight);
}

Result<> Coordinator::plan_finish_listed(Deed& deed, const Participant& participant,
                                         const BranchSight& sight) {
  deed.what = Deed::What::kFinishListed;
  deed.branches = {as_listed(sight, participant.welcome->database)};
  deed.told.plan.push_back("tell " + participant.name + " to " + verb(*deed.hand.decision) +
                           " the branch that it lists");
  return {};
}

Result<> Coordinator::plan_declaration(Deed& deed, const ResolveTransaction& resolve,
                                       Decision logged) {
  Transaction* tx = find(resolve.gtrid);
  Participant& participant = participants_.at(resolve.participant);
  const Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  if (branch == nullptr || !branch->decided()) {
    return refused(
        "the coordinator waits for nothing there; its damage can be forgotten: assentctl "
        "forget " +
        to_string(resolve.gtrid));
  }
  deed.what = Deed::What::kDeclare;
  deed.told.plan.push_back("take the branch at " + resolve.participant + " as " +
                           done(resolve.decision));
  if (resolve.decision != logged) {
    deed.told.plan.push_back("it stands against the decision " + word(logged) +
                             " then: damaged, and shown until it is forgotten");
  }
  return {};
}

/// Once: it is listed as long as it has not ended, so the person sees whether it has.
void Coordinator::finish_listed(const Deed& deed) {
  const DecidedBranch& listed = deed.branches.front();
  Participant& participant = participants_.at(listed.xid.bqual);
  if (!participant.connected) return;  // seen the same way
  if (deed.hand.decision == Decision::kCommit) {
    send(participant, Commit{listed.xid, listed.proof});
  } else {
    send(participant, Rollback{listed.xid, listed.proof});
  }
}

void Coordinator::declare(const Deed& deed) {
  Participant& participant = participants_.at(deed.hand.participant);
  Transaction* tx = find(*deed.hand.gtrid);
  Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  if (branch == nullptr || !branch->decided()) return;  // proved meanwhile
  const Xid xid = tx->xid(*branch);
  const Decision decision =
      branch->state == BranchState::kCommitting ? Decision::kCommit : Decision::kRollback;
  const std::string how = "declared " + done(*deed.hand.decision) + " by hand";
  if (deed.hand.decision == decision) {
    repair(xid, Evidence::kNone, how);
    mark_done(*tx, *branch);
  } else {
    branch->told = false;
    branch->next_try.reset();
    pin({xid, decision,
         decision == Decision::kCommit ? Heuristic::kRolledBack : Heuristic::kCommitted,
         Evidence::kNone, how + " although the decision is " + word(decision)});
  }
  drive(*tx);
}

// ---------------------------------------------------------------- forgetting

Result<> Coordinator::plan_forget(Deed& deed, const ForgetDamage& forget) {
  const auto found = damage_.find(forget.gtrid);
  const bool pinned = found != damage_.end() &&
                      (forget.participant.empty() || found->second.contains(forget.participant));
  if (!pinned) {
    return refused("no damage of it is pinned there: nothing to forget",
                   ErrorCode::kNoSuchTransaction);
  }
  // Else the same damage would be found again.
  if (find(forget.gtrid) != nullptr) {
    return refused(
        "it has unfinished branches: what is in hazard has to end first: assentctl "
        "resolve " +
        to_string(forget.gtrid) + " --participant ..");
  }
  for (const auto& [name, damaged] : found->second) {
    if (!forget.participant.empty() && name != forget.participant) continue;
    if (damaged.newest.violation) {
      return refused("no new work is taken since it was seen; allow that first: " +
                     command_to(Allowance::kViolation));
    }
    const Participant* participant = find_participant(name);
    if (participant != nullptr && (participant->hazards.contains(forget.gtrid) ||
                                   participant->orphans.contains(forget.gtrid))) {
      return refused("its branch at " + name +
                     " is still listed: it has to end first: assentctl "
                     "resolve " +
                     to_string(forget.gtrid) + " --participant " + name);
    }
    deed.told.plan.push_back("forget that " + name + " has a " +
                             std::string(to_string(damaged.newest.heuristic)));
  }
  return {};
}

void Coordinator::forget_damage(const Deed& deed) {
  const auto found = damage_.find(*deed.hand.gtrid);
  if (found == damage_.end()) return;
  if (deed.hand.participant.empty()) {
    damage_.erase(found);
  } else {
    found->second.erase(deed.hand.participant);
    if (found->second.empty()) damage_.erase(found);
  }
}

}  // namespace assent::coordinator
