#include "participant_agents/rm/branch_session.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::rm {

/// With the message when it failed somewhere.
BranchSession::Reached BranchSession::reached_by(const Message& message) {
  if (message.ends) return Reached::kDoubtful;
  return message.opens ? Reached::kOpening : Reached::kOpen;
}

/// All of them, before the first is sent: what may not be run never reaches the database.
Result<std::vector<ReadyStatement>> BranchSession::read(const Work& work) {
  std::vector<ReadyStatement> statements;
  statements.reserve(work.statements.size());
  for (const Statement& statement : work.statements) {
    auto ready = cache_.read(statement);
    if (!ready) {
      Error error = ready.error();
      error.step = static_cast<std::int32_t>(work.first_index + statements.size());
      return error;
    }
    statements.push_back(std::move(*ready));
  }
  return statements;
}

WorkReport BranchSession::work(const Work& work) {
  const bool opens = work.first_index == 0;
  ASSENT_CHECK(opens != open_);
  if (opens) access_ = work.access;
  const auto statements = read(work);
  if (!statements) {
    WorkReport report;
    report.error = statements.error();
    return give_up(work.xid, opens ? Reached::kNothing : Reached::kOpen, {}, std::move(report));
  }
  // Session locks and settings outlive a transaction, and only a new session is surely free of
  // them.
  spoilt_ = spoilt_ || std::any_of(statements->begin(), statements->end(), [](const auto& ready) {
              return ready.lexed->may_change_session;
            });
  const Message message{.xid = work.xid,
                        .statements = *statements,
                        .first_index = work.first_index,
                        .opens = opens,
                        .ends = work.then == AfterWork::kPrepare,
                        .access = access_,
                        .lock_wait = work.lock_wait,
                        .statement_limit = statement_limit_for(settings(), work.deadline)};
  return opens ? open(message) : run(message);
}

WorkReport BranchSession::prepare(const Xid& xid) {
  ASSENT_CHECK(open_);
  return run({.xid = xid, .statements = {}, .ends = true, .access = access_});
}

FinishReport BranchSession::roll_back_open(const Xid& xid) {
  ASSENT_CHECK(open_);
  open_ = false;
  if (undo(xid, Reached::kOpen, {}))
    return {
        .completion = Completion::kRolledBack, .evidence = Evidence::kNeverPrepared, .error = {}};
  spoilt_ = true;
  return {.completion = Completion::kUnreached,
          .evidence = Evidence::kNone,
          .error = make_error(settings(), ErrorCode::kConnectionLost, Effect::kUnknown,
                              "the session was lost while it rolled its branch back")};
}

FinishReport BranchSession::commit(const Xid& xid, const BranchProof& proof, PreparedBy by) {
  ASSENT_CHECK(!open_);
  give_time();
  const auto settled = [&](const Seen& seen, const std::optional<Error>& why) {
    return explained(xid, Decision::kCommit, proof, settle_here(seen, proof, why));
  };
  if (by != PreparedBy::kThisIncarnation) {
    const auto seen = look(xid);
    if (!seen) return unfinished(Completion::kUnreached, Evidence::kNone, seen.error());
    crash_point("rm.commit.looked");
    const bool is_it = seen->listed && seen->database.id == proof.database.id &&
                       is_the_one_that_voted(*seen, proof);
    if (!is_it) return settled(*seen, std::nullopt);
  }
  const odbc::Answer answer = link_->run(say_commit(xid));
  crash_point("rm.commit.answered");
  if (!answer.failure) return after_commit(xid, by);
  const Failed failed = look_after(xid, *answer.failure);
  if (!failed.seen) return unfinished(Completion::kUnreached, Evidence::kNone, failed.why);
  return settled(*failed.seen, failed.why);
}

FinishReport BranchSession::rollback(const Xid& xid, const std::optional<BranchProof>& proof) {
  ASSENT_CHECK(!open_);
  give_time();
  const odbc::Answer answer = link_->run(say_rollback(xid));
  if (!answer.failure) return finished(Completion::kRolledBack, Evidence::kDatabaseAnswer);
  const Failed failed = look_after(xid, *answer.failure);
  if (!failed.seen) return unfinished(Completion::kUnreached, Evidence::kNone, failed.why);
  crash_point("rm.rollback.looked");
  if (failed.seen->listed)
    return unfinished(Completion::kStillPrepared, Evidence::kListed, failed.why);
  if (proof && proof->database.id != failed.seen->database.id)
    return settle_here(*failed.seen, *proof, failed.why);
  return explained(xid, Decision::kRollback, proof, settle_absent(*failed.seen, proof));
}

/// The same name in another database is another branch.
FinishReport BranchSession::settle_here(const Seen& seen, const BranchProof& proof,
                                        const std::optional<Error>& why) {
  if (seen.database.id == proof.database.id) return settle(seen, proof, why);
  return unfinished(
      Completion::kCannotTell, seen.listed ? Evidence::kListed : Evidence::kNone,
      hazard("this database (" + seen.database.id +
             ") is not the one in which the branch was prepared (" + proof.database.id +
             "): point the agent at that one, or find out whether the branch's effects are here"));
}

/// An end that contradicts the decision is proved like any other, and needs a person besides.
FinishReport BranchSession::explained(const Xid& xid, Decision told,
                                      const std::optional<BranchProof>& proof,
                                      FinishReport report) const {
  const bool commit = told == Decision::kCommit;
  if (report.completion != (commit ? Completion::kRolledBack : Completion::kCommitted))
    return report;
  std::string found = "its witness row is there";
  if (report.evidence == Evidence::kTransactionStatus) {
    found = "the server says that its transaction " + std::to_string(proof->transaction_id) +
            (commit ? " was rolled back" : " was committed");
  } else if (report.evidence == Evidence::kNoWitnessRow) {
    found = "it is not listed, and its witness row is neither there nor held by anybody";
  }
  const std::string hand =
      commit ? "Probably somebody has said " + say_rollback(xid) +
                   ", or a copy of the database from before the branch was put in its place: look "
                   "for that in the server's log, and do by hand what the branch should have done"
             : "Probably somebody has said " + say_commit(xid) +
                   ": look for that in the server's log, and undo by hand what the branch did";
  report.error = hazard("the branch was " + std::string(commit ? "rolled back" : "committed") +
                        " although the decision is " + std::string(to_string(told)) + ": " + found +
                        ". " + hand);
  return report;
}

// ---------------------------------------------------------------- looking

Result<Inspection> BranchSession::inspect(const std::set<LogId>& ours,
                                          const std::vector<InspectedBranch>& asked) {
  ASSENT_CHECK(!open_);
  give_time();
  auto found = list_with_waits(ours);
  if (!found) return found.error();
  auto& branches = found->branches;
  std::sort(branches.begin(), branches.end(),
            [](const BranchSight& a, const BranchSight& b) { return a.xid < b.xid; });
  if (branches.size() > kInspectedMax) branches.resize(kInspectedMax);
  std::map<Xid, std::size_t> listed;
  for (BranchSight& sight : branches) {
    sight.completion = Completion::kStillPrepared;
    sight.evidence = Evidence::kListed;
    listed.emplace(sight.xid, listed.size());
  }
  for (const InspectedBranch& one : asked) {
    const auto at = listed.find(one.xid);
    if (at == listed.end()) branches.emplace_back().xid = one.xid;
    look_closely(one, at == listed.end() ? branches.back() : branches[at->second]);
  }
  return found;
}

/// Without a proof the database may still have a witness of its own.
void BranchSession::look_closely(const InspectedBranch& asked, BranchSight& sight) {
  FinishReport report;
  if (const auto seen = look(asked.xid)) {
    report = settle_here(*seen, asked.proof.value_or(BranchProof{.database = seen->database}),
                         std::nullopt);
  } else {
    report = unfinished(Completion::kUnreached, Evidence::kNone, seen.error());
  }
  sight.completion = report.completion;
  sight.evidence = report.evidence;
  if (report.error) sight.error = std::move(report.error);
}

BranchSession::Failed BranchSession::look_after(const Xid& xid, const odbc::Diagnostic& failure) {
  const Error why = link_->error(failure, Effect::kUnknown);
  if (link_->lost()) return {why, std::nullopt};
  auto seen = look(xid);
  if (!seen) return {seen.error(), std::nullopt};
  return {why, std::move(*seen)};
}

WorkReport BranchSession::run(const Message& message) {
  open_ = true;
  WorkReport report;
  odbc::Answer answer =
      link_->run(compose(message), {.rows_max = kRowsMax, .bytes_max = kRowBytesMax});
  if (answer.failure) {
    complete(*answer.failure);
    report.error = describe_failure(message, answer);
    return give_up(message.xid, reached_by(message), answer, std::move(report));
  }
  auto proof = interpret(message, answer);
  if (!proof) {
    report.error = proof.error();
    return give_up(message.xid, reached_by(message), answer, std::move(report));
  }
  report.proof = std::move(*proof);
  const bool read_only = message.access == Access::kReadOnly;
  report.error = take_results(message, answer, report.results);
  if (report.error) {
    const Reached ended = read_only ? Reached::kNothing : Reached::kPrepared;
    return give_up(message.xid, message.ends ? ended : Reached::kOpen, answer, std::move(report));
  }
  if (message.ends) {
    open_ = false;
    report.vote = read_only ? Vote::kReadOnly : Vote::kPrepared;
  }
  return report;
}

/// A message does not stop at an unmet guard in every database, so the branch may be prepared by
/// now. Nobody was told so: it is undone at once, and what a crash leaves in between is an orphan
/// (R2).
WorkReport BranchSession::give_up(const Xid& xid, Reached reached, const odbc::Answer& answer,
                                  WorkReport report) {
  open_ = false;
  report.proof = {};
  if (reached == Reached::kPrepared) crash_point("rm.undo_prepared.before");
  const bool gone = reached == Reached::kNothing || (!link_->lost() && undo(xid, reached, answer));
  if (reached == Reached::kPrepared) crash_point("rm.undo_prepared.after");
  spoilt_ = spoilt_ || !gone;  // nobody knows what is still open on it
  report.vote = gone ? Vote::kRolledBack : Vote::kUnknown;
  report.error->effect = gone ? Effect::kNone : Effect::kUnknown;
  if (report.error->participant.empty()) report.error->participant = settings().participant;
  return report;
}

/// Takes them up to the first that is not as asked for, which is told.
std::optional<Error> BranchSession::take_results(const Message& message, odbc::Answer& answer,
                                                 std::vector<StatementResult>& results) const {
  ASSENT_CHECK(answer.results.size() == message.statements.size());
  results.reserve(answer.results.size());
  for (std::size_t i = 0; i < answer.results.size(); ++i) {
    odbc::ResultSet& result = answer.results[i];
    if (auto error = check_result(result, message.statements[i].statement.expect_rows)) {
      error->step = static_cast<std::int32_t>(message.first_index + i);
      return error;
    }
    results.push_back({.rows_affected = result.row_count,
                       .columns = std::move(result.columns),
                       .rows = std::move(result.rows)});
  }
  return std::nullopt;
}

std::optional<Error> BranchSession::check_result(const odbc::ResultSet& result,
                                                 std::optional<std::int64_t> expected) const {
  if (result.too_large) {
    return make_error(settings(), ErrorCode::kStatementFailed, Effect::kNone,
                      "the statement returns more than " + std::to_string(kRowsMax) + " rows or " +
                          std::to_string(kRowBytesMax) + " bytes: ask for less");
  }
  if (!expected || *expected == result.row_count) return std::nullopt;
  return guard_not_met(settings(), result.row_count, *expected);
}

FinishReport finished(Completion completion, Evidence evidence) {
  return {.completion = completion, .evidence = evidence, .error = {}};
}

FinishReport unfinished(Completion completion, Evidence evidence, std::optional<Error> error) {
  return {.completion = completion, .evidence = evidence, .error = std::move(error)};
}

Result<> check_step(const Settings& settings, const Statement& statement) {
  const auto ready = StatementCache(settings.kind).read(statement);
  if (ready) return {};
  Error error = ready.error();
  error.participant = settings.participant;
  return error;
}

Duration statement_limit_for(const Settings& settings, Duration deadline) {
  using std::chrono::milliseconds;
  if (deadline <= Duration(0)) return settings.statement_timeout;
  const Duration left = deadline - deadline / 10;
  const Duration step = left >= std::chrono::seconds(2) ? milliseconds(500) : milliseconds(50);
  const Duration rounded = std::max<Duration>(left - left % step, milliseconds(10));
  return std::min(rounded, settings.statement_timeout);
}

Error guard_not_met(const Settings& settings, std::int64_t rows, std::int64_t expected) {
  return make_error(settings, ErrorCode::kGuardNotMet, Effect::kNone,
                    "the statement met " + std::to_string(rows) + (rows == 1 ? " row" : " rows") +
                        ", expected " + std::to_string(expected));
}

}  // namespace assent::rm
