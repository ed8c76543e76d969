// Links to agents, one prober for each database that is out of reach, scans for orphans, and
// witness rows that may go.

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

/// After this a list that was asked for is not waited for any longer.
constexpr Duration kScanPatience = std::chrono::seconds(60);
/// Ends told to an agent in one message.
constexpr std::size_t kForgetBatch = 100;
/// More are dropped, and stay as a few bytes each in the participant's database.
constexpr std::size_t kWitnessRowsMax = 100'000;

void move_all(std::vector<Gtrid>& from, std::vector<Gtrid>& to) {
  to.insert(to.end(), from.begin(), from.end());
  from.clear();
}

bool same_transaction(std::uint64_t listed, std::uint64_t recorded) {
  return listed == 0 || recorded == 0 || listed == recorded;
}

}  // namespace

// ---------------------------------------------------------------- links

void Coordinator::on(AgentConnected event) {
  Participant* found = find_participant(event.participant);
  ASSENT_CHECK(found != nullptr);
  Participant& participant = *found;
  lose_link(participant, "a new link replaced the one before");
  tried(participant);
  if (const auto unfit = why_not_taken(participant, event.welcome.database.id)) {
    turn_away(participant, *unfit);
    return reschedule(participant);
  }
  const bool same_agent =
      participant.welcome && participant.welcome->incarnation == event.welcome.incarnation;
  participant.since = now_.steady;
  participant.connected = true;
  participant.welcome = std::move(event.welcome);
  participant.last_error.reset();
  note(Note::Level::kInfo,
       "participant=" + participant.name + " connected to " + participant.welcome->database.id);
  notice_other_logs(participant);
  greet_history(participant);
  take_up_votes(participant, same_agent);
  tell_all(participant);
  ask_list(participant);
  reschedule(participant);
}

/// A participant stays the database of its open branches: only there can their end be proved. Two
/// names for one database would commit twice where the caller meant two databases (section 6).
std::optional<Error> Coordinator::why_not_taken(const Participant& participant,
                                                const std::string& database) {
  const auto unfit = [&participant](std::string message) {
    return Error{.code = ErrorCode::kDatabaseUnfit,
                 .effect = assent::Effect::kNone,
                 .message = std::move(message),
                 .participant = participant.name};
  };
  for (const std::string& open : databases_of_branches(participant)) {
    if (open == database) continue;
    return unfit("its database is " + database + ", but it has unfinished branches in " + open +
                 "; connect the participant to the database it had");
  }
  for (const auto& [name, other] : participants_) {
    if (&other == &participant) continue;
    // The last welcome of one that is gone says nothing: the two may have been swapped.
    const bool same = other.connected ? other.welcome->database.id == database
                                      : databases_of_branches(other).contains(database);
    if (!same) continue;
    return unfit("its database " + database + " is that of participant " + name +
                 "; give each participant a database of its own");
  }
  return std::nullopt;
}

std::set<std::string> Coordinator::databases_of_branches(const Participant& participant) {
  std::set<std::string> out;
  for (const Gtrid& gtrid : participant.branches) {
    const Branch& branch = *find(gtrid)->find_branch(participant);
    if (branch.state != BranchState::kWaiting) out.insert(branch.proof.database.id);
  }
  return out;
}

/// The link comes back by itself, and is taken once the database has been put right.
void Coordinator::turn_away(Participant& participant, const Error& why) {
  if (!participant.last_error || participant.last_error->message != why.message) {
    note(Note::Level::kError, "participant=" + participant.name + " not taken: " + why.message);
  }
  participant.last_error = why;
  effects_.push_back(CloseAgentLink{participant.name, why});
}

void Coordinator::on(const AgentDisconnected& event) {
  Participant* participant = find_participant(event.participant);
  ASSENT_CHECK(participant != nullptr);
  const bool news = participant->connected || !participant->last_error ||
                    participant->last_error->code != event.why.code;
  if (news) {
    note(needs_a_person(event.why.code) ? Note::Level::kError : Note::Level::kInfo,
         "participant=" + participant->name + " not connected: " + event.why.message);
  }
  participant->last_error = event.why;
  lose_link(*participant, event.why.message);
  reschedule(*participant);
  if (event.why.code == ErrorCode::kFenced) on_fenced(*participant, event.why, event.fence);
  tried(*participant);
}

/// Votes that had not come count as unknown, and what was open and unprepared is doomed (R5, R10).
/// What had voted yes waits for the next link (take_up_votes), and what was decided is told again
/// on it.
void Coordinator::lose_link(Participant& participant, const std::string& why) {
  if (!participant.connected) return;
  participant.connected = false;
  participant.since = now_.steady;
  participant.scan_asked.reset();
  participant.finished_during_scan.clear();
  participant.history.serial = 0;
  WitnessRows& rows = participant.witness_rows;
  rows.ended.insert(rows.ended.begin(), rows.being_told.begin(), rows.being_told.end());
  rows.being_told.clear();
  participant.unreached = false;
  participant.probes = 0;
  participant.next_probe.reset();
  for (auto& [gtrid, orphan] : participant.orphans) orphan.told = false;
  const Error lost{.code = ErrorCode::kConnectionLost,
                   .effect = assent::Effect::kNone,
                   .message = "the link to the agent was lost: " + why,
                   .participant = participant.name};
  give_up_inspect(participant, lost);
  const std::vector<Gtrid> gtrids(participant.branches.begin(), participant.branches.end());
  for (const Gtrid& gtrid : gtrids) {
    // Rolling one back may start its next attempt, but never ends another.
    Transaction& tx = *find(gtrid);
    Branch& branch = *tx.find_branch(participant);
    branch.told = false;
    branch.failures = 0;
    branch.answered = false;
    branch.next_try.reset();
    if (tx.undecided() && branch.state != BranchState::kPrepared) decide_rollback(tx, lost);
    drive(tx);
  }
}

/// The same agent has had its database in its hand all the time, so its votes stand. Another one
/// may have found a database that has lost them, by a failover or a restore.
void Coordinator::take_up_votes(Participant& participant, bool same_agent) {
  const Error lost{.code = ErrorCode::kConnectionLost,
                   .effect = assent::Effect::kNone,
                   .message =
                       "another agent has taken the database over since the branch voted; "
                       "its vote counts no more",
                   .participant = participant.name};
  const std::vector<Gtrid> gtrids(participant.branches.begin(), participant.branches.end());
  for (const Gtrid& gtrid : gtrids) {
    Transaction& tx = *find(gtrid);
    if (!tx.undecided()) continue;
    if (!same_agent) decide_rollback(tx, lost);
    drive(tx);
  }
}

void Coordinator::tell_all(Participant& participant) {
  if (mutant("decisions are told once")) return;
  for (const Gtrid& gtrid : participant.branches) {
    Transaction& tx = *find(gtrid);
    Branch& branch = *tx.find_branch(participant);
    if (!branch.decided() || branch.next_try) continue;
    tell_decision(tx, branch);
    reschedule(tx);
  }
  for (auto& [gtrid, orphan] : participant.orphans) tell_orphan(participant, gtrid, orphan);
}

// ---------------------------------------------------------------- the prober

void Coordinator::on_unreached(Participant& participant, const Finished& finished) {
  if (finished.error) participant.last_error = finished.error;
  participant.unreached = true;
  if (participant.next_probe) return;
  participant.next_probe =
      now_.steady + doubled(config_.retry_min, participant.probes++, config_.retry_max);
  reschedule(participant);
}

void Coordinator::on_reached(Participant& participant) {
  if (!participant.unreached) return;
  participant.unreached = false;
  participant.probes = 0;
  participant.next_probe.reset();
  participant.last_error.reset();
  tell_all(participant);
  reschedule(participant);
}

/// Asks for one of all that wait; the answer tells for the others too.
void Coordinator::probe(Participant& participant) {
  participant.next_probe.reset();
  for (const Gtrid& gtrid : participant.branches) {
    Transaction& tx = *find(gtrid);
    Branch& branch = *tx.find_branch(participant);
    if (!branch.decided() || branch.told || branch.hazard) continue;
    const bool sent = send_decision(tx, branch);
    reschedule(tx);
    if (sent) return;
  }
  participant.unreached = false;  // nobody waits for it but orphans, if any
  tell_all(participant);
}

// ---------------------------------------------------------------- scans (R2)

void Coordinator::ask_list(Participant& participant) {
  participant.next_scan = now_.steady + config_.scan_interval;
  look_at_history(participant);
  send_forgettable(participant, kWitnessRowsMax);
  for (auto& [gtrid, orphan] : participant.orphans) tell_orphan(participant, gtrid, orphan);
  if (participant.scan_asked && now_.steady < *participant.scan_asked + kScanPatience) return;
  participant.scan = next_scan_++;
  participant.scan_asked = now_.steady;
  participant.finished_during_scan.clear();
  // A database that may have lost history keeps the top that it was told: what it has lost lies
  // above, also for the next opening.
  // So does one that knows of a lost log: a wrong folder leaves no trace when the right one is
  // back.
  // And what was found there is in the log first, or the next opening would pass over it.
  const bool good = participant.history.state == History::State::kGood && lost_logs_.empty() &&
                    damage_is_durable(participant);
  if (good) move_all(participant.witness_rows.ended, participant.witness_rows.being_told);
  send(participant, ListPrepared{participant.scan, good ? kLogTop : 0});
}

void Coordinator::on_reply(Participant& participant, PreparedList& list) {
  if (!participant.scan_asked || list.scan != participant.scan) return;  // late or repeated
  participant.scan_asked.reset();
  const std::set<Gtrid> finished = std::exchange(participant.finished_during_scan, {});
  if (list.error) {
    participant.last_error = list.error;
    if (list.error->code == ErrorCode::kFenced) on_fenced(participant, *list.error, {});
    if (list.put_back) put_back(participant, *list.error);
    return;
  }
  participant.scanned = now_.steady;
  note_fence_told(participant, list.fence_top);
  move_all(participant.witness_rows.being_told, participant.witness_rows.forgettable);
  participant.foreign_listed = list.foreign;
  participant.prepared_listed = list.branches.size();
  on_reached(participant);
  drop_hazards_not_in(participant, list);
  for (const PreparedBranch& listed : list.branches) {
    const bool ours = is_ours(listed.xid.gtrid.log_id) && listed.xid.bqual == participant.name;
    if (!ours) {
      --participant.prepared_listed;  // never touched (R3)
      ++participant.foreign_listed;
    } else if (!finished.contains(listed.xid.gtrid)) {
      on_listed(participant, listed);
    }
  }
  phase_two_answered(participant);
}

/// Whatever hand it was: what isn't listed any more is told again, if it is still to be finished.
void Coordinator::drop_hazards_not_in(Participant& participant, const PreparedList& list) {
  if (participant.hazards.empty() && participant.held.empty()) return;
  std::set<Gtrid> listed;
  for (const PreparedBranch& branch : list.branches) listed.insert(branch.xid.gtrid);
  std::erase_if(participant.held,
                [&listed](const auto& held) { return !listed.contains(held.first); });
  const std::size_t dropped = std::erase_if(participant.hazards, [&listed](const auto& hazard) {
    return !listed.contains(hazard.first);
  });
  if (dropped > 0) tell_all(participant);
}

/// A transaction is in the table before its first message leaves, so a listed branch that is
/// neither there nor in the log, looked at in this order after the list was made, is nobody's.
void Coordinator::on_listed(Participant& participant, const PreparedBranch& listed) {
  const Gtrid& gtrid = listed.xid.gtrid;
  if (mutant("scans pass over the table")) return roll_back_orphan(participant, gtrid);
  if (Transaction* tx = find(gtrid)) {
    on_listed_of(*tx, participant, listed);
    return drive(*tx);
  }
  if (participant.orphans.contains(gtrid)) return;  // being rolled back
  effects_.push_back(FindDecision{participant.name, listed});
}

void Coordinator::on_listed_of(Transaction& tx, Participant& participant,
                               const PreparedBranch& listed) {
  Branch* branch = tx.find_branch(participant);
  if (branch == nullptr || branch->state == BranchState::kWaiting) {
    return show_hazard(participant, listed.xid, "prepared, but nothing of it was ever sent");
  }
  if (tx.phase != Phase::kCommitting && tx.phase != Phase::kRollingBack) return;  // it may vote yet
  branch->answered = true;
  if (tx.phase == Phase::kCommitting &&
      !same_transaction(listed.transaction_id, branch->proof.transaction_id)) {
    participant.remembered.erase(tx.gtrid);
    return show_other(participant, listed.xid);
  }
  if (branch->settled()) {
    // Proved finished, and prepared again: an acknowledged end that the database did not keep
    // (F 9, F 13).
    branch->state =
        tx.phase == Phase::kCommitting ? BranchState::kCommitting : BranchState::kRollingBack;
    participant.branches.insert(tx.gtrid);
  }
  if (!branch->next_try) tell_decision(tx, *branch);
}

void Coordinator::show_hazard(Participant& participant, const Xid& xid,
                              const std::string& message) {
  const Error error{.code = ErrorCode::kHazard,
                    .effect = assent::Effect::kUnknown,
                    .message = message + "; left alone, a person has to decide",
                    .participant = participant.name};
  if (!participant.hazards.emplace(xid.gtrid, error).second) return;
  note(Note::Level::kError, "xid=" + to_string(xid) + " hazard: " + error.message);
}

/// Whatever it is, it is not what voted yes; what became of that, the list hides (R6).
void Coordinator::show_other(Participant& participant, const Xid& xid) {
  const std::string why = "listed with another transaction id than the one that voted yes";
  pin({xid, Decision::kCommit, Heuristic::kHazard, Evidence::kListed, why});
  show_hazard(participant, xid, why);
}

void Coordinator::on(const DecisionFound& event) {
  Participant* participant = find_participant(event.participant);
  ASSENT_CHECK(participant != nullptr);
  const Gtrid& gtrid = event.branch.xid.gtrid;
  low_water_ = event.low_water;
  // Of both the next scan tells.
  if (find(gtrid) != nullptr || by_hand_.contains(gtrid)) return;
  if (event.decided) {
    if (const auto* commit = std::get_if<CommitRecord>(&event.decided->record)) {
      return commit_again(*participant, event.branch, *commit);
    }
    if (!may_be_of_another(*event.decided)) return roll_back_orphan(*participant, gtrid);
  }
  const bool of_this_log = gtrid.log_id == log_id_;
  if (of_this_log && event.low_water && gtrid <= *event.low_water) {
    return show_hazard(*participant, event.branch.xid,
                       "prepared, and so old that its decision may have been removed");
  }
  on_unknown_branch(*participant, event.branch);
}

/// In the log, but in no table: it had ended, and the database did not keep that (F 9). Only this
/// branch is told again; what proved the others may have been forgotten since.
void Coordinator::commit_again(Participant& participant, const PreparedBranch& listed,
                               const CommitRecord& record) {
  const DecidedBranch* decided = find_branch(record, listed.xid);
  if (decided == nullptr) {
    const std::string why = "prepared, but not among the branches of its commit record";
    pin({listed.xid, Decision::kCommit, Heuristic::kHazard, Evidence::kListed, why});
    return show_hazard(participant, listed.xid, why);
  }
  if (!same_transaction(listed.transaction_id, decided->proof.transaction_id)) {
    return show_other(participant, listed.xid);
  }
  note(Note::Level::kWarning,
       "xid=" + to_string(listed.xid) + " is prepared again after it was committed; commit again");
  WitnessRows& rows = participant.witness_rows;
  for (auto* step : {&rows.ended, &rows.being_told, &rows.forgettable}) {
    std::erase(*step, record.gtrid);
  }
  if (participant.history.spared == record.gtrid) participant.history.spared.reset();
  Transaction& tx = take_committed(record);
  for (Branch& branch : tx.branches) {
    if (branch.participant == &participant) {
      tell_decision(tx, branch);
    } else {
      settle_branch(tx, branch, BranchState::kDone);
    }
  }
  drive(tx);
}

Transaction& Coordinator::take_committed(const CommitRecord& record) {
  Transaction& tx = transactions_[record.gtrid];
  tx.gtrid = record.gtrid;
  tx.form = Form::kRecovered;
  tx.phase = Phase::kCommitting;
  tx.verdict = Verdict::kFinal;
  tx.outcome = Outcome::kCommitted;
  tx.begun = now_.steady;
  tx.request.key = record.key;
  tx.request.hash = record.request_hash;
  tx.request.not_after = record.not_after;
  if (!keys_.contains(record.key)) hold_key(record.key, record.gtrid);
  for (const DecidedBranch& decided : record.branches) {
    Participant* participant = find_participant(decided.xid.bqual);
    if (participant == nullptr) continue;  // only of an ended one: check_past
    Branch& branch = enlist(tx, *participant);
    branch.state = BranchState::kCommitting;
    branch.worked = true;
    branch.proof = decided.proof;
  }
  return tx;
}

/// Committed in an earlier life of the coordinator; told when the agents connect.
void Coordinator::recover(const CommitRecord& record, const RecordedAt& at) {
  Transaction& tx = take_committed(record);
  tx.number = at.number;
  tx.begun = now_.steady - ago(at.when);
  for (Branch& branch : tx.branches) {
    if (recorded_as_damaged(tx, branch)) mark_damaged(tx, branch);
  }
  drive(tx);
}

// ---------------------------------------------------------------- orphans

void Coordinator::roll_back_orphan(Participant& participant, const Gtrid& gtrid) {
  const auto [entry, added] = participant.orphans.try_emplace(gtrid);
  if (added) {
    note(Note::Level::kInfo, "xid=" + to_string(Xid{gtrid, participant.name}) +
                                 " is prepared and undecided: an orphan, rolled back");
  }
  tell_orphan(participant, gtrid, entry->second);
}

void Coordinator::tell_orphan(Participant& participant, const Gtrid& gtrid, Orphan& orphan) {
  if (mutant("orphans are left alone")) return;
  if (!participant.connected || participant.unreached || orphan.told) return;
  orphan.told = true;
  ++orphan.tries;
  if (mutant("orphans are committed"))
    return send(participant, Commit{{gtrid, participant.name}, {}});
  send(participant, Rollback{{gtrid, participant.name}, std::nullopt});
}

void Coordinator::on_orphan_finished(Participant& participant, const Finished& finished) {
  const auto found = participant.orphans.find(finished.xid.gtrid);
  if (found == participant.orphans.end() || finished.told != Decision::kRollback) return;
  Orphan& orphan = found->second;
  orphan.told = false;  // told again with the next scan
  if (finished.completion == Completion::kRolledBack) {
    repair(finished.xid, finished.evidence, "proved rolled back since");
    participant.orphans.erase(found);
    return forget_branch(participant, finished.xid.gtrid);
  }
  orphan.last_error = finished.error;
  if (finished.completion == Completion::kCommitted) {
    const Error why{.code = ErrorCode::kHazard,
                    .effect = assent::Effect::kUnknown,
                    .message = "xid=" + to_string(finished.xid) +
                               " committed although no commit was ever decided",
                    .participant = participant.name};
    orphan.last_error = why;
    freeze(why);
    pin({finished.xid, finished.told, Heuristic::kCommitted, finished.evidence,
         finished.error ? finished.error->message : "committed although no commit was ever decided",
         true});
  } else if (finished.completion == Completion::kCannotTell) {
    pin({finished.xid, finished.told, Heuristic::kHazard, finished.evidence,
         finished.error ? finished.error->message
                        : "neither listed nor provable: look at the database"});
  }
}

// ---------------------------------------------------------------- witness rows

/// An end record is durable when a forced one behind it is. Only then may the proof go: else a
/// crash would bring the transaction back and nothing could prove its end (section 6).
void Coordinator::collect_forgettable(LogToken durable) {
  while (!ended_.empty() && ended_.front().durable_with <= durable) {
    const Ended& ended = ended_.front();
    for (Participant* participant : ended.witnesses) {
      if (find(ended.gtrid) != nullptr) continue;  // back again: its end is yet to come
      History& history = participant->history;
      if (mutant("the newest witness row goes")) history.newest.reset();
      if (history.newest && history.newest->branch.xid.gtrid == ended.gtrid) {
        history.spared = ended.gtrid;
        continue;
      }
      WitnessRows& rows = participant->witness_rows;
      if (rows.size() >= kWitnessRowsMax) continue;
      rows.ended.push_back(ended.gtrid);
      if (rows.ended.size() % kForgetBatch == 0) send_forgettable(*participant, kForgetBatch);
    }
    ended_.pop_front();
  }
}

/// In a database that may have lost history a row shows what it has not lost.
void Coordinator::send_forgettable(Participant& participant, std::size_t max) {
  if (!participant.connected || participant.history.state != History::State::kGood) return;
  auto& rows = participant.witness_rows.forgettable;
  const std::size_t all = std::min(max, rows.size());
  for (std::size_t sent = 0; sent < all; sent += kForgetBatch) {
    const auto first = rows.begin() + static_cast<std::ptrdiff_t>(sent);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kForgetBatch, all - sent));
    send(participant, ForgetWitnesses{{first, first + count}});
  }
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(all));
}

}  // namespace assent::coordinator
