// One transaction in three truths: what its databases list, what the table holds, what is logged.

#include <algorithm>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/reason.h"

namespace assent::coordinator {
namespace {

/// There is a branch, or was one. The absence of an unknown branch shows nothing.
bool shows_branch(const BranchSight& sight) {
  return sight.completion == Completion::kStillPrepared ||
         sight.completion == Completion::kCommitted || sight.evidence == Evidence::kNeverPrepared;
}

std::string logged_of(const Transaction& tx) {
  if (tx.outcome == Outcome::kCommitted) return "commit";
  const bool recorded = tx.form == Form::kRecovered || !tx.request.key.empty();
  return tx.outcome == Outcome::kRolledBack && recorded ? "rollback" : "nothing";
}

std::string logged_of(const Decided& decided) {
  return std::holds_alternative<CommitRecord>(decided.record) ? "commit" : "rollback";
}

/// Witness rows go once all ends are in the log: then nothing can be told by one any more.
void forget_removed_row(BranchSight& sight) {
  const bool missed = sight.completion == Completion::kRolledBack;
  if (!missed || sight.evidence != Evidence::kNoWitnessRow) return;
  sight.completion = Completion::kCannotTell;
  sight.error = Error{.code = ErrorCode::kNoSuchTransaction,
                      .effect = assent::Effect::kNone,
                      .message =
                          "the transaction has ended, and then its witness rows go: that this "
                          "one is not there shows nothing",
                      .participant = sight.xid.bqual};
}

std::string waiting(std::string what, const std::optional<Error>& error) {
  if (error) what += ": " + error->message;
  return what;
}

}  // namespace

InDoubtTransaction Coordinator::truth_of(const Gtrid& gtrid, const Look& look,
                                         const Decided* decided) {
  InDoubtTransaction out;
  out.gtrid = gtrid;
  out.phase = by_hand_.contains(gtrid) ? "by_hand" : "none";
  if (const Transaction* tx = find(gtrid)) {
    out.key = tx->request.key;
    out.phase = to_string(tx->phase);
    out.outcome = tx->outcome;
    out.age = now_.steady - tx->begun;
  } else if (decided != nullptr) {
    if (const auto* commit = std::get_if<CommitRecord>(&decided->record)) {
      out.key = commit->key;
      out.outcome = Outcome::kCommitted;
    } else {
      const auto& rollback = std::get<RollbackRecord>(decided->record);
      out.key = rollback.key;
      out.outcome = outcome_of(rollback);
    }
  }
  if (const auto found = damage_.find(gtrid); found != damage_.end()) {
    for (const auto& [name, damaged] : found->second) {
      out.age = std::max(out.age, ago(damaged.since));
    }
  }
  for (const std::string& name : participants_of(gtrid, look, decided)) {
    out.branches.push_back(truth_of(Xid{gtrid, name}, look, decided));
    if (const auto& sight = out.branches.back().sight) out.age = std::max(out.age, sight->age);
  }
  return out;
}

/// Of one that nobody has decided every participant may have a branch.
std::set<std::string> Coordinator::participants_of(const Gtrid& gtrid, const Look& look,
                                                   const Decided* decided) {
  std::set<std::string> names;
  const Transaction* tx = find(gtrid);
  const bool any = look.gtrid && tx == nullptr && decided == nullptr;
  for (const auto& [name, participant] : participants_) {
    const BranchSight* sight = look.sight({gtrid, name});
    const bool known = participant.hazards.contains(gtrid) || participant.held.contains(gtrid) ||
                       participant.orphans.contains(gtrid) ||
                       (sight != nullptr && shows_branch(*sight));
    const bool asked = !participant.connected || may_have(participant, gtrid.log_id);
    if ((any && asked) || known) names.insert(name);
  }
  if (tx != nullptr) {
    for (const Branch& branch : tx->branches) names.insert(branch.participant->name);
  }
  // Of many at once only what is in doubt: the proofs of the others are in records not read here.
  const auto* commit = decided ? std::get_if<CommitRecord>(&decided->record) : nullptr;
  if (commit != nullptr && look.gtrid) {
    for (const DecidedBranch& branch : commit->branches) names.insert(branch.xid.bqual);
  }
  if (const auto found = damage_.find(gtrid); found != damage_.end()) {
    for (const auto& [name, damaged] : found->second) names.insert(name);
  }
  return names;
}

BranchTruth Coordinator::truth_of(const Xid& xid, const Look& look, const Decided* decided) {
  BranchTruth out;
  out.xid = xid;
  out.state = "none";
  out.logged = decided != nullptr ? logged_of(*decided) : "nothing";
  if (const BranchSight* sight = look.sight(xid)) out.sight = *sight;
  Participant* participant = find_participant(xid.bqual);
  if (participant == nullptr) return out;  // of an ended transaction, and not configured any more
  if (Transaction* tx = find(xid.gtrid)) {
    out.logged = logged_of(*tx);
    if (const Branch* branch = tx->find_branch(*participant)) {
      out.state = branch->hazard ? "hazard" : to_string(branch->state);
      out.tries = branch->tries;
      if (branch->next_try) {
        out.next_try_in = std::max(*branch->next_try - now_.steady, Duration{1});
      }
      out.last_error = branch->last_error;
      out.waits_for = waits_for(*tx, *branch);
    }
  }
  if (const auto found = participant->orphans.find(xid.gtrid);
      found != participant->orphans.end()) {
    out.state = "orphan";
    out.tries = found->second.tries;
    out.last_error = found->second.last_error;
    out.waits_for = "the answer to rollback: nobody decided it";
  }
  if (const auto found = participant->hazards.find(xid.gtrid);
      found != participant->hazards.end()) {
    out.state = "hazard";
    out.last_error = found->second;
    out.waits_for = "a person";
  }
  if (const auto found = participant->held.find(xid.gtrid); found != participant->held.end()) {
    out.state = "held";
    out.waits_for = "a person: " + found->second.why;
  }
  if (const auto why = look.unreached.find(xid.bqual); why != look.unreached.end()) {
    out.last_error = why->second;
  }
  const Damaged* const damaged = find_damage(xid);
  if (damaged != nullptr && damaged->durable) {
    out.damage = Damage{xid.bqual, damaged->durable->heuristic, damaged->durable->detail};
  }
  const bool committed =
      decided != nullptr && std::holds_alternative<CommitRecord>(decided->record);
  const bool ended = committed && find(xid.gtrid) == nullptr && damaged == nullptr;
  if (ended && out.sight) forget_removed_row(*out.sight);
  return out;
}

std::string Coordinator::waits_for(const Transaction& tx, const Branch& branch) const {
  const Participant& participant = *branch.participant;
  if (branch.settled()) return "";
  if (branch.hazard) return "a person to say how it ended, or the database to show it";
  if (!participant.connected) return waiting("a link to the agent", participant.last_error);
  switch (branch.state) {
    case BranchState::kWaiting:
      return "its turn";
    case BranchState::kWorking:
      return "the answer to its statements";
    case BranchState::kOpen:
      return "more statements, or prepare";
    case BranchState::kPreparing:
      return "its vote";
    case BranchState::kPrepared:
      return tx.phase == Phase::kDeciding ? "the decision to be durable" : "the other votes";
    case BranchState::kCommitting:
    case BranchState::kRollingBack:
      break;
    case BranchState::kDone:
    case BranchState::kDamaged:
      return "";
  }
  const char* const decision = branch.state == BranchState::kCommitting ? "commit" : "rollback";
  if (participant.unreached) return waiting("the database to be reached", participant.last_error);
  if (branch.told) return std::string("the answer to ") + decision;
  if (participant.hazards.contains(tx.gtrid)) return "a person";
  return std::string("the next try of ") + decision;
}

}  // namespace assent::coordinator
