// Drain, readiness, and what a person has to deal with.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/reason.h"
#include "coordinator/core/wording.h"

namespace assent::coordinator {
namespace {

Error draining() {
  return {.code = ErrorCode::kStopping,
          .effect = assent::Effect::kNone,
          .message = "the coordinator takes no new work: it is draining"};
}

/// Nothing of it is left but what its caller has not asked for yet.
bool only_untold(const Transaction& tx) {
  return tx.phase == Phase::kRollingBack && tx.verdict == Verdict::kUnasked && tx.all_done();
}

std::string unfinished_text(const Transaction& tx, Instant now) {
  std::string text = "transaction " + to_string(tx.gtrid) + " is " +
                     std::string(to_string(tx.phase)) + " since " + age_text(now - tx.begun);
  std::string separator = " at ";
  for (const std::string& name : tx.pending()) text += std::exchange(separator, ", ") + name;
  return text;
}

/// Of branches that keep their locks: only their databases know, and a status asks nobody.
void add_whom_they_block(std::vector<std::string>& at_stake) {
  at_stake.emplace_back("whom they block: assentctl list --in-doubt");
}

}  // namespace

// ---------------------------------------------------------------- drain

void Coordinator::on_request(ClientRequested& asked, SetDrain& drain) {
  if (drain.drain != draining_) {
    note(Note::Level::kInfo, drain.drain ? "draining: no new work is taken" : "new work is taken");
  }
  draining_ = drain.drain;
  if (draining_) end_unasked();
  reply(asked.session, asked.request, status());
}

/// Their callers may take for ever; a submit ends by itself.
void Coordinator::end_unasked() {
  const std::set<Gtrid> unasked = interactive_;
  for (const Gtrid& gtrid : unasked) {
    Transaction& tx = *find(gtrid);
    if (tx.undecided()) decide_rollback(tx, draining());
    drive(tx);
  }
}

bool Coordinator::drained() const {
  const auto nothing_left = [](const auto& entry) { return only_untold(entry.second); };
  return draining_ && appended_.empty() &&
         std::all_of(transactions_.begin(), transactions_.end(), nothing_left);
}

std::optional<Error> Coordinator::refusal_while_draining() const {
  if (!draining_) return std::nullopt;
  return draining();
}

// ---------------------------------------------------------------- status

void Coordinator::on_request(ClientRequested& asked, AskStatus&) {
  reply(asked.session, asked.request, status());
}

CoordinatorStatus Coordinator::status() const {
  CoordinatorStatus status;
  status.coordinator = config_.name;
  status.holding_up = not_ready();
  // What keeps new work away from all stands among the findings.
  status.ready = status.holding_up.empty() && presumes() && !frozen_ && !clock_;
  status.draining = draining_;
  status.presumes = presumes();
  status.deposed = deposed_by_;
  status.live = transactions_.size();
  for (const auto& [gtrid, tx] : transactions_) {
    const bool decided = tx.phase == Phase::kCommitting || tx.phase == Phase::kRollingBack;
    if (decided && !tx.all_done()) ++status.in_doubt;
    if (draining_ && !only_untold(tx)) {
      add_stake(status.holding_up, unfinished_text(tx, now_.steady));
    }
  }
  for (const auto& [gtrid, branches] : damage_) status.damaged += branches.size();
  add_log_findings(status.findings);
  for (const auto& [name, participant] : participants_) {
    add_findings(participant, status.findings);
  }
  return status;
}

/// One sentence for each participant whose branches have not been listed yet.
std::vector<std::string> Coordinator::not_ready() const {
  std::vector<std::string> out;
  for (const auto& [name, participant] : participants_) {
    if (!participant.tried) {
      out.push_back("participant " + name + " has not been reached or refused yet");
    } else if (participant.connected && !participant.scanned) {
      out.push_back("the first scan of participant " + name + " has not ended");
    }
  }
  return out;
}

// ---------------------------------------------------------------- findings

/// Branches that are left alone because nothing may be presumed.
void Coordinator::add_held(std::vector<std::string>& at_stake) const {
  const std::size_t before = at_stake.size();
  for (const auto& [name, participant] : participants_) {
    if (participant.history.state == History::State::kChanged) continue;  // held for that
    for (const auto& [gtrid, held] : participant.held) {
      add_stake(at_stake, prepared_text(held.listed, now_.steady - held.at));
    }
  }
  if (at_stake.size() > before) add_whom_they_block(at_stake);
}

void Coordinator::add_log_findings(std::vector<Finding>& findings) const {
  if (deposed_) {
    Finding& finding = findings.emplace_back();
    finding.what = "No new work is taken: " + deposed_->message + ".";
    finding.at_stake.emplace_back(
        "what the other opening has decided is not in this log: keys that it does not know are "
        "answered \"unknown\"");
    add_held(finding.at_stake);
    finding.command = command_to(Allowance::kPresume);
  }
  for (const std::string& what : missing_) {
    Finding& finding = findings.emplace_back();
    finding.what = "Decisions may be missing from the log: " + what +
                   ". What it holds goes on being driven and answered; nothing else is presumed, "
                   "and no new work is taken.";
    finding.command = command_to(Allowance::kPresume);
    add_held(finding.at_stake);
  }
  if (frozen_) {
    findings.push_back({"No new work is taken since a violation was seen: " + frozen_->message,
                        {},
                        command_to(Allowance::kViolation)});
  }
  if (clock_) findings.push_back({clock_->message, {}, command_to(Allowance::kClock)});
}

/// What the log's own findings don't tell of.
void Coordinator::add_given_up_finding(const Participant& participant,
                                       std::vector<Finding>& findings) const {
  Finding finding;
  for (const auto& [gtrid, held] : participant.held) {
    if (!given_up(gtrid)) continue;
    add_stake(finding.at_stake, prepared_text(held.listed, now_.steady - held.at));
    if (finding.command.empty()) finding.command = command_to_resolve(gtrid);
  }
  if (finding.at_stake.empty()) return;
  add_whom_they_block(finding.at_stake);
  finding.what = "Participant " + participant.name +
                 " holds branches prepared whose decisions may be among what was given up: only a "
                 "person can end them.";
  findings.push_back(std::move(finding));
}

/// Our own are bounded before that; with others beside them the database refuses first.
void Coordinator::add_full_finding(const Participant& participant, std::vector<Finding>& findings) {
  if (!participant.connected || participant.foreign_listed == 0) return;
  const std::size_t max = participant.welcome->prepared_max;
  const std::size_t all = participant.prepared_listed + participant.foreign_listed;
  if (max == 0 || all < max) return;
  findings.push_back({"The database of participant " + participant.name +
                          " can hold no more prepared branches: " + std::to_string(max) +
                          " is its limit, and " + std::to_string(participant.foreign_listed) +
                          " are foreign ones, which only their owners can end",
                      {},
                      "assentctl list --in-doubt"});
}

void Coordinator::add_findings(const Participant& participant,
                               std::vector<Finding>& findings) const {
  add_history_finding(participant, findings);
  const bool changed = participant.history.state == History::State::kChanged;
  if (changed && !participant.held.empty()) add_whom_they_block(findings.back().at_stake);
  if (!participant.connected && participant.tried) {
    const auto& error = participant.last_error;
    const bool unfit = error && needs_a_person(error->code);
    findings.push_back({"Participant " + participant.name +
                            (unfit ? " is not taken" : " is not connected") +
                            (error ? ": " + error->message : ""),
                        {},
                        "assentctl participants"});
  } else if (participant.unreached) {
    findings.push_back({"The agent of participant " + participant.name +
                            " does not reach its database" +
                            (participant.last_error ? ": " + participant.last_error->message : ""),
                        {},
                        "assentctl participants"});
  }
  add_full_finding(participant, findings);
  add_given_up_finding(participant, findings);
  Finding hazards{"", {}, "assentctl list --in-doubt"};
  std::size_t count = 0;
  for (const auto& [gtrid, error] : participant.hazards) {
    ++count;
    add_stake(hazards.at_stake,
              "xid=" + to_string(Xid{gtrid, participant.name}) + " " + error.message);
  }
  for (const Gtrid& gtrid : participant.branches) {
    const Transaction& tx = transactions_.at(gtrid);
    const Branch& branch = *tx.find_branch(participant);
    if (!branch.hazard) continue;
    ++count;
    add_stake(hazards.at_stake, branch.last_error->message);
  }
  for (const auto& [gtrid, branches] : damage_) {
    const auto found = branches.find(participant.name);
    if (found == branches.end() || participant.branches.contains(gtrid)) continue;
    ++count;
    add_stake(hazards.at_stake, "xid=" + to_string(Xid{gtrid, participant.name}) + " " +
                                    std::string(to_string(found->second.newest.heuristic)) + ": " +
                                    found->second.newest.detail);
  }
  if (count == 0) return;
  hazards.what = "Branches of participant " + participant.name +
                 " damaged or in hazard, which only a person can settle: " + std::to_string(count) +
                 ".";
  findings.push_back(std::move(hazards));
}

}  // namespace assent::coordinator
