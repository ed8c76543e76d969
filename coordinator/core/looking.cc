// What people ask about, and what the databases say to it: each is asked once for all who wait, and
// nobody waits longer than he said.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/send.h"
#include "coordinator/core/story_lines.h"
#include "protocol/base/check.h"

namespace assent::coordinator {
namespace {

constexpr Duration kPatience = std::chrono::seconds(2);  ///< of those that don't say
/// After this an Inspect that was asked for is not waited for any longer.
constexpr Duration kInspectPatience = std::chrono::seconds(60);

Error not_in_time(const std::string& participant) {
  return {.code = ErrorCode::kTimeout,
          .effect = assent::Effect::kNone,
          .message = "its agent did not say in time what the database lists",
          .participant = participant};
}

std::optional<Gtrid> gtrid_of(const Look::Question& question) {
  if (const auto* tell = std::get_if<TellStory>(&question)) return tell->gtrid;
  if (const auto* resolve = std::get_if<ResolveTransaction>(&question)) return resolve->gtrid;
  if (const auto* forget = std::get_if<ForgetDamage>(&question)) return forget->gtrid;
  return std::nullopt;
}

/// Of a transaction that is decided and unfinished, or undecided and prepared.
bool in_doubt(const Transaction& tx) {
  if (!tx.undecided()) return true;
  return std::any_of(tx.branches.begin(), tx.branches.end(),
                     [](const Branch& b) { return b.state == BranchState::kPrepared; });
}

}  // namespace

const BranchSight* Look::sight(const Xid& xid) const {
  const auto answer = seen.find(xid.bqual);
  if (answer == seen.end()) return nullptr;
  for (const BranchSight& sight : answer->second.branches) {
    if (sight.xid == xid) return &sight;
  }
  return nullptr;
}

// ---------------------------------------------------------------- questions

void Coordinator::on_request(ClientRequested& asked, ListInDoubt& list) {
  look(asked, list, list.patience);
}

void Coordinator::on_request(ClientRequested& asked, TellStory& tell) {
  look(asked, tell, tell.patience);
}

void Coordinator::on_request(ClientRequested& asked, ResolveTransaction& resolve) {
  look(asked, std::move(resolve), kPatience);
}

void Coordinator::on_request(ClientRequested& asked, ForgetDamage& forget) {
  look(asked, std::move(forget), kPatience);
}

void Coordinator::look(ClientRequested& asked, Look::Question question, Duration patience) {
  const LookId id{next_look_++};
  Look& look = looks_[id];
  look.session = asked.session;
  look.request = asked.request;
  look.gtrid = gtrid_of(question);
  look.question = std::move(question);
  look.story = std::move(asked.story);
  for (auto& [name, participant] : participants_) {
    if (participant.connected) {
      look.awaited.insert(name);
      participant.next_lookers.insert(id);
    } else {
      look.unreached.emplace(name, participant.no_link());
    }
  }
  if (look.awaited.empty()) return on_looked(id, look);
  timers_.set(look.timer, now_.steady + std::clamp(patience, Duration{1}, kPatienceMax), id);
  for (auto& [name, participant] : participants_) send_inspect(participant);
}

// ---------------------------------------------------------------- one Inspect at a time

void Coordinator::send_inspect(Participant& participant) {
  if (!participant.connected || participant.next_lookers.empty()) return;
  const bool waiting =
      participant.inspect != 0 && now_.steady < participant.inspect_asked + kInspectPatience;
  if (waiting) return;
  participant.inspect = next_serial_++;
  participant.inspect_asked = now_.steady;
  participant.lookers = std::exchange(participant.next_lookers, {});
  send(participant, Inspect{participant.inspect, branches_to_inspect(participant)});
}

/// Whatever the database lists, it tells anyway. Who asks about one transaction comes first. Of
/// damage whose transaction has ended the proofs are in the log only: `show` looks at it.
std::vector<BranchAsked> Coordinator::branches_to_inspect(const Participant& participant) {
  std::vector<BranchAsked> out;
  std::set<Gtrid> taken;
  const auto ask = [&](const Gtrid& gtrid, const Look& look) {
    // An agent is asked about no other (R3).
    const bool ours = may_have(participant, gtrid.log_id);
    if (!ours || out.size() == kInspectedMax || !taken.insert(gtrid).second) return;
    const Xid xid{gtrid, participant.name};
    out.push_back({xid, proof_of(xid, look)});
  };
  const Look* everything = nullptr;
  for (const LookId id : participant.lookers) {
    const auto found = looks_.find(id);
    if (found == looks_.end()) continue;  // it could not wait so long
    const Look& look = found->second;
    if (look.gtrid) {
      ask(*look.gtrid, look);
    } else {
      everything = &look;
    }
  }
  if (everything == nullptr) return out;
  for (auto& [gtrid, tx] : transactions_) {
    if (in_doubt(tx) && tx.find_branch(participant) != nullptr) ask(gtrid, *everything);
  }
  return out;
}

/// As its vote had it: in the table or, of one that has ended, in its commit record.
std::optional<BranchProof> Coordinator::proof_of(const Xid& xid, const Look& look) {
  if (Transaction* tx = find(xid.gtrid)) {
    const Branch* branch = tx->find_branch(participants_.at(xid.bqual));
    if (branch != nullptr && branch->voted()) return branch->proof;
  }
  for (const ToldRecord& told : look.story) {
    const auto* commit = std::get_if<CommitRecord>(&told.record);
    if (commit == nullptr || commit->gtrid != xid.gtrid) continue;
    if (const DecidedBranch* branch = find_branch(*commit, xid)) return branch->proof;
  }
  return std::nullopt;
}

void Coordinator::on_reply(Participant& participant, Inspected& inspected) {
  if (took_for_history(participant, inspected)) return;
  if (participant.inspect == 0 || inspected.serial != participant.inspect) return;  // late
  participant.inspect = 0;
  for (const LookId id : std::exchange(participant.lookers, {})) {
    const auto found = looks_.find(id);
    if (found == looks_.end()) continue;  // it could not wait so long
    Look& look = found->second;
    look.awaited.erase(participant.name);
    if (inspected.error) {
      look.unreached.emplace(participant.name, *inspected.error);
    } else {
      look.seen.emplace(participant.name, inspected);
    }
    if (look.awaited.empty()) on_looked(id, look);
  }
  send_inspect(participant);
}

void Coordinator::give_up_inspect(Participant& participant, const Error& why) {
  participant.inspect = 0;
  std::set<LookId> waiting = std::exchange(participant.lookers, {});
  waiting.merge(std::exchange(participant.next_lookers, {}));
  for (const LookId id : waiting) {
    const auto found = looks_.find(id);
    if (found == looks_.end()) continue;
    Look& look = found->second;
    look.awaited.erase(participant.name);
    look.unreached.emplace(participant.name, why);
    if (look.awaited.empty()) on_looked(id, look);
  }
}

void Coordinator::on_due(LookId id) {
  Look& look = looks_.at(id);
  for (const std::string& name : std::exchange(look.awaited, {})) {
    look.unreached.emplace(name, not_in_time(name));
    participants_.at(name).next_lookers.erase(id);
  }
  on_looked(id, look);
}

/// Nobody to answer; what was being recorded by then is done all the same.
void Coordinator::forget_looks(ClientSessionId session) {
  for (auto entry = looks_.begin(); entry != looks_.end();) {
    Look& look = entry->second;
    const bool of_it = look.session == session;
    if (of_it) timers_.cancel(look.timer);
    entry = of_it ? looks_.erase(entry) : std::next(entry);
  }
}

// ---------------------------------------------------------------- then the table, then the log

void Coordinator::on_looked(LookId id, Look& look) {
  timers_.cancel(look.timer);
  if (look.gtrid) {
    look.transactions = {*look.gtrid};
  } else {
    choose_in_doubt(look);
  }
  // Also of those in the table: they may have left it when the log is asked.
  effects_.push_back(FindOutcomes{id, look.transactions});
}

void Coordinator::choose_in_doubt(Look& look) const {
  std::set<Gtrid> chosen;
  for (const auto& [gtrid, tx] : transactions_) {
    if (in_doubt(tx)) chosen.insert(gtrid);
  }
  for (const auto& [gtrid, branches] : damage_) chosen.insert(gtrid);
  for (const auto& [name, participant] : participants_) {
    for (const auto& [gtrid, error] : participant.hazards) chosen.insert(gtrid);
    for (const auto& [gtrid, orphan] : participant.orphans) chosen.insert(gtrid);
    for (const auto& [gtrid, held] : participant.held) chosen.insert(gtrid);
  }
  for (const auto& [name, inspected] : look.seen) {
    for (const BranchSight& sight : inspected.branches) {
      const bool ours = is_ours(sight.xid.gtrid.log_id);
      if (ours && sight.completion == Completion::kStillPrepared) chosen.insert(sight.xid.gtrid);
    }
  }
  look.transactions.assign(chosen.begin(), chosen.end());
  if (look.transactions.size() <= kListedMax) return;
  look.more = look.transactions.size() - kListedMax;
  look.transactions.resize(kListedMax);
}

void Coordinator::on(const OutcomesFound& event) {
  auto node = looks_.extract(event.look);
  if (node.empty()) return;  // who asked has gone
  Look& look = node.mapped();
  std::visit([&](auto& question) { answer(look, question, event.decided); }, look.question);
}

void Coordinator::answer(Look& look, const ListInDoubt&, const std::map<Gtrid, Decided>& decided) {
  InDoubtList list;
  for (const Gtrid& gtrid : look.transactions) {
    list.transactions.push_back(truth_of(gtrid, look, find_decided(decided, gtrid)));
  }
  list.more = look.more;
  for (auto& [name, inspected] : look.seen) {
    for (ForeignBranch& branch : inspected.foreign) {
      if (list.foreign.size() < kListedMax) list.foreign.push_back({name, std::move(branch)});
    }
  }
  for (auto& [name, why] : look.unreached) {
    why.participant = name;
    list.unreached.push_back(std::move(why));
  }
  reply(look.session, look.request, std::move(list));
}

void Coordinator::answer(Look& look, const TellStory& tell,
                         const std::map<Gtrid, Decided>& decided) {
  StoryTold told;
  InDoubtTransaction truth = truth_of(tell.gtrid, look, find_decided(decided, tell.gtrid));
  const bool listed =
      std::any_of(truth.branches.begin(), truth.branches.end(), [](const BranchTruth& branch) {
        return branch.damage ||
               (branch.sight && branch.sight->completion == Completion::kStillPrepared);
      });
  if (find(tell.gtrid) != nullptr || !look.story.empty() || listed) {
    told.transaction = std::move(truth);
  }
  for (const ToldRecord& record : look.story) told.lines.push_back(line_of(record));
  reply(look.session, look.request, std::move(told));
}

}  // namespace assent::coordinator
