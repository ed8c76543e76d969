// Databases whose history changed: restored from a backup, a standby promoted without its last
// transactions, another server (design section 6). The newest commit of each participant is the
// sentinel. It was recorded after every other one was prepared, so a database that still has it
// committed has lost none of them. One that doesn't gets no new work; the log is gone through for
// what it has lost, and a person takes it back.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/send.h"
#include "coordinator/core/wording.h"
#include "protocol/base/check.h"

namespace assent::coordinator {
namespace {

/// So many are asked for at once: a slow database can look at them within the agent's time for one
/// look, which is cut whole.
constexpr std::size_t kSearchedMax = 100;

/// Only commits that have one are looked for.
const DecidedBranch& branch_at(const CommitRecord& record, const Participant& participant) {
  const DecidedBranch* found = find_branch(record, {record.gtrid, participant.name});
  ASSENT_CHECK(found != nullptr);
  return *found;
}

const BranchSight* sight_of(const Inspected& inspected, const Xid& xid) {
  const auto found = std::find_if(inspected.branches.begin(), inspected.branches.end(),
                                  [&xid](const BranchSight& sight) { return sight.xid == xid; });
  return found == inspected.branches.end() ? nullptr : &*found;
}

/// It voted in the history that the database has now, so long ago that how it ended is forgotten
/// there.
bool is_forgotten(const BranchSight& sight) {
  return sight.completion == Completion::kCannotTell &&
         sight.evidence == Evidence::kTransactionStatus;
}

std::string error_text(const BranchSight& sight) {
  return sight.error ? ": " + sight.error->message : "";
}

}  // namespace

// ---------------------------------------------------------------- the sentinel

/// Its witness row stays until a newer one takes its place.
void Coordinator::note_newest(Participant& participant, const DecidedBranch& branch) {
  History& history = participant.history;
  history.newest = NewestCommit{0, branch};
  if (!history.spared) return;
  participant.forgettable.push_back(*history.spared);
  history.spared.reset();
}

/// Of a new link. The same agent has had its database in its hand all the time.
void Coordinator::greet_history(Participant& participant) {
  History& history = participant.history;
  const Welcome& welcome = *participant.welcome;
  const bool same_agent = history.incarnation == welcome.incarnation;
  const bool through = history.state == History::State::kGood ||
                       (history.state == History::State::kChanged && history.search.done);
  history.incarnation = welcome.incarnation;
  if (same_agent && through) return;
  history.state = History::State::kUnseen;
  history.fence_top_seen = std::max(history.fence_top_seen, welcome.fence_top);
  if (!history.newest) {
    history.state = History::State::kGood;
  } else if (history.newest->branch.proof.database.id != welcome.database.id) {
    history_changed(participant, "it is database " + welcome.database.id +
                                     " now, and its newest committed branch, xid=" +
                                     to_string(history.newest->branch.xid) + ", is in database " +
                                     history.newest->branch.proof.database.id);
  }
}

/// Asks what is still to be known; an answer that told nothing is asked for again with each scan.
void Coordinator::look_at_history(Participant& participant) {
  History& history = participant.history;
  if (history.serial != 0) return;
  Inspect inspect;
  if (history.state == History::State::kUnseen) {
    inspect.branches.push_back({history.newest->branch.xid, history.newest->branch.proof});
  } else if (history.state == History::State::kChanged && !history.search.done) {
    if (history.search.commits.empty()) return search_on(participant);
    for (const NumberedCommit& found : history.search.commits) {
      const DecidedBranch& branch = branch_at(found.commit, participant);
      inspect.branches.push_back({branch.xid, branch.proof});
    }
  } else {
    return;
  }
  history.serial = next_serial_++;
  inspect.serial = history.serial;
  send(participant, std::move(inspect));
}

bool Coordinator::took_for_history(Participant& participant, const Inspected& inspected) {
  History& history = participant.history;
  if (history.serial == 0 || inspected.serial != history.serial) return false;
  history.serial = 0;
  if (inspected.error) {
    participant.last_error = inspected.error;
  } else if (history.state == History::State::kUnseen) {
    judge_newest(participant, inspected);
  } else {
    judge_commits(participant, inspected);
  }
  return true;
}

void Coordinator::judge_newest(Participant& participant, const Inspected& inspected) {
  const DecidedBranch newest = participant.history.newest->branch;
  const BranchSight* sight = sight_of(inspected, newest.xid);
  if (sight == nullptr || sight->completion == Completion::kUnreached) return;
  const std::string name = "its newest committed branch, xid=" + to_string(newest.xid) + ", ";
  switch (sight->completion) {
    case Completion::kCommitted:
      return history_is_good(participant);
    case Completion::kStillPrepared:
      if (!is_unfinished(participant, newest.xid)) {
        return history_changed(participant, name + "is prepared again");
      }
      break;
    case Completion::kRolledBack:
    case Completion::kCannotTell:
    case Completion::kUnreached:
      if (!is_forgotten(*sight) && !is_excused(participant)) {
        return history_changed(participant, name + "is not there any more" + error_text(*sight));
      }
      break;
  }
  // It has not been committed yet, or foreign hands were there, or it is forgotten: it says nothing
  // of those before it.
  if (const auto why = set_back(participant, newest.proof.database)) {
    return history_changed(participant, *why);
  }
  history_is_good(participant);
}

/// Its damage was recorded before the database was told of the log's top: it was there then. What a
/// search has recorded since says only that the database has lost it.
bool Coordinator::is_excused(const Participant& participant) {
  const NewestCommit& newest = *participant.history.newest;
  return find_damage(newest.branch.xid) != nullptr &&
         participant.welcome->fence_top >= newest.number;
}

std::optional<std::string> Coordinator::set_back(const Participant& participant,
                                                 const DatabaseIdentity& before) {
  const Welcome& welcome = *participant.welcome;
  if (welcome.database.timeline != before.timeline) {
    return "it is on timeline " + std::to_string(welcome.database.timeline) + " now, and was on " +
           std::to_string(before.timeline);
  }
  if (welcome.database.position < before.position) return "its WAL position has gone back";
  if (welcome.fence_top < participant.history.fence_top_seen) {
    return "its fence row says record " + std::to_string(welcome.fence_top) + ", and said " +
           std::to_string(participant.history.fence_top_seen);
  }
  return std::nullopt;
}

bool Coordinator::is_unfinished(Participant& participant, const Xid& xid) {
  Transaction* tx = find(xid.gtrid);
  const Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  return branch != nullptr && !branch->done();
}

void Coordinator::history_is_good(Participant& participant) {
  participant.history.state = History::State::kGood;
  participant.history.serial = 0;
  participant.history.search = {};
  participant.look_again = true;  // only now the fence row is told of the log's top
  look_again(participant);
}

/// No more of what is undecided may be committed there: its prepared branch may be lost.
void Coordinator::history_changed(Participant& participant, const std::string& why) {
  History& history = participant.history;
  history.state = History::State::kChanged;
  history.why = why;
  history.search = {};
  history.search.after = participant.welcome->fence_top;
  // Nothing of it can be looked up in another database.
  history.search.elsewhere =
      history.newest->branch.proof.database.id != participant.welcome->database.id;
  history.search.done = history.search.elsewhere;
  participant.orphans.clear();
  const Error error = *refusal_for_history(participant);
  note(Note::Level::kError,
       "participant=" + participant.name + " history changed: " + error.message);
  const std::vector<Gtrid> gtrids(participant.branches.begin(), participant.branches.end());
  for (const Gtrid& gtrid : gtrids) {
    Transaction& tx = *find(gtrid);
    if (!tx.undecided()) continue;
    decide_rollback(tx, error);
    drive(tx);
  }
  look_at_history(participant);
}

// ---------------------------------------------------------------- what it has lost

/// Whatever was recorded before its fence row was last told of the log's top was prepared before
/// that: the database has it committed, or lists it.
void Coordinator::search_on(Participant& participant) {
  History& history = participant.history;
  if (history.finding) return;
  history.finding = true;
  history.search.asked = true;
  effects_.push_back(FindCommits{participant.name, history.search.after, kSearchedMax});
}

void Coordinator::on(CommitsFound event) {
  Participant* participant = find_participant(event.participant);
  ASSENT_CHECK(participant != nullptr);
  History& history = participant->history;
  History::Search& search = history.search;
  history.finding = false;
  if (std::exchange(search.asked, false)) {  // else of a search that a new link has ended
    search.more = event.more;
    search.commits = std::move(event.commits);
    if (search.commits.empty()) return search_ended(*participant);
    search.after = search.commits.back().number;
  }
  if (participant->connected) look_at_history(*participant);
}

void Coordinator::judge_commits(Participant& participant, const Inspected& inspected) {
  History::Search& search = participant.history.search;
  std::vector<NumberedCommit> untold;
  NewestCommit& newest = *participant.history.newest;
  for (NumberedCommit& found : std::exchange(search.commits, {})) {
    const Xid& xid = branch_at(found.commit, participant).xid;
    if (xid == newest.branch.xid) newest.number = found.number;
    const BranchSight* sight = sight_of(inspected, xid);
    if (sight == nullptr || sight->completion == Completion::kUnreached) {
      untold.push_back(std::move(found));
    } else if (!is_unfinished(participant, xid)) {  // phase two proves those
      judge_commit(participant, found, *sight);
    }
  }
  search.commits = std::move(untold);
  if (!search.commits.empty()) return;  // asked again with the next scan
  if (search.more) return search_on(participant);
  search_ended(participant);
}

void Coordinator::judge_commit(Participant& participant, const NumberedCommit& found,
                               const BranchSight& sight) {
  if (is_forgotten(sight)) return;
  History::Search& search = participant.history.search;
  const std::string name =
      "xid=" + to_string(sight.xid) + " of record " + std::to_string(found.number);
  switch (sight.completion) {
    case Completion::kCommitted:
    case Completion::kUnreached:
      return;
    case Completion::kStillPrepared: {
      ++search.came_back;
      add_stake(search.at_stake, name + " is prepared again and told to commit again");
      const PreparedBranch listed{sight.xid, sight.transaction_id, sight.age};
      Transaction* tx = find(sight.xid.gtrid);
      if (tx == nullptr) return commit_again(participant, listed, found.commit);
      on_listed_of(*tx, participant, listed);
      return drive(*tx);
    }
    case Completion::kRolledBack:
    case Completion::kCannotTell:
      break;
  }
  ++search.lost;
  add_stake(search.at_stake, name + " is not there any more" + error_text(sight));
  if (find_damage(sight.xid) != nullptr) return;
  // Its witness row may have been told to go: then its absence shows nothing.
  const bool proved = sight.completion == Completion::kRolledBack &&
                      !branch_at(found.commit, participant).proof.witness_row;
  pin({sight.xid, Decision::kCommit, proved ? Heuristic::kRolledBack : Heuristic::kHazard,
       sight.evidence,
       "committed, and lost when the history of the database changed: " + participant.history.why +
           error_text(sight)});
}

void Coordinator::search_ended(Participant& participant) {
  participant.history.search.done = true;
  note(Note::Level::kError, "participant=" + participant.name + " " + lost_text(participant));
}

std::string Coordinator::lost_text(const Participant& participant) {
  const History::Search& search = participant.history.search;
  if (!search.done) return "the log is still being gone through for what it has lost";
  if (search.elsewhere) return "what it should have is in the other database";
  return std::to_string(search.lost) + " of its committed branches are lost, " +
         std::to_string(search.came_back) + " were prepared again and told to commit again";
}

// ---------------------------------------------------------------- quarantine

std::optional<Error> Coordinator::refusal_for_history(const Participant& participant) {
  const History& history = participant.history;
  Error error{.code = ErrorCode::kParticipantUnavailable,
              .effect = assent::Effect::kNone,
              .message = "the history of its database is being looked at; try again",
              .participant = participant.name};
  switch (history.state) {
    case History::State::kGood:
      return std::nullopt;
    case History::State::kUnseen:
      return error;
    case History::State::kChanged:
      break;
  }
  error.code = ErrorCode::kDatabaseUnfit;
  error.message = "the history of its database changed: " + history.why +
                  "; it gets no new work until the database is put right, or taken as it is: " +
                  command_to(Allowance::kHistory, participant.name);
  return error;
}

Result<std::vector<std::string>> Coordinator::plan_taking_back(const std::string& name) const {
  const auto found = participants_.find(name);
  if (found == participants_.end()) {
    return nothing_to_allow("no participant '" + name + "' is configured");
  }
  const Participant& participant = found->second;
  const History& history = participant.history;
  if (history.state != History::State::kChanged) {
    return nothing_to_allow("the history of participant " + name + " is not known to have changed");
  }
  if (!history.search.done) {
    return Error{.code = ErrorCode::kBusy,
                 .effect = assent::Effect::kNone,
                 .message = lost_text(participant) + "; ask again when that is done",
                 .participant = name};
  }
  std::vector<std::string> plan = {"participant " + name +
                                       " gets new work again although the history of its database "
                                       "changed: " +
                                       history.why,
                                   lost_text(participant)};
  for (const std::string& stake : history.search.at_stake) add_stake(plan, stake);
  for (const auto& [gtrid, held] : participant.held) {
    add_stake(plan, prepared_text(held.listed, now_.steady - held.at) +
                        " is rolled back unless something else forbids it");
  }
  return plan;
}

/// Until its next commit nothing is expected of it.
void Coordinator::take_back(Participant& participant) {
  participant.history.newest.reset();
  history_is_good(participant);
}

void Coordinator::add_history_finding(const Participant& participant,
                                      std::vector<Finding>& findings) const {
  const History& history = participant.history;
  if (history.state != History::State::kChanged) return;
  Finding& finding = findings.emplace_back();
  finding.what = "Participant " + participant.name +
                 " is quarantined: the history of its database changed: " + history.why + "; " +
                 lost_text(participant) + ".";
  finding.at_stake = history.search.at_stake;
  for (const auto& [gtrid, held] : participant.held) {
    add_stake(finding.at_stake, prepared_text(held.listed, now_.steady - held.at));
  }
  finding.command = command_to(Allowance::kHistory, participant.name);
}

}  // namespace assent::coordinator
