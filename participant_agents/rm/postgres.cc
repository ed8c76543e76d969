#include "participant_agents/rm/postgres.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "participant_agents/rm/branch_session.h"
#include "participant_agents/rm/control_start.h"
#include "participant_agents/rm/link.h"
#include "participant_agents/rm/postgres_list.h"
#include "participant_agents/rm/postgres_statements.h"
#include "participant_agents/rm/postgres_waits.h"
#include "participant_agents/rm/sql_lexer.h"
#include "participant_agents/rm/takeover.h"
#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::rm {
namespace {

/// Autocommit is ODBC's default and stays on: transactions are opened by an explicit BEGIN (F 2).
constexpr std::array kPins = {
    PinnedOption{"Protocol", "7.4-0"},  // no hidden savepoints (F 1)
    PinnedOption{"UseServerSidePrepare", "0"},
    PinnedOption{"UseDeclareFetch", "0"},
    PinnedOption{"BoolsAsChar", "0"},
};

/// The lock that keeps a second agent out of this database (R9): two numbers of ours.
constexpr std::string_view kLockKey = "1095978580, 1";
constexpr std::string_view kLockHeldBy =
    "locktype = 'advisory' AND classid = 1095978580 AND objid = 1 AND objsubid = 2 AND granted AND "
    "database = (SELECT oid FROM pg_database WHERE datname = current_database())";
constexpr std::string_view kOurSessions =
    "usename = current_user AND datname = current_database() AND backend_type = 'client backend'";
constexpr Duration kPollInterval = std::chrono::milliseconds(5);
constexpr std::int64_t kOldestVersion = 140000;  // xid8 functions: 13; idle_session_timeout: 14

/// In every session, work or control: what a step's meaning or its literals rest on, and what ends
/// the session of an agent that died (F 8).
constexpr std::string_view kSessionSettings =
    "SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; "
    "SET default_transaction_read_only = off; SET synchronous_commit = on; "
    "SET client_connection_check_interval = '1s'; SET tcp_keepalives_idle = 5; "
    "SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; "
    "SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0; ";

/// Also what PREPARE TRANSACTION says when max_prepared_transactions are prepared (F 3).
constexpr std::string_view kOutOfMemory = "53200";

/// PREPARE waits for the locks of its tables. Without it the statement still runs, so its wait is
/// no part of what the caller asked for.
constexpr Duration kPrepareLockWait = std::chrono::milliseconds(10);

/// Syntax, names and types (class 42).
constexpr std::string_view kNotAsDeclared = "42";

/// What pg_xact_status says of an id that nobody has had yet (xid8funcs.c).
constexpr std::string_view kNotAssigned = "22023";

/// The warning of a ROLLBACK outside a transaction (PostgreSQL manual, appendix A).
constexpr std::string_view kNoTransaction = "25P01";

/// Of an EXECUTE: the server does not have the statement (any more), or its result would have other
/// columns than when it was prepared (appendix A; plancache.c).
constexpr std::string_view kNoSuchStatement = "26000";
constexpr std::string_view kNotSupported = "0A000";

/// The columns of an identity; fails with 55000 on a server in recovery.
constexpr std::string_view kIdentityColumns =
    "(SELECT system_identifier::text FROM pg_control_system()) || '/' || "
    "(SELECT oid::text FROM pg_database WHERE datname = current_database()), "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8), (pg_current_wal_lsn() - '0/0')::text";

constexpr std::string_view kTimeline =
    "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int";

std::string quoted(const Xid& xid) {
  return "'" + to_gid(xid) + "'";
}

std::int64_t to_ms(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration).count();
}

DatabaseIdentity identity_at(const Row& row, std::size_t column, const Takeover& takeover) {
  DatabaseIdentity identity;
  identity.takeover = takeover.number;
  identity.id = text_at(row, column);
  identity.timeline =
      static_cast<std::uint32_t>(std::stoul("0" + text_at(row, column + 1), nullptr, 16));
  identity.position = unsigned_at(row, column + 2);
  return identity;
}

/// nullopt: not a branch of these logs and this participant.
std::optional<Xid> our_xid(const std::string& gid, const std::set<LogId>& ours,
                           const Settings& settings) {
  auto xid = parse_gid(gid);
  if (!xid || !ours.contains(xid->gtrid.log_id) || xid->bqual != settings.participant)
    return std::nullopt;
  return xid;
}

/// Was the vote given in the history that this database has now? Its voter's row is there, as the
/// voter itself wrote it (a dump that is put back writes it anew), and the next who took control
/// did so with a later transaction, further on in the log. Of a database that was put back to
/// before the vote, either the voter's row is gone, or the first who took control of it again
/// stands before the vote, whose transaction id somebody else has by now; and there that row stays,
/// whatever comes after it. On another timeline, a row also shows that the standby had replayed the
/// vote's position of the vote's timeline when it was promoted. NULL: the voter's row is gone.
std::string say_voted_in_this_history(const BranchProof& vote) {
  const std::string position = std::to_string(vote.database.position);
  const std::string timeline = std::to_string(vote.database.timeline);
  return "(SELECT coalesce((SELECT next.transaction_id > " + std::to_string(vote.transaction_id) +
         " AND next.position >= " + position +
         " FROM assent.takeover next WHERE next.transaction_id > voter.transaction_id "
         "ORDER BY next.transaction_id LIMIT 1), true) AND (" +
         timeline + " = " + std::string(kTimeline) +
         " OR EXISTS (SELECT FROM assent.promotion WHERE timeline = " + timeline +
         " + 1 AND replayed >= " + position +
         ")) FROM assent.takeover voter WHERE voter.number = " +
         std::to_string(vote.database.takeover) + " AND (voter.number = 0 OR " +
         "voter.xmin::text::bigint = voter.transaction_id & 4294967295))";
}

// ---------------------------------------------------------------- session

class PostgresSession final : public BranchSession {
 public:
  PostgresSession(std::unique_ptr<Link> link, SessionId id, DatabaseIdentity identity)
      : BranchSession(std::move(link), id), identity_(std::move(identity)) {}

 protected:
  WorkReport open(const Message& message) override;
  std::string compose(const Message& message) override;
  void complete(odbc::Diagnostic& /*failure*/) override {}
  Result<BranchProof> interpret(const Message& message, odbc::Answer& answer) override;
  Error describe_failure(const Message& message, const odbc::Answer& answer) override;
  bool undo(const Xid& xid, Reached reached, const odbc::Answer& answer) override;
  std::string say_commit(const Xid& xid) const override { return "COMMIT PREPARED " + quoted(xid); }
  std::string say_rollback(const Xid& xid) const override {
    return "ROLLBACK PREPARED " + quoted(xid);
  }
  void give_time() override;
  Result<Seen> look(const Xid& xid) override;
  bool is_the_one_that_voted(const Seen& seen, const BranchProof& proof) const override {
    return seen.listed && seen.transaction_id == proof.transaction_id;
  }
  FinishReport after_commit(const Xid& /*xid*/, PreparedBy /*by*/) override {
    return finished(Completion::kCommitted, Evidence::kDatabaseAnswer);
  }
  FinishReport settle(const Seen& seen, const BranchProof& proof,
                      const std::optional<Error>& why) override;
  FinishReport settle_absent(const Seen& seen, const std::optional<BranchProof>& proof) override;
  Result<Inspection> list_with_waits(const std::set<LogId>& ours) override;

 private:
  using Form = PostgresStatements::Form;

  void get_ready(const Message& message);
  void remember();
  bool was_outdated(const Error& error);
  std::string set_limits(Duration lock_wait, Duration statement_limit);
  bool prepare_form(const Message& message, Form& form, const ReadyStatement& statement);
  void forget_statements();
  bool is_still_ours(std::uint64_t transaction_id);
  Error replaced() const;
  FinishReport settle_by_status(const BranchProof& proof, const DatabaseIdentity& now);
  FinishReport of_another_history(const BranchProof& proof, const DatabaseIdentity& now) const;

  DatabaseIdentity identity_;  ///< a primary's timeline never changes below a session
  std::optional<std::int64_t> lock_timeout_ms_;  ///< what the session has; nullopt: not known
  std::optional<Duration> statement_limit_;      ///< likewise
  std::uint64_t transaction_id_ = 0;             ///< of the open branch; 0: none assigned yet
  bool transaction_replaced_ = false;  ///< the session is in another transaction than it opened
  std::size_t leading_results_ = 0;    ///< of the message under way, before its statements
  PostgresStatements statements_;
  std::vector<Form*> forms_;  ///< of the statements of the message that opens a branch
  /// What the server keeps may be used in the message under way: the whole branch is in it, so if
  /// it fails by what the server kept it can be said again at length.
  bool in_short_ = false;
  bool server_keeps_ = true;  ///< false: somebody drops what the server keeps, so nothing is kept
  bool wants_room_ = false;   ///< what is to be kept finds no room at the server
};

WorkReport PostgresSession::open(const Message& message) {
  in_short_ = !spoilt();
  if (in_short_) get_ready(message);
  WorkReport report = run(message);
  const bool undone = report.error && report.vote == Vote::kRolledBack;
  if (in_short_ && undone && was_outdated(*report.error)) {
    in_short_ = false;
    report = run(message);
  }
  if (in_short_ && !report.error) remember();
  in_short_ = false;
  return report;
}

/// What came a second time is prepared now, in messages of its own: in the branch a failure would
/// doom it. The branch's deadline runs (R11), so the first that meets a lock is the last.
void PostgresSession::get_ready(const Message& message) {
  forms_.clear();
  statements_.forget_unkept_if_full();
  if (wants_room_) forget_statements();
  bool goes_on = true;
  for (const ReadyStatement& statement : message.statements) {
    Form* form = server_keeps_ ? statements_.form_of(statement) : nullptr;
    if (goes_on && form != nullptr && form->state == Form::State::kHasRun)
      goes_on = prepare_form(message, *form, statement);
    forms_.push_back(form);
  }
}

/// False: that is all for this message.
bool PostgresSession::prepare_form(const Message& message, Form& form,
                                   const ReadyStatement& statement) {
  // Now others of this message may need what is kept, so the next one begins anew.
  wants_room_ = statements_.keeps_its_most();
  if (wants_room_) return false;
  const std::string limits =
      set_limits(std::min(kPrepareLockWait, message.lock_wait), message.statement_limit);
  const auto rows = link().query(limits + statements_.prepare(form, statement));
  if (rows) {
    const bool is_right = !rows->empty() && rows->front().at(0) == Value(true);
    form.state = is_right ? Form::State::kPrepared : Form::State::kOnlyLiteral;
    if (!is_right) link().run("DEALLOCATE " + form.name);
    return !link().lost();
  }
  lock_timeout_ms_.reset();
  statement_limit_.reset();
  // Behind somebody's lock: the next time, perhaps.
  const bool conflict = rows.error().code == ErrorCode::kConflict;
  if (!conflict) form.state = Form::State::kOnlyLiteral;
  return !conflict && !link().lost();
}

/// Statements whose table or session has changed below them.
void PostgresSession::forget_statements() {
  const odbc::Answer answer = link().run(PostgresStatements::let_go_of_all());
  server_keeps_ = !answer.failure;
  statements_.forget_all();
  forms_.clear();
  wants_room_ = false;
}

/// The message was right in every way.
void PostgresSession::remember() {
  for (Form* form : forms_) {
    if (form != nullptr && form->state == Form::State::kNew) form->state = Form::State::kHasRun;
  }
}

/// Nothing is left of a message in short. The branch as literals fails in the same way or does not:
/// so it is tried. What the server keeps was not made for tables that have changed since, and is
/// forgotten here; who drops it once does so again.
bool PostgresSession::was_outdated(const Error& error) {
  if (!server_keeps_) return false;
  if (error.sqlstate == kNoSuchStatement) {
    server_keeps_ = false;
    forms_.clear();
    return true;
  }
  const bool kept = std::any_of(forms_.begin(), forms_.end(), [](const Form* form) {
    return form != nullptr && form->state == Form::State::kPrepared;
  });
  const bool may_be = error.sqlstate == kNotSupported || error.sqlstate.starts_with(kNotAsDeclared);
  if (!kept || !may_be) return false;
  forget_statements();
  return true;
}

/// Before BEGIN they belong to the branch's transaction: PREPARE keeps them, a rollback takes them
/// back.
std::string PostgresSession::set_limits(Duration lock_wait, Duration statement_limit) {
  std::string sql;
  const std::int64_t lock_timeout = std::max<std::int64_t>(to_ms(lock_wait), 1);
  if (lock_timeout_ms_ != lock_timeout) {
    sql += "SET lock_timeout=" + std::to_string(lock_timeout) + ";";
    lock_timeout_ms_ = lock_timeout;
    ++leading_results_;
  }
  if (statement_limit_ != statement_limit) {
    sql += "SET statement_timeout=" + std::to_string(to_ms(statement_limit)) + ";";
    statement_limit_ = statement_limit;
    ++leading_results_;
  }
  return sql;
}

std::string PostgresSession::compose(const Message& message) {
  std::string sql;
  leading_results_ = 0;
  if (!message.statements.empty()) sql += set_limits(message.lock_wait, message.statement_limit);
  if (message.opens) {
    transaction_id_ = 0;
    transaction_replaced_ = false;
    sql += message.access == Access::kReadOnly ? "BEGIN READ ONLY;" : "BEGIN;";
    ++leading_results_;
  }
  for (std::size_t i = 0; i < message.statements.size(); ++i) {
    const Form* form = in_short_ ? forms_[i] : nullptr;
    sql.append(PostgresStatements::say(form, message.statements[i])).append(";");
  }
  if (message.access == Access::kReadOnly) return message.ends ? sql + "COMMIT" : sql;
  if (!message.ends) return sql + "SELECT pg_current_xact_id_if_assigned()::text";
  const std::string gid = to_gid(message.xid);
  return sql + "PREPARE TRANSACTION '" + gid + "';" +
         (in_short_ && server_keeps_ ? PostgresStatements::execute_proof(gid) : ask_for_proof(gid));
}

Result<BranchProof> PostgresSession::interpret(const Message& message, odbc::Answer& answer) {
  const std::size_t count = message.statements.size();
  const bool writes = message.access == Access::kReadWrite;
  const bool prepares = message.ends && writes;
  const std::size_t trailing = prepares ? 2 : (message.ends || writes ? 1 : 0);
  if (answer.results.size() != leading_results_ + count + trailing) {
    return make_error(settings(), ErrorCode::kStatementFailed, Effect::kNone,
                      "a statement gave more than one result: its table has rules that an "
                      "agent can't tell apart");
  }
  BranchProof proof;
  if (prepares) {
    const auto& rows = answer.results.back().rows;
    if (rows.empty()) {
      return make_error(settings(), ErrorCode::kStatementFailed, Effect::kNone,
                        "the database ended the branch instead of preparing it");
    }
    proof.database = identity_;
    const auto numbers = read_proof(text_at(rows.front(), 0));
    if (!numbers) return numbers.error();
    proof.database.position = numbers->wal_position;
    proof.transaction_id = widen(numbers->transaction, numbers->snapshot_xmax);
    if (!is_still_ours(proof.transaction_id)) return replaced();
  } else if (writes) {
    const auto& rows = answer.results.back().rows;
    if (rows.size() != 1 || !is_still_ours(unsigned_at(rows.front(), 0))) return replaced();
  }
  answer.results.resize(leading_results_ + count);
  answer.results.erase(answer.results.begin(),
                       answer.results.begin() + static_cast<std::ptrdiff_t>(leading_results_));
  return proof;
}

/// A branch that stays open keeps its transaction from the first row that it wrote on.
bool PostgresSession::is_still_ours(std::uint64_t transaction_id) {
  transaction_replaced_ = transaction_id_ != 0 && transaction_id != transaction_id_;
  transaction_id_ = transaction_id;
  return !transaction_replaced_;
}

Error PostgresSession::replaced() const {
  return make_error(settings(), ErrorCode::kStatementFailed, Effect::kUnknown,
                    "the session is not in the transaction any more in which the branch began: "
                    "find out what ended it, and whether its effects are there");
}

/// psqlODBC hands out no result of a message that failed, so with several statements it can't be
/// told which it was.
Error PostgresSession::describe_failure(const Message& message, const odbc::Answer& answer) {
  Error error = link().error(*answer.failure, Effect::kUnknown);
  const bool prepares = message.ends && message.access == Access::kReadWrite;
  if (prepares && error.sqlstate == kOutOfMemory) {
    error.message +=
        " (probably the server can hold no more prepared branches: SELECT * FROM pg_prepared_xacts "
        "shows those of all its databases. Have their owners end those that should not be there; "
        "or set max_prepared_transactions to at least the number of all sessions of all agents on "
        "it, and what others prepare there, and restart it)";
  } else if (message.statements.size() == 1) {
    error.step = static_cast<std::int32_t>(message.first_index);
  }
  return error;
}

bool PostgresSession::undo(const Xid& xid, Reached reached, const odbc::Answer& answer) {
  lock_timeout_ms_.reset();
  statement_limit_.reset();
  // Whoever is asked for the proof has prepared the branch before.
  const bool stopped_at_proof = answer.failure && answer.failure->sqlstate == kNoSuchStatement &&
                                PostgresStatements::is_about_proof(answer.failure->message);
  if (reached == Reached::kPrepared || (reached == Reached::kDoubtful && stopped_at_proof))
    return !link().run("ROLLBACK PREPARED " + quoted(xid)).failure;
  if (reached == Reached::kOpening || reached == Reached::kOpen) {
    const odbc::Answer ended = link().run("ROLLBACK");
    // Nothing is begun by a message with a syntax error; later, a transaction that is not there any
    // more was ended by somebody else, and nobody knows how.
    const bool was_there = !ended.notice || ended.notice->sqlstate != kNoTransaction;
    return !ended.failure && !transaction_replaced_ && (was_there || reached == Reached::kOpening);
  }
  // The failure may have come behind the prepare, and a branch of that name that is not ours is
  // not ours to undo: the list tells.
  const odbc::Answer listed =
      link().run("ROLLBACK;SELECT 1 FROM pg_prepared_xact() WHERE gid=" + quoted(xid));
  return !listed.failure && listed.results.back().rows.empty();
}

/// Alone: COMMIT PREPARED takes no company (F 2). If it fails, what follows does too.
void PostgresSession::give_time() {
  if (statement_limit_ && *statement_limit_ >= kEnoughForPhaseTwo) return;
  const Duration limit = settings().statement_timeout;
  const bool set = !link().run("SET statement_timeout=" + std::to_string(to_ms(limit))).failure;
  if (set) statement_limit_ = limit;
}

/// 42704 says that it is not there now, as the list does. Of a branch that is known to have
/// voted the status tells what became of it; where that can't be told any more, a rollback need not
/// know (R5).
FinishReport PostgresSession::settle_absent(const Seen& seen,
                                            const std::optional<BranchProof>& proof) {
  if (!proof) return finished(Completion::kRolledBack, Evidence::kListed);
  FinishReport found = settle(seen, *proof, std::nullopt);
  if (found.completion != Completion::kCannotTell) return found;
  return finished(Completion::kRolledBack, Evidence::kListed);
}

Result<PostgresSession::Seen> PostgresSession::look(const Xid& xid) {
  const auto listed = find_prepared(link(), to_gid(xid));
  if (!listed) return listed.error();
  const auto rows = link().query("SELECT " + std::string(kIdentityColumns));
  if (!rows) return rows.error();
  Seen seen;
  seen.listed = listed->has_value();
  if (seen.listed) seen.transaction_id = (*listed)->transaction_id;
  seen.database = identity_at(rows->front(), 0, {});
  return seen;
}

FinishReport PostgresSession::settle(const Seen& seen, const BranchProof& proof,
                                     const std::optional<Error>& why) {
  const std::string voter = std::to_string(proof.transaction_id);
  const bool known = proof.transaction_id != 0;
  if (seen.listed && known && !is_the_one_that_voted(seen, proof)) {
    return unfinished(
        Completion::kCannotTell, Evidence::kListed,
        hazard("a branch of that name is prepared, but by transaction " +
               std::to_string(seen.transaction_id) + " and not by " + voter +
               ", which voted: somebody has prepared another under its name. Look at both"));
  }
  if (seen.listed) return unfinished(Completion::kStillPrepared, Evidence::kListed, why);
  if (!known) {
    return unfinished(Completion::kCannotTell, Evidence::kNone,
                      hazard("the branch is not listed, and without the id of its transaction the "
                             "server can't be asked what became of it"));
  }
  return settle_by_status(proof, seen.database);
}

/// The status is proof only at a position not before the vote's, in the history in which it was
/// given. A passing failure to ask is none of the branch's ends.
FinishReport PostgresSession::settle_by_status(const BranchProof& proof,
                                               const DatabaseIdentity& now) {
  if (now.position < proof.database.position) return of_another_history(proof, now);
  const std::string id = std::to_string(proof.transaction_id);
  const auto rows =
      link().query("SELECT CASE WHEN " + say_voted_in_this_history(proof) +
                   " THEN coalesce(pg_xact_status('" + id + "'::xid8), 'forgotten') END");
  if (!rows && rows.error().sqlstate == kNotAssigned) return of_another_history(proof, now);
  if (!rows) return unfinished(Completion::kUnreached, Evidence::kNone, rows.error());
  const std::string status = text_at(rows->front(), 0);
  if (status == "committed") return finished(Completion::kCommitted, Evidence::kTransactionStatus);
  if (status == "aborted") return finished(Completion::kRolledBack, Evidence::kTransactionStatus);
  if (status == "in progress") {
    return unfinished(Completion::kStillPrepared, Evidence::kTransactionStatus,
                      make_error(settings(), ErrorCode::kBusy, Effect::kUnknown,
                                 "transaction " + id + " is just being finished by somebody else"));
  }
  if (status.empty()) return of_another_history(proof, now);
  return unfinished(
      Completion::kCannotTell, Evidence::kTransactionStatus,
      hazard("the branch is not listed, and the server has forgotten the status of transaction " +
             id + ", which is too old: find out whether the branch's effects are here"));
}

FinishReport PostgresSession::of_another_history(const BranchProof& proof,
                                                 const DatabaseIdentity& now) const {
  return unfinished(
      Completion::kCannotTell, Evidence::kNone,
      hazard("the branch is not listed, and this database is not the history in which it was "
             "prepared (failover or restore): transaction " +
             std::to_string(proof.transaction_id) +
             " is or may become somebody else's here, so its status proves nothing. It was "
             "prepared on timeline " +
             std::to_string(proof.database.timeline) + " at position " +
             std::to_string(proof.database.position) + "; this agent found timeline " +
             std::to_string(now.timeline) + " at position " + std::to_string(now.position) +
             ". Find out whether the branch's effects are here"));
}

Result<Inspection> PostgresSession::list_with_waits(const std::set<LogId>& ours) {
  auto listed = list_prepared_here(link());
  if (!listed) return std::move(listed).error();
  auto blocked = find_blocked(link());
  if (!blocked) return blocked.error();
  Inspection found;
  for (const auto& [gid, transaction_id, age] : *listed) {
    if (auto xid = our_xid(gid, ours, settings())) {
      BranchSight& sight = found.branches.emplace_back();
      sight.xid = std::move(*xid);
      sight.transaction_id = transaction_id;
      sight.age = age;
      sight.blocked = std::move((*blocked)[gid]);
    } else if (found.foreign.size() < kInspectedMax) {
      found.foreign.push_back({.name = gid, .age = age, .blocked = std::move((*blocked)[gid])});
    }
  }
  return found;
}

// ---------------------------------------------------------------- control

class PostgresControl final : public Control {
 public:
  explicit PostgresControl(std::unique_ptr<Link> link) : link_(std::move(link)) {}

  /// What take_control does after connecting, in its order. Nobody else has this object yet, so
  /// each cuts itself.
  Result<> check_server();
  Result<> take_lock(Duration wait);
  Result<> end_other_sessions();
  Result<> create_schema();

  Result<Takeover> record_takeover();

  std::string server_version() const override { return server_version_; }
  std::uint32_t prepared_max() const override { return prepared_max_; }
  std::vector<std::string> warnings() const override { return warnings_; }
  Result<DatabaseIdentity> identity() override;
  Result<> heartbeat() override;
  Result<> end_session(SessionId id, Duration wait) override;
  Result<FenceAnswer> raise_fence(const Fence& fence) override;
  Result<PreparedScan> list_prepared(const std::set<LogId>& ours) override;
  Result<> forget_witnesses(const std::vector<Gtrid>& gtrids) override;
  void interrupt() override { link_->interrupt(); }

 private:
  Error who_holds_the_lock();
  Error who_fences(const Fence& fence);
  /// Ends the sessions that `condition` finds, again and again until none is found.
  Result<> end_sessions(const std::string& condition, Duration wait);

  std::unique_ptr<Link> link_;
  Takeover takeover_;
  std::string server_version_;
  std::uint32_t prepared_max_ = 0;
  std::vector<std::string> warnings_;
};

Result<> PostgresControl::check_server() {
  const CallWatchdog watchdog(*link_, link_->settings().call_timeout);
  const auto rows = link_->query(
      "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'), "
      "pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), "
      "current_setting('max_prepared_transactions')::bigint, pg_backend_pid()",
      Effect::kNone);
  if (!rows) return rows.error();
  const Row& row = rows->front();
  if (integer_at(row, 0) < kOldestVersion)
    return link_->unfit("PostgreSQL " + text_at(row, 1) + " is too old: 14 or later is needed");
  if (row.at(2) == Value(true))
    return link_->unfit("the server is a standby: point the agent at the primary");
  if (text_at(row, 3) != "on")
    return link_->unfit("fsync is off: an acknowledged prepare could be lost. Set fsync = on");
  if (integer_at(row, 5) == 0)
    return link_->unfit(
        "max_prepared_transactions is 0: set it to at least the number of sessions");
  if (text_at(row, 4) != "on")
    warnings_.emplace_back("full_page_writes is off: a torn page after a crash loses data");
  server_version_ = "PostgreSQL " + text_at(row, 1);
  prepared_max_ = static_cast<std::uint32_t>(integer_at(row, 5));
  takeover_.control = SessionId{static_cast<std::uint64_t>(integer_at(row, 6))};
  const auto set = link_->query(std::string(kSessionSettings) +
                                    "SET statement_timeout = 0; SET idle_session_timeout = '10s'; "
                                    "SELECT 1",
                                Effect::kNone);
  if (!set) return set.error();
  return {};
}

Result<> PostgresControl::take_lock(Duration wait) {
  const CallWatchdog watchdog(*link_, wait + link_->settings().call_timeout);
  const std::int64_t ms = std::max<std::int64_t>(to_ms(wait), 1);
  const odbc::Answer answer =
      link_->run("SET lock_timeout = " + std::to_string(ms) + "; SELECT pg_advisory_lock(" +
                 std::string(kLockKey) + "); SET lock_timeout = 0");
  if (!answer.failure) return {};
  if (link_->meaning(*answer.failure) == Meaning::kConflict) return who_holds_the_lock();
  return link_->error(*answer.failure, Effect::kNone);
}

Error PostgresControl::who_holds_the_lock() {
  const auto rows = link_->query(
      "SELECT format('session %s from %s since %s', a.pid, "
      "coalesce(host(a.client_addr) || ':' || a.client_port, 'a local socket'), "
      "date_trunc('second', a.backend_start)) "
      "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE " +
      std::string(kLockHeldBy));
  std::string holder = "somebody who has just left";
  if (rows && !rows->empty()) holder = text_at(rows->front(), 0);
  return make_error(link_->settings(), ErrorCode::kFenced, Effect::kNone,
                    "another agent has this database: " + holder + ". Stop one of the two");
}

Result<> PostgresControl::end_other_sessions() {
  const Duration wait = link_->settings().call_timeout;
  const CallWatchdog watchdog(*link_, 2 * wait);
  return end_sessions("pid <> pg_backend_pid()", wait);
}

Result<> PostgresControl::end_session(SessionId id, Duration wait) {
  return end_sessions("pid = " + std::to_string(static_cast<std::uint64_t>(id)), wait);
}

Result<> PostgresControl::end_sessions(const std::string& condition, Duration wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto rows = link_->query(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE " +
        std::string(kOurSessions) + " AND " + condition);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    if (std::chrono::steady_clock::now() >= deadline) {
      return make_error(link_->settings(), ErrorCode::kTimeout, Effect::kUnknown,
                        "database session " + std::to_string(integer_at(rows->front(), 0)) +
                            " was told to end and is still there");
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

/// Numbers of 64 bits without sign have no type of their own here: numeric. Takeover 0 stands for
/// all who took control before there were such rows.
Result<> PostgresControl::create_schema() {
  const CallWatchdog watchdog(*link_, link_->settings().call_timeout);
  const auto made = link_->query(
      "CREATE SCHEMA IF NOT EXISTS assent; "
      "CREATE TABLE IF NOT EXISTS assent.fence (log_id text PRIMARY KEY, coordinator text NOT "
      "NULL, "
      "epoch bigint NOT NULL, opening_nonce numeric(20) NOT NULL, log_top numeric(20) NOT NULL, "
      "raised_at timestamptz NOT NULL); "
      "CREATE TABLE IF NOT EXISTS assent.takeover (number bigint PRIMARY KEY, transaction_id "
      "bigint "
      "NOT NULL UNIQUE, position bigint NOT NULL, taken_at timestamptz NOT NULL); "
      "CREATE TABLE IF NOT EXISTS assent.promotion (timeline int PRIMARY KEY, replayed bigint NOT "
      "NULL); "
      "INSERT INTO assent.takeover VALUES (0, 0, 0, now()) ON CONFLICT DO NOTHING; "
      "SELECT 1");
  if (!made) return made.error();
  return {};
}

Result<DatabaseIdentity> PostgresControl::identity() {
  const auto rows = link_->query("SELECT " + std::string(kIdentityColumns), Effect::kNone);
  if (!rows) return rows.error();
  return identity_at(rows->front(), 0, takeover_);
}

/// When every earlier session has been seen gone, so that all that voted has lower transaction ids.
/// Before the first vote, whose prepare is flushed behind it. And of a promoted standby, up to
/// where it had replayed the timeline before. The server tells as long as it runs; after a restart
/// it would tell the end of its crash recovery, but then it has not asked for a stream.
Result<Takeover> PostgresControl::record_takeover() {
  const CallWatchdog watchdog(*link_, link_->settings().call_timeout);
  const std::uint64_t number = draw_takeover();
  const auto rows = link_->query(
      "INSERT INTO assent.promotion SELECT " + std::string(kTimeline) +
      ", pg_last_wal_replay_lsn() - '0/0' WHERE pg_last_wal_receive_lsn() IS NOT NULL "
      "ON CONFLICT DO NOTHING; "
      "INSERT INTO assent.takeover VALUES (" +
      std::to_string(number) +
      ", pg_current_xact_id()::text::bigint, pg_current_wal_lsn() - '0/0', now()) RETURNING "
      "transaction_id");
  if (!rows) return rows.error();
  crash_point("rm.takeover.recorded");
  takeover_.number = number;
  return takeover_;
}

/// An advisory lock lives as long as its session: nobody else can take it away.
Result<> PostgresControl::heartbeat() {
  const auto rows = link_->query("SELECT 1", Effect::kNone);
  if (!rows) return rows.error();
  return {};
}

/// Only the holder of the lock writes here: the row stays as it was read.
Result<FenceAnswer> PostgresControl::raise_fence(const Fence& fence) {
  const auto ask = lex_statement(Kind::kPostgres,
                                 "SELECT log_top::text, epoch, log_id, opening_nonce::text FROM "
                                 "assent.fence WHERE log_id = ? OR coordinator = ? "
                                 "ORDER BY log_id = ? DESC, raised_at DESC LIMIT ?",
                                 Author::kAssent);
  ASSENT_CHECK(ask.has_value());
  const std::string log = to_string(fence.log_id);
  const auto asking =
      render(Kind::kPostgres, *ask, {log, fence.coordinator, log, std::int64_t{kOtherLogsMax + 1}});
  if (!asking) return asking.error();
  auto before = link_->query(*asking, Effect::kNone);
  if (!before && fence.left && shows_no_table(Kind::kPostgres, before.error()))
    before = std::vector<Row>{};
  if (!before) return before.error();
  std::vector<FenceRow> known;
  for (const Row& row : *before) {
    const auto of = parse_log_id(text_at(row, 2));
    if (!of) continue;  // no hand of ours
    known.push_back({*of, Epoch{static_cast<std::uint32_t>(integer_at(row, 1))},
                     unsigned_at(row, 3), unsigned_at(row, 0)});
  }
  FenceAnswer answer = answer_of(known, fence);
  if (answer.deposed || answer.missing) answer.refused = who_fences(fence);
  if (answer.refused || answer.up_to_date) return answer;
  const auto statement = lex_statement(
      Kind::kPostgres,
      "INSERT INTO assent.fence AS f (log_id, coordinator, epoch, opening_nonce, log_top, "
      "raised_at) "
      "VALUES (?, ?, ?, ?::numeric, ?::numeric, now()) ON CONFLICT (log_id) DO UPDATE SET "
      "coordinator = excluded.coordinator, epoch = excluded.epoch, "
      "opening_nonce = excluded.opening_nonce, log_top = greatest(f.log_top, excluded.log_top), "
      "raised_at = now() WHERE f.epoch < excluded.epoch OR "
      "(f.epoch = excluded.epoch AND f.opening_nonce = excluded.opening_nonce) RETURNING 1",
      Author::kAssent);
  ASSENT_CHECK(statement.has_value());
  const auto sql = render(Kind::kPostgres, *statement,
                          {to_string(fence.log_id), fence.coordinator,
                           std::int64_t{static_cast<std::uint32_t>(fence.epoch)},
                           std::to_string(fence.opening_nonce), std::to_string(fence.log_top)});
  if (!sql) return sql.error();
  const auto rows = link_->query(*sql);
  if (!rows) return rows.error();
  if (rows->empty()) answer.refused = who_fences(fence);
  return answer;
}

Error PostgresControl::who_fences(const Fence& fence) {
  const auto rows = link_->query(
      "SELECT format('epoch %s, nonce %s, log top %s, raised at %s by %s', epoch, opening_nonce, "
      "log_top, raised_at, coordinator) FROM assent.fence WHERE log_id = '" +
      to_string(fence.log_id) + "'");
  std::string row = "unreadable";
  if (rows && !rows->empty()) row = text_at(rows->front(), 0);
  return make_error(link_->settings(), ErrorCode::kFenced, Effect::kNone,
                    "this database has seen another opening of log " + to_string(fence.log_id) +
                        " (" + row + "): the coordinator that asked is deposed or restored");
}

Result<PreparedScan> PostgresControl::list_prepared(const std::set<LogId>& ours) {
  const auto listed = list_prepared_here(*link_);
  if (!listed) return listed.error();
  PreparedScan scan;
  for (const auto& [gid, transaction_id, age] : *listed) {
    if (auto xid = our_xid(gid, ours, link_->settings())) {
      scan.branches.push_back({std::move(*xid), transaction_id, age});
    } else {
      ++scan.foreign;
    }
  }
  return scan;
}

/// The status of the transaction id is the witness here: there are no rows.
Result<> PostgresControl::forget_witnesses(const std::vector<Gtrid>& /*gtrids*/) {
  return {};
}

// ---------------------------------------------------------------- resource manager

class Postgres final : public ResourceManager {
 public:
  explicit Postgres(Settings settings) : settings_(std::move(settings)) {}

  Result<std::unique_ptr<Control>> take_control(Duration wait) override;
  Result<std::unique_ptr<Session>> open_session() override;
  Result<> check_statement(const Statement& statement) const override {
    return check_step(settings_, statement);
  }

 private:
  Takeover takeover() {
    const std::lock_guard lock(mutex_);
    return takeover_;
  }

  Settings settings_;
  std::mutex mutex_;
  Takeover takeover_;
};

Result<std::unique_ptr<Control>> Postgres::take_control(Duration wait) {
  auto control = start_control<PostgresControl>(settings_, kPins, wait);
  if (!control) return control.error();
  const auto takeover = (*control)->record_takeover();
  if (!takeover) return takeover.error();
  const std::lock_guard lock(mutex_);
  takeover_ = *takeover;
  return std::unique_ptr<Control>(std::move(*control));
}

/// An agent that was asleep while another took over connects after that one's sweep, so it looks
/// whose the lock is, in this order (R9).
Result<std::unique_ptr<Session>> Postgres::open_session() {
  auto link = Link::open(settings_, kPins);
  if (!link) return link.error();
  const CallWatchdog watchdog(**link, settings_.call_timeout);
  const Takeover takeover = this->takeover();
  const auto control = std::to_string(static_cast<std::uint64_t>(takeover.control));
  const auto rows = (*link)->query(
      std::string(kSessionSettings) +
          "SET statement_timeout = " + std::to_string(to_ms(settings_.statement_timeout)) + "; " +
          PostgresStatements::prepare_proof() +
          "; SELECT pg_backend_pid(), EXISTS (SELECT 1 FROM pg_locks WHERE pid = " + control +
          " AND " + std::string(kLockHeldBy) + "), " + std::string(kIdentityColumns),
      Effect::kNone);
  if (!rows) return rows.error();
  const Row& row = rows->front();
  if (row.at(1) != Value(true)) {
    return make_error(settings_, ErrorCode::kFenced, Effect::kNone,
                      "this agent does not hold the lock of its database any more");
  }
  const SessionId id{static_cast<std::uint64_t>(integer_at(row, 0))};
  return std::unique_ptr<Session>(
      std::make_unique<PostgresSession>(std::move(*link), id, identity_at(row, 2, takeover)));
}

}  // namespace

std::unique_ptr<ResourceManager> make_postgres(const Settings& settings) {
  return std::make_unique<Postgres>(settings);
}

}  // namespace assent::rm
