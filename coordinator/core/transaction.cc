#include "coordinator/core/transaction.h"

#include <algorithm>

#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

void take_earlier(std::optional<Instant>& earliest, std::optional<Instant> other) {
  if (other && (!earliest || *other < *earliest)) earliest = other;
}

BranchSummary summary_of(const Transaction& tx, const Branch& branch, Instant now) {
  BranchSummary out;
  out.xid = tx.xid(branch);
  out.state = branch.hazard ? "hazard" : to_string(branch.state);
  out.last_error = branch.last_error;
  out.tries = branch.tries;
  if (branch.next_try) out.next_try_in = std::max(*branch.next_try - now, Duration{1});
  return out;
}

/// Of branches that may be changed or not, as the vector is.
template <typename Branches>
auto* find_branch_in(Branches& branches, const Participant& participant) {
  const auto found = std::find_if(
      branches.begin(), branches.end(),
      [&participant](const Branch& branch) { return branch.participant == &participant; });
  return found == branches.end() ? nullptr : &*found;
}

}  // namespace

bool may_follow(Phase from, Phase to) {
  switch (from) {
    case Phase::kActive:
      return to == Phase::kPreparing || to == Phase::kRollingBack;
    case Phase::kPreparing:
      return to == Phase::kDeciding || to == Phase::kRollingBack || to == Phase::kEnded;
    case Phase::kDeciding:
      return to == Phase::kCommitting;
    case Phase::kCommitting:
    case Phase::kRollingBack:
      return to == Phase::kEnded;
    case Phase::kEnded:
      return false;
  }
  return false;
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kActive:
      return "active";
    case Phase::kPreparing:
      return "preparing";
    case Phase::kDeciding:
      return "deciding";
    case Phase::kCommitting:
      return "committing";
    case Phase::kRollingBack:
      return "rolling_back";
    case Phase::kEnded:
      return "ended";
  }
  check_failed(__FILE__, __LINE__, "a Phase");
}

std::string_view to_string(BranchState state) {
  switch (state) {
    case BranchState::kWaiting:
      return "waiting";
    case BranchState::kWorking:
      return "working";
    case BranchState::kOpen:
      return "open";
    case BranchState::kPreparing:
      return "preparing";
    case BranchState::kPrepared:
      return "prepared";
    case BranchState::kCommitting:
      return "committing";
    case BranchState::kRollingBack:
      return "rolling_back";
    case BranchState::kDone:
      return "done";
    case BranchState::kDamaged:
      return "damaged";
  }
  check_failed(__FILE__, __LINE__, "a BranchState");
}

void Transaction::enter(Phase next) {
  ASSENT_CHECK(may_follow(phase, next));
  phase = next;
}

Branch* Transaction::find_branch(const Participant& participant) {
  return find_branch_in(branches, participant);
}

const Branch* Transaction::find_branch(const Participant& participant) const {
  return find_branch_in(branches, participant);
}

bool Transaction::unbound() const {
  return undecided() || verdict == Verdict::kRetry || verdict == Verdict::kUnasked;
}

bool Transaction::executing() const {
  return std::any_of(branches.begin(), branches.end(),
                     [](const Branch& b) { return b.executing.has_value(); });
}

bool Transaction::all_worked() const {
  return std::all_of(branches.begin(), branches.end(), [](const Branch& b) { return b.worked; });
}

bool Transaction::all_asked_to_prepare() const {
  return std::none_of(branches.begin(), branches.end(), [](const Branch& b) {
    return b.state == BranchState::kWaiting || b.state == BranchState::kWorking ||
           b.state == BranchState::kOpen;
  });
}

bool Transaction::all_voted_yes() const {
  if (mutant("one yes is enough") && branches.front().voted()) return true;
  return std::all_of(branches.begin(), branches.end(),
                     [](const Branch& b) { return b.state == BranchState::kPrepared || b.done(); });
}

bool Transaction::all_voters_linked() const {
  return std::all_of(branches.begin(), branches.end(), [](const Branch& b) {
    return b.state != BranchState::kPrepared || b.participant->connected;
  });
}

bool Transaction::all_done() const {
  return std::all_of(branches.begin(), branches.end(), [](const Branch& b) { return b.done(); });
}

bool Transaction::all_settled() const {
  return std::all_of(branches.begin(), branches.end(), [](const Branch& b) { return b.settled(); });
}

std::vector<std::string> Transaction::pending() const {
  std::vector<std::string> names;
  for (const Branch& branch : branches) {
    if (!branch.settled()) names.push_back(branch.participant->name);
  }
  return names;
}

std::optional<Instant> Transaction::due() const {
  std::optional<Instant> earliest = next_attempt;
  if (unbound()) take_earlier(earliest, request.deadline);
  for (const Waiter& waiter : request.waiters) take_earlier(earliest, waiter.deadline);
  for (const Branch& branch : branches) take_earlier(earliest, branch.next_try);
  return earliest;
}

Answer Transaction::answer() const {
  Answer answer;
  answer.gtrid = gtrid;
  if (!outcome) {
    answer.outcome = Outcome::kInProgress;
    return answer;
  }
  answer.outcome = *outcome;
  answer.pending = pending();
  answer.applied = answer.pending.empty() || mutant("applied is told too early");
  if (*outcome != Outcome::kCommitted) answer.error = reason;
  return answer;
}

CommitRecord Transaction::commit_record() const {
  CommitRecord record{gtrid, request.key, request.hash, request.not_after, {}};
  for (const Branch& branch : branches) {
    if (!branch.done() || mutant("who only read is told to commit"))
      record.branches.push_back({xid(branch), branch.proof});
  }
  if (mutant("the record lacks a branch") && !record.branches.empty()) record.branches.pop_back();
  return record;
}

RollbackRecord Transaction::rollback_record() const {
  ASSENT_CHECK(reason.has_value());
  return {gtrid, request.key, request.hash, request.not_after, *reason};
}

EndRecord Transaction::end_record() const {
  EndRecord record{gtrid, {}};
  for (const Branch& branch : branches) {
    const bool plain =
        branch.evidence == Evidence::kNone || branch.evidence == Evidence::kDatabaseAnswer;
    if (!plain) record.ends.push_back({branch.participant->name, branch.evidence});
  }
  return record;
}

TransactionSummary Transaction::summary(Instant now) const {
  TransactionSummary out;
  out.gtrid = gtrid;
  out.key = request.key;
  out.phase = to_string(phase);
  out.outcome = outcome;
  out.age = now - begun;
  for (const Branch& branch : branches) out.branches.push_back(summary_of(*this, branch, now));
  out.reason = reason;
  return out;
}

}  // namespace assent::coordinator
