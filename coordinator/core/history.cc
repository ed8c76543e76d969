// Databases whose history changed: restored from a backup, a standby promoted without its last
// transactions, another server (design section 6). The newest commit of each participant is the
// sentinel. It was recorded after every other one was prepared. A database that should have it and
// doesn't gets no new work; the log is gone through for what it has lost, and a person takes it
// back. One that has it may have got it from a copy that held it prepared: what was recorded before
// it, and the fence row was not told of, is looked for, unless the agent that had its vote is in
// control still (docs/decisions/0016). A sentinel that was not finished yet, or that stands against
// its decision, says nothing of the others: the search decides. So does one whose witness row is
// not there when the log lacks records behind it: a newer commit among those may have let the row
// go.

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/send.h"
#include "coordinator/core/wording.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

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

/// The subject of a sentence.
std::string commit_text(const Participant& participant, const Xid& xid) {
  const auto& newest = participant.history.newest;
  const std::string which = newest && newest->branch.xid == xid ? "newest " : "";
  return "its " + which + "committed branch, xid=" + to_string(xid) + ",";
}

std::string error_text(const BranchSight& sight) {
  return sight.error ? ": " + sight.error->message : "";
}

}  // namespace

// ---------------------------------------------------------------- the sentinel

/// Its witness row stays until a newer one takes its place.
void Coordinator::note_newest(Participant& participant, const DecidedBranch& branch) {
  History& history = participant.history;
  history.newest = {.number = kNumberUnknown, .branch = branch};
  history.newest_awaited = false;
  history.by_hand = 0;
  history.taken_back = false;
  if (history.spared) {
    participant.witness_rows.ended.push_back(*history.spared);
    history.spared.reset();
  }
  if (history.state == History::State::kUnseen) look_at_history(participant);
}

/// Of a new link. The same agent has had its database in its hand all the time, unless somebody put
/// it back below it. What was once seen to have changed stays so until a person has looked: by the
/// next agent others may have gone on where ours was put back, and make it look good.
void Coordinator::greet_history(Participant& participant) {
  History& history = participant.history;
  const Welcome& welcome = *participant.welcome;
  const bool same_agent = history.incarnation == welcome.incarnation;
  history.incarnation = welcome.incarnation;
  history.newest_awaited = false;
  if (history.newest && history.newest->branch.proof.database.id != welcome.database.id) {
    if (same_agent && history.state == History::State::kChanged) return;
    return history_changed(participant, "it is database " + welcome.database.id + " now, and " +
                                            commit_text(participant, history.newest->branch.xid) +
                                            " is in database " +
                                            history.newest->branch.proof.database.id);
  }
  const auto behind = same_agent ? fence_set_back(participant) : not_taken_back(participant);
  note_fence_told(participant, welcome.fence_top);
  if (history.state == History::State::kChanged && !history.search.elsewhere) {
    if (!same_agent || !history.search.done) search(participant);
  } else if (behind && (same_agent || !history.newest)) {
    history_changed(participant, *behind);
  } else if (behind || !same_agent || history.state != History::State::kGood) {
    const bool expected = history.newest || commits_being_recorded(participant) > 0;
    history.state = expected ? History::State::kUnseen : History::State::kGood;
    history.search = {};
    if (!expected && may_lack_by_hand(participant)) doubt_by_hand(participant);
  }
}

/// Of one that was not known yet when the agent connected.
void Coordinator::note_by_hand(Participant& participant) {
  History& history = participant.history;
  history.by_hand = kNumberUnknown;
  const bool seen = history.state != History::State::kUnseen;
  if (seen || !participant.connected || commits_being_recorded(participant) > 0) return;
  if (history.newest) return look_at_history(participant);
  doubt_by_hand(participant);
}

/// The newest commit shows nothing of those by hand since; the fence row does, once it was told of
/// them.
bool Coordinator::may_lack_by_hand(const Participant& participant) {
  return participant.history.by_hand > participant.welcome->fence_top;
}

void Coordinator::doubt_by_hand(Participant& participant) {
  history_doubted(participant, "its fence row was not told of what was committed by hand");
}

/// With a branch there: on their way to the log.
std::size_t Coordinator::commits_being_recorded(const Participant& participant) const {
  const auto is_deciding = [this](const Gtrid& gtrid) {
    return transactions_.at(gtrid).phase == Phase::kDeciding;
  };
  const auto is_by_hand = [&participant](const auto& deed) {
    return deed.second.commits_at(participant.name);
  };
  const auto& branches = participant.branches;
  return static_cast<std::size_t>(std::count_if(branches.begin(), branches.end(), is_deciding) +
                                  std::count_if(by_hand_.begin(), by_hand_.end(), is_by_hand));
}

/// Asks what is still to be known; an answer that told nothing is asked for again with each scan,
/// and on each new link.
void Coordinator::look_at_history(Participant& participant) {
  History& history = participant.history;
  if (!participant.connected || history.serial != 0) return;
  Inspect inspect;
  if (history.state == History::State::kUnseen) {
    if (commits_being_recorded(participant) > 0) return;
    inspect.branches.push_back({history.newest->branch.xid, history.newest->branch.proof});
    history.newest_unfinished = is_unfinished(participant, history.newest->branch.xid);
  } else if (history.state != History::State::kGood && !history.search.done) {
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

/// What it was when the question left counts: phase two may have ended it since.
void Coordinator::judge_newest(Participant& participant, const Inspected& inspected) {
  History& history = participant.history;
  const Xid newest = history.newest->branch.xid;
  const BranchSight* sight = sight_of(inspected, newest);
  if (sight == nullptr || sight->completion == Completion::kUnreached) return;
  const bool prepared = sight->completion == Completion::kStillPrepared;
  const bool committed = shows_commit(*sight);
  const std::string what = commit_text(participant, newest) + " is " +
                           (prepared ? "prepared again" : "not there any more");
  const bool against = !prepared && find_unrepaired(newest) != nullptr;
  // What can't be told, or not be relied on, is of another history.
  const bool told = prepared || sight->completion == Completion::kRolledBack;
  const bool explained = (told && (history.newest_unfinished || against)) ||
                         shows_nothing(sight->evidence, history.newest->number, newest.gtrid);
  if (!committed && !explained && !mutant("a changed history is good"))
    return history_changed(participant, what);
  if (const auto why = set_back(participant, *sight)) return history_changed(participant, *why);
  if (committed) return judge_by_committed(participant);
  if (mutant("a changed history is good")) return history_is_good(participant);
  if (prepared && !std::exchange(history.newest_awaited, true)) {
    // Its commit is under way; asked again when that has ended, else with the next scan.
    if (!is_unfinished(participant, newest)) look_at_history(participant);
    return;
  }
  history_doubted(participant, what);
}

void Coordinator::judge_by_committed(Participant& participant) {
  const NewestCommit& newest = *participant.history.newest;
  if (may_lack_by_hand(participant)) return doubt_by_hand(participant);
  if (!newest_may_hide_loss(participant)) return history_is_good(participant);
  const std::string why = commit_text(participant, newest.branch.xid) +
                          " may have been prepared in a copy that lacks others";
  history_doubted(participant, why, newest.number);
}

/// It may have been prepared in a copy, and committed there since, by whatever opening or scan.
/// What was prepared after it and recorded before is not in that copy, unless the fence row was
/// told of it. But if the agent to which it voted is in control still, also if coordinators came
/// and went, nobody has put the database back: the history was good when that agent was given its
/// work.
bool Coordinator::newest_may_hide_loss(const Participant& participant) {
  const NewestCommit& newest = *participant.history.newest;
  const Welcome& welcome = *participant.welcome;
  const bool all_told = newest.number <= welcome.fence_top + 1;
  const std::uint64_t voter = newest.branch.proof.database.takeover;
  const bool to_this_agent = voter != 0 && voter == welcome.database.takeover;
  return !all_told && !to_this_agent;
}

/// A status that comes after a loss was found may be that of another transaction: others have gone
/// on since, where the database was put back.
bool Coordinator::shows_commit(const BranchSight& sight) {
  if (sight.completion != Completion::kCommitted && !is_forgotten(sight)) return false;
  if (sight.evidence != Evidence::kTransactionStatus) return true;
  return find_unrepaired(sight.xid) == nullptr;
}

/// So nothing is shown by the status of a branch in hazard while the history is not known to be
/// good.
bool Coordinator::stays_in_hazard(const Xid& xid, Evidence evidence) {
  if (evidence != Evidence::kTransactionStatus) return false;
  if (find_participant(xid.bqual)->history.state == History::State::kGood) return false;
  const Damaged* damaged = find_unrepaired(xid);
  return damaged != nullptr && damaged->newest.heuristic == Heuristic::kHazard;
}

/// A witness row is there only with its commit, whatever became of timeline and position since.
std::optional<std::string> Coordinator::set_back(const Participant& participant,
                                                 const BranchSight& newest) {
  const DatabaseIdentity& now = participant.welcome->database;
  const DatabaseIdentity& before = participant.history.newest->branch.proof.database;
  if (newest.evidence != Evidence::kWitnessRow) {
    if (now.timeline != before.timeline) {
      return "it is on timeline " + std::to_string(now.timeline) + " now, and was on " +
             std::to_string(before.timeline);
    }
    if (now.position < before.position) return "its WAL position has gone back";
  }
  return fence_set_back(participant);
}

std::optional<std::string> Coordinator::fence_set_back(const Participant& participant) {
  const std::uint64_t top = participant.welcome->fence_top;
  const std::uint64_t seen = participant.history.fence_top_seen;
  if (top >= seen) return std::nullopt;
  return "its fence row says record " + std::to_string(top) + ", and said " + std::to_string(seen);
}

/// By another agent. Of a database that was taken back and told of no record since, nothing shows
/// that it is the one that was looked at.
std::optional<std::string> Coordinator::not_taken_back(Participant& participant) {
  const bool untold = std::exchange(participant.history.taken_back, false);
  if (auto why = fence_set_back(participant); why || !untold) return why;
  return "its fence row was told of nothing since it was taken back, so it may be another one";
}

void Coordinator::note_fence_told(Participant& participant, std::uint64_t top) {
  History& history = participant.history;
  if (top > history.fence_top_seen) history.taken_back = false;
  history.fence_top_seen = std::max(history.fence_top_seen, top);
}

bool Coordinator::is_unfinished(Participant& participant, const Xid& xid) {
  Transaction* tx = find(xid.gtrid);
  const Branch* branch = tx == nullptr ? nullptr : tx->find_branch(participant);
  return branch != nullptr && !branch->done();
}

/// Phase two proves it and pins what is against its decision, or has done so.
bool Coordinator::left_to_phase_two(Participant& participant, const Xid& xid) {
  if (is_unfinished(participant, xid)) return true;
  const Damaged* damaged = find_unrepaired(xid);
  return damaged != nullptr && !damaged->found_lost;
}

void Coordinator::history_is_good(Participant& participant) {
  participant.history.state = History::State::kGood;
  participant.history.serial = 0;
  participant.history.newest_awaited = false;
  participant.history.search = {};
  participant.look_again = true;  // only now the fence row is told of the log's top
  look_again(participant);
  tell_hazards(participant);
}

/// Again, and now: while the history was in question their status said nothing.
void Coordinator::tell_hazards(Participant& participant) {
  for (const Gtrid& gtrid : participant.branches) {
    Transaction& tx = *find(gtrid);
    Branch& branch = *tx.find_branch(participant);
    if (!branch.hazard || !branch.next_try) continue;
    tell_decision(tx, branch);
    reschedule(tx);
  }
}

void Coordinator::history_doubted(Participant& participant, const std::string& why,
                                  std::uint64_t before) {
  participant.history.state = History::State::kDoubted;
  participant.history.why = why;
  note(Note::Level::kInfo, "participant=" + participant.name + " history in doubt: " + why +
                               "; the log is gone through for what else may be lost");
  search(participant, before);
}

void Coordinator::history_changed(Participant& participant, const std::string& why) {
  quarantine(participant, why);
  search(participant);
}

/// Below its agent, which ends itself: the next one's link tells more.
void Coordinator::put_back(Participant& participant, const Error& why) {
  if (participant.history.state != History::State::kChanged) {
    history_changed(participant, why.message);
  }
}

/// It was told to commit, and nothing shows that its database still is the one in which it voted.
/// What was seen in this opening was shown, and maybe taken back; so was what the fence row was
/// told of.
void Coordinator::commit_not_shown(const Transaction& tx, Branch& branch) {
  Participant& participant = *branch.participant;
  const bool told_of = tx.number != 0 && tx.number <= participant.history.fence_top_seen;
  if (told_of || std::exchange(branch.not_shown, true)) return;
  if (participant.history.state == History::State::kChanged) return;
  history_changed(participant, commit_text(participant, tx.xid(branch)) + " is not there any more");
}

/// No more of what is undecided may be committed there: its prepared branch may be lost.
void Coordinator::quarantine(Participant& participant, const std::string& why) {
  participant.history.state = History::State::kChanged;
  participant.history.newest_awaited = false;
  participant.history.why = why;
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
}

// ---------------------------------------------------------------- what it has lost

/// Whatever was recorded before its fence row was last told of the log's top was prepared before
/// that: the database has it committed, or lists it.
void Coordinator::search(Participant& participant, std::uint64_t before) {
  History& history = participant.history;
  history.serial = 0;
  history.search = {};
  history.search.span = {participant.welcome->fence_top, before};
  // Nothing of it can be looked up in another database.
  history.search.elsewhere = history.newest && history.newest->branch.proof.database.id !=
                                                   participant.welcome->database.id;
  history.search.done = history.search.elsewhere;
  look_at_history(participant);
}

void Coordinator::search_on(Participant& participant) {
  History& history = participant.history;
  if (history.finding) return;
  history.finding = true;
  history.search.asked = true;
  effects_.push_back(FindCommits{participant.name, history.search.span, kSearchedMax});
}

void Coordinator::on(CommitsFound event) {
  Participant* participant = find_participant(event.participant);
  ASSENT_CHECK(participant != nullptr);
  History& history = participant->history;
  History::Search& search = history.search;
  history.finding = false;
  if (std::exchange(search.asked, false)) {  // else of a search that a new link has ended
    if (event.gone > search.span.after) search.gone_to = event.gone;
    search.more = event.more;
    if (!event.commits.empty()) search.span.after = event.commits.back().number;
    search.commits = std::move(event.commits);
    std::erase_if(search.commits, [&](const NumberedCommit& found) {
      return left_to_phase_two(*participant, branch_at(found.commit, *participant).xid);
    });
    judge_unheard_of(*participant);
    if (search.commits.empty() && !search.more) return search_ended(*participant);
  }
  look_at_history(*participant);
}

/// A commit by hand of a lost log, in a database that knows nothing of that log any more: its agent
/// refuses to look.
void Coordinator::judge_unheard_of(Participant& participant) {
  History::Search& search = participant.history.search;
  std::vector<NumberedCommit> known;
  for (NumberedCommit& found : std::exchange(search.commits, {})) {
    const Xid& xid = branch_at(found.commit, participant).xid;
    if (may_have(participant, xid.gtrid.log_id)) {
      known.push_back(std::move(found));
    } else {
      judge_commit(participant, found, {.xid = xid, .completion = Completion::kCannotTell});
    }
  }
  search.commits = std::move(known);
}

void Coordinator::judge_commits(Participant& participant, const Inspected& inspected) {
  History::Search& search = participant.history.search;
  std::vector<NumberedCommit> untold;
  for (NumberedCommit& found : std::exchange(search.commits, {})) {
    const Xid& xid = branch_at(found.commit, participant).xid;
    const BranchSight* sight = sight_of(inspected, xid);
    if (sight == nullptr || sight->completion == Completion::kUnreached) {
      untold.push_back(std::move(found));
    } else if (!left_to_phase_two(participant, xid)) {
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
  History::Search& search = participant.history.search;
  const std::string name =
      "xid=" + to_string(sight.xid) + " of record " + std::to_string(found.number);
  if (shows_commit(sight)) return;
  if (sight.completion == Completion::kStillPrepared) {
    ++search.came_back;
    add_stake(search.at_stake, name + " is prepared again and told to commit again");
    const PreparedBranch listed{sight.xid, sight.transaction_id, sight.age};
    Transaction* tx = find(sight.xid.gtrid);
    if (tx == nullptr) return commit_again(participant, listed, found.commit);
    on_listed_of(*tx, participant, listed);
    return drive(*tx);
  }
  if (mutant("what a database lost is passed over")) return;
  if (participant.history.state == History::State::kDoubted) {
    quarantine(participant, participant.history.why);
  }
  add_stake(search.at_stake, name + " is not there any more" + error_text(sight));
  if (find_unrepaired(sight.xid) != nullptr) return;
  // Its witness row may have been told to go: then its absence shows nothing.
  const bool proved = sight.completion == Completion::kRolledBack &&
                      !branch_at(found.commit, participant).proof.witness_row;
  pin({sight.xid, Decision::kCommit, proved ? Heuristic::kRolledBack : Heuristic::kHazard,
       sight.evidence,
       "committed, and lost when the history of the database changed" + error_text(sight)});
  find_damage(sight.xid)->found_lost = true;
}

/// What phase two has not answered for, and no list has shown, may be lost as well: until then the
/// doubt lasts.
void Coordinator::search_ended(Participant& participant) {
  History& history = participant.history;
  const bool doubted = history.state == History::State::kDoubted;
  const bool all_looked_for = history.search.gone_to == 0;
  if (doubted && all_looked_for && unanswered_commits(participant) > 0) return;
  history.search.done = true;
  if (doubted) {
    if (all_looked_for) {
      note(Note::Level::kInfo, "participant=" + participant.name +
                                   " history is good: nothing that was looked for is lost");
      return history_is_good(participant);
    }
    quarantine(participant, history.why);
  }
  note(Note::Level::kError, "participant=" + participant.name + " " + lost_text(participant));
}

/// The last answer, or a list that shows what has not answered, may end the doubt.
void Coordinator::phase_two_answered(Participant& participant) {
  const bool doubted = participant.history.state == History::State::kDoubted;
  if (doubted && unanswered_commits(participant) == 0) look_at_history(participant);
}

std::string Coordinator::lost_text(const Participant& participant) const {
  const History::Search& search = participant.history.search;
  if (!search.done) return "the log is still being gone through for what it has lost";
  if (search.elsewhere) return "what it should have is in the other database";
  const std::string gone = search.gone_to == 0
                               ? ""
                               : "; commits up to record " + std::to_string(search.gone_to) +
                                     " may have left the log, so they can't be looked for";
  return std::to_string(lost_branches(participant)) +
         " of its committed branches are lost or in hazard, " + std::to_string(search.came_back) +
         " were prepared again and told to commit again" + gone;
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
    case History::State::kDoubted:
      return error;
    case History::State::kChanged:
      break;
  }
  error.code = ErrorCode::kDatabaseUnfit;
  error.message = "the history of its database changed: " + history.why +
                  "; it gets no new work until a person takes it back, put right or as it is: " +
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
  // What a person takes back is the database that was looked at.
  if (!participant.connected) return participant.no_link();
  if (!history.search.done) {
    return Error{.code = ErrorCode::kBusy,
                 .effect = assent::Effect::kNone,
                 .message = lost_text(participant) + "; ask again when that is done",
                 .participant = name};
  }
  if (const std::size_t count = unanswered_commits(participant); count > 0) {
    return Error{.code = ErrorCode::kBusy,
                 .effect = assent::Effect::kNone,
                 .message = "what became of " + std::to_string(count) +
                            " of its branches that are being committed is not known yet; ask again "
                            "in a moment",
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

/// Neither the search nor phase two has told of them: new work could take what they have taken, and
/// lost.
std::size_t Coordinator::unanswered_commits(const Participant& participant) const {
  const auto is_unanswered = [&](const Gtrid& gtrid) {
    const Transaction& tx = transactions_.at(gtrid);
    return tx.phase == Phase::kCommitting && !tx.find_branch(participant)->answered;
  };
  const auto& branches = participant.branches;
  return commits_being_recorded(participant) +
         static_cast<std::size_t>(std::count_if(branches.begin(), branches.end(), is_unanswered));
}

/// Until its next commit nothing is expected of it but what its fence row is told of from now on.
/// nullopt: done.
std::optional<Error> Coordinator::take_back(const Allowing& allowing) {
  Participant& participant = participants_.at(allowing.participant);
  History& history = participant.history;
  if (!participant.connected) return participant.no_link();
  if (history.incarnation != allowing.incarnation) {
    return Error{.code = ErrorCode::kBusy,
                 .effect = assent::Effect::kNone,
                 .message =
                     "another agent has taken the database over since it was looked at; "
                     "look again",
                 .participant = participant.name};
  }
  history.newest.reset();
  history.by_hand = 0;
  history.fence_top_seen = participant.welcome->fence_top;
  history.taken_back = true;
  history_is_good(participant);
  return std::nullopt;
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
