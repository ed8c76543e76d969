// Branches that stand against the decision, or of which nothing can be told (X/Open's heuristic
// outcomes): recorded before anybody is told, and pinned until a person forgets them.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "protocol/base/check.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kDetailMax = 1024;

/// What was proved is not taken back by not being able to tell.
bool is_news(const HeuristicRecord& newest, const HeuristicRecord& found) {
  if (found.heuristic == Heuristic::kHazard) return false;
  if (found.violation && !newest.violation) return true;
  return newest.heuristic != found.heuristic || newest.decision != found.decision;
}

}  // namespace

/// Once for each change: what waits for a person is looked at again and again.
void Coordinator::pin(HeuristicRecord found) {
  auto& branches = damage_[found.xid.gtrid];
  const auto [entry, added] = branches.try_emplace(found.xid.bqual);
  Damaged& damaged = entry->second;
  if (!added && !damaged.repaired && !is_news(damaged.newest, found)) return;
  if (found.detail.size() > kDetailMax) found.detail.resize(kDetailMax);
  damaged.newest = found;
  damaged.repaired = false;
  damaged.found_lost = false;
  damaged.since = log_time_;
  append_forced(found, found);
}

/// It ended as decided after all. Shown until a person forgets it all the same: somebody may have
/// acted upon what was shown before.
void Coordinator::repair(const Xid& xid, Evidence evidence, const std::string& how) {
  Damaged* damaged = find_unrepaired(xid);
  if (damaged == nullptr) return;
  HeuristicRecord record = damaged->newest;
  record.evidence = evidence;
  record.detail = how + ", as decided; was: " + record.detail;
  if (record.detail.size() > kDetailMax) record.detail.resize(kDetailMax);
  damaged->newest = record;
  damaged->repaired = true;
  append_forced(record, record);
}

void Coordinator::on_durable(const HeuristicRecord& record) {
  const Xid& xid = record.xid;
  const auto [entry, added] = damage_[xid.gtrid].try_emplace(xid.bqual);
  if (added) entry->second.newest = record;  // forgotten while it was on its way
  entry->second.durable = record;
  Participant* participant = find_participant(xid.bqual);
  ASSENT_CHECK(participant != nullptr);
  Transaction* tx = find(xid.gtrid);
  if (tx == nullptr) {
    if (record.heuristic == Heuristic::kCommitted) participant->orphans.erase(xid.gtrid);
    return;
  }
  Branch* branch = tx->find_branch(*participant);
  if (branch != nullptr && !branch->told && recorded_as_damaged(*tx, *branch)) {
    mark_damaged(*tx, *branch);
  }
  // The next attempt would do again what this one has done, or may have done, at the participant.
  if (tx->verdict == Verdict::kRetry) conclude_rollback(*tx);
  drive(*tx);
}

// ---------------------------------------------------------------- violations

/// Of earlier openings, or not among those that a person has seen: no new work (R6).
void Coordinator::freeze_for_violations() {
  for (const Xid& xid : violations()) {
    const HeuristicRecord& record = find_damage(xid)->newest;
    freeze({.code = ErrorCode::kHazard,
            .effect = assent::Effect::kUnknown,
            .message = "xid=" + to_string(xid) + " " + std::string(to_string(record.heuristic)) +
                       " although the decision is " + std::string(to_string(record.decision)),
            .participant = xid.bqual});
  }
}

std::vector<Xid> Coordinator::violations() const {
  std::vector<Xid> out;
  for (const auto& [gtrid, branches] : damage_) {
    for (const auto& [name, damaged] : branches) {
      if (damaged.newest.violation) out.push_back(damaged.newest.xid);
    }
  }
  return out;
}

/// What was found after the person had asked is not allowed by it.
void Coordinator::allow_violations(const std::vector<Xid>& seen) {
  for (const Xid& xid : seen) {
    if (Damaged* damaged = find_damage(xid)) damaged->newest.violation = false;
  }
  frozen_.reset();
  freeze_for_violations();
}

/// Proved, so nothing is left to tell it.
void Coordinator::mark_damaged(Transaction& tx, Branch& branch) {
  settle_branch(tx, branch, BranchState::kDamaged);
}

bool Coordinator::recorded_as_damaged(const Transaction& tx, const Branch& branch) {
  const Damaged* damaged = find_unrepaired(tx.xid(branch));
  const bool pinned = damaged != nullptr && damaged->durable;
  if (!pinned || !branch.decided()) return false;
  const bool commit = branch.state == BranchState::kCommitting;
  return damaged->durable->heuristic == (commit ? Heuristic::kRolledBack : Heuristic::kCommitted);
}

bool Coordinator::damage_is_durable(const Participant& participant) const {
  return std::all_of(damage_.begin(), damage_.end(), [&participant](const auto& damaged) {
    const auto branch = damaged.second.find(participant.name);
    return branch == damaged.second.end() || branch->second.durable;
  });
}

/// Of those whose decision is commit, by whoever found them: the search, phase two, a list.
std::size_t Coordinator::lost_branches(const Participant& participant) const {
  return static_cast<std::size_t>(
      std::count_if(damage_.begin(), damage_.end(), [&participant](const auto& damaged) {
        const auto branch = damaged.second.find(participant.name);
        if (branch == damaged.second.end() || branch->second.repaired) return false;
        return branch->second.newest.decision == Decision::kCommit;
      }));
}

bool Coordinator::damaged(const Transaction& tx) const {
  return damage_.contains(tx.gtrid);
}

std::vector<Damage> Coordinator::damage_of(const Gtrid& gtrid) const {
  std::vector<Damage> out;
  const auto found = damage_.find(gtrid);
  if (found == damage_.end()) return out;
  for (const auto& [participant, damaged] : found->second) {
    if (!damaged.durable) continue;
    out.push_back({participant, damaged.durable->heuristic, damaged.durable->detail});
  }
  return out;
}

Coordinator::Damaged* Coordinator::find_damage(const Xid& xid) {
  const auto found = damage_.find(xid.gtrid);
  if (found == damage_.end()) return nullptr;
  const auto branch = found->second.find(xid.bqual);
  return branch == found->second.end() ? nullptr : &branch->second;
}

Coordinator::Damaged* Coordinator::find_unrepaired(const Xid& xid) {
  Damaged* damaged = find_damage(xid);
  return damaged == nullptr || damaged->repaired ? nullptr : damaged;
}

}  // namespace assent::coordinator
