#include "participant_agents/rm/mariadb.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "participant_agents/rm/branch_session.h"
#include "participant_agents/rm/control_start.h"
#include "participant_agents/rm/link.h"
#include "participant_agents/rm/mariadb_waits.h"
#include "participant_agents/rm/sql_lexer.h"
#include "participant_agents/rm/takeover.h"
#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::rm {
namespace {

/// Autocommit is ODBC's default and stays on. CLIENT_FOUND_ROWS (2): counts are rows met, as in
/// PostgreSQL.
constexpr PinnedOption kNoReconnect{"AUTO_RECONNECT", "0"};  // else statements go on outside (F 14)
constexpr PinnedOption kCharset{"CHARSET", "utf8mb4"};
constexpr std::array kControlPins = {PinnedOption{"OPTION", "2"}, kNoReconnect, kCharset};
/// And CLIENT_MULTI_STATEMENTS (67108864): a branch may be a list of statements.
constexpr std::array kSessionPins = {PinnedOption{"OPTION", "67108866"}, kNoReconnect, kCharset};

constexpr std::string_view kSqlMode =
    "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION";
/// Named locks belong to the whole server, we to one database (R9).
constexpr std::string_view kLockName = "CONCAT('assent_', MD5(DATABASE()))";
constexpr std::string_view kOurSessions =
    "user = SUBSTRING_INDEX(USER(), '@', 1) AND db = DATABASE() AND id <> CONNECTION_ID()";
constexpr Duration kPollInterval = std::chrono::milliseconds(5);
/// A session leaves the process list a moment before its branches are free to be finished (F 9).
constexpr Duration kAfterLastSeen = std::chrono::milliseconds(50);

/// Idle sessions are the agent's to close (MariaDB manual, wait_timeout: the largest on Linux).
constexpr std::int64_t kWaitTimeoutMax = 31536000;

/// What a driver must do with a list: stop at the first error and tell it. One that sends each
/// statement by itself would go on.
constexpr std::string_view kListThatStops = "DO 0; DO assent_stop(); SET @assent_on=1";

/// Native codes that are looked at by name.
constexpr std::int32_t kUnknownThread = 1094;
constexpr std::int32_t kLockWaitTimeout = 1205;
constexpr std::int32_t kAccessDenied = 1227;
/// Our own SIGNAL: no server uses numbers from 30001 on by itself.
constexpr std::int32_t kGuardSignal = 31000;
constexpr std::string_view kGuardWord = "assent guard ";

/// As in XA statements and as XA RECOVER FORMAT='SQL' shows it (F 10, F 14).
std::string xa_name(const Xid& xid) {
  return "'" + to_string(xid.gtrid) + "','" + xid.bqual + "'," + std::to_string(kFormatId);
}

/// nullopt: not a name that we give.
std::optional<Xid> parse_xa_name(std::string_view text) {
  const std::string tail = "'," + std::to_string(kFormatId);
  constexpr std::string_view kBetween = "','";
  const std::size_t between = text.find(kBetween);
  if (!text.starts_with('\'') || !text.ends_with(tail) || between == std::string_view::npos)
    return std::nullopt;
  const std::size_t bqual = between + kBetween.size();
  if (bqual + tail.size() > text.size()) return std::nullopt;
  const auto gtrid = parse_gtrid(text.substr(1, between - 1));
  const std::string_view name = text.substr(bqual, text.size() - tail.size() - bqual);
  if (!gtrid || !is_participant_name(name)) return std::nullopt;
  return Xid{*gtrid, Bqual(name)};
}

/// nullopt: not a branch of these logs and this participant.
std::optional<Xid> our_xid(std::string_view name, const std::set<LogId>& ours,
                           const Settings& settings) {
  auto xid = parse_xa_name(name);
  if (!xid || !ours.contains(xid->gtrid.log_id) || xid->bqual != settings.participant)
    return std::nullopt;
  return xid;
}

/// Whatever the server lists, as XA statements take it.
Result<std::vector<std::string>> list_xa_names(Link& link) {
  const odbc::Answer answer = link.run("BEGIN NOT ATOMIC XA RECOVER FORMAT='SQL'; END");
  if (answer.failure) return link.error(*answer.failure, Effect::kNone);
  std::vector<std::string> names;
  for (const Row& row : answer.results.front().rows) names.push_back(text_at(row, 3));
  return names;
}

std::string number(LogId value) {
  return std::to_string(static_cast<std::uint64_t>(value));
}
std::string number(Epoch value) {
  return std::to_string(static_cast<std::uint32_t>(value));
}
std::string number(Sequence value) {
  return std::to_string(static_cast<std::uint64_t>(value));
}

std::int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

/// In every session, work or control. pseudo_slave_mode detaches a branch from its session when it
/// is prepared (F 9).
std::string session_settings() {
  return "SET SESSION pseudo_slave_mode = 1, autocommit = 1, sql_mode = '" + std::string(kSqlMode) +
         "', idle_transaction_timeout = 0";
}

// ---------------------------------------------------------------- session

class MariadbSession final : public BranchSession {
 public:
  MariadbSession(std::unique_ptr<Link> link, SessionId id, DatabaseIdentity identity)
      : BranchSession(std::move(link), id), identity_(std::move(identity)) {}

 protected:
  std::string compose(const Message& message) override;
  void complete(odbc::Diagnostic& failure) override;
  Result<BranchProof> interpret(const Message& message, odbc::Answer& answer) override;
  Error describe_failure(const Message& message, const odbc::Answer& answer) override;
  bool undo(const Xid& xid, Reached reached, const odbc::Answer& answer) override;

  std::string say_commit(const Xid& xid) const override { return "XA COMMIT " + xa_name(xid); }
  std::string say_rollback(const Xid& xid) const override { return "XA ROLLBACK " + xa_name(xid); }
  void give_time() override;
  Result<Seen> look(const Xid& xid) override;
  bool is_the_one_that_voted(const Seen& seen, const BranchProof& proof) const override {
    return seen.listed && seen.database.id == proof.database.id;
  }
  FinishReport after_commit(const Xid& xid, PreparedBy by) override;
  FinishReport settle(const Seen& seen, const BranchProof& proof,
                      const std::optional<Error>& why) override;
  FinishReport settle_absent(const Seen& seen, const std::optional<BranchProof>& proof) override;
  Result<Inspection> list_with_waits(const std::set<LogId>& ours) override;

 private:
  static bool wants_counts(const Message& message);
  static bool may_read_last_insert_id(const Message& message);
  using Texts = std::vector<std::string>;  ///< of a message's statements, with their literals
  static bool can_be_a_list(const Message& message, const Texts& texts);
  std::string compose_list(const Message& message, const Texts& texts);
  std::string compose_compound(const Message& message, const Texts& texts);
  static std::string say_witness(const Xid& xid);
  Result<> look_behind_locks(const Xid& xid, Seen& seen);
  Result<BranchProof> interpret_list(const Message& message, odbc::Answer& answer) const;
  Result<BranchProof> interpret_compound(const Message& message, odbc::Answer& answer) const;
  Error describe_list_failure(const Message& message, const odbc::Answer& answer);
  Error mismatch() const;
  BranchProof proof_of(const Message& message) const;
  void limit_lock_waits(Duration limit);
  void limit_statements(Duration limit);
  static void append_guard(std::string& sql, const std::string& count, std::size_t index,
                           std::int64_t expected);
  bool undo_xa(const Xid& xid, Reached reached, const odbc::Answer& answer);

  DatabaseIdentity identity_;
  Duration statement_limit_{};                     ///< what the session has; 0: not known
  std::optional<std::int64_t> lock_wait_seconds_;  ///< what the session has; nullopt: not known
  bool is_list_ = false;             ///< the message under way, not a compound statement
  std::size_t leading_results_ = 0;  ///< of a list, before its statements
};

/// With a guard on every statement and no rows to come back all counts are known beforehand.
bool MariadbSession::wants_counts(const Message& message) {
  for (std::size_t i = 0; i < message.statements.size(); ++i) {
    if (message.statements[i].lexed->may_return_rows ||
        !message.statements[i].statement.expect_rows)
      return true;
  }
  return false;
}

/// In messages of their own: a compound statement is under the limit that was set before it began,
/// and a list has results of its statements only. If one fails, the branch runs under the limit
/// before.
void MariadbSession::limit_statements(Duration limit) {
  if (limit == Duration(0) || limit == statement_limit_) return;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  const odbc::Answer set =
      link().run("SET SESSION max_statement_time = " + std::to_string(ms) + " / 1000.0");
  statement_limit_ = set.failure ? Duration(0) : limit;
}

void MariadbSession::limit_lock_waits(Duration limit) {
  const std::int64_t seconds = whole_seconds(limit);
  if (lock_wait_seconds_ == seconds) return;
  const odbc::Answer set =
      link().run("SET SESSION innodb_lock_wait_timeout=" + std::to_string(seconds));
  lock_wait_seconds_.reset();
  if (!set.failure) lock_wait_seconds_ = seconds;
}

/// Now or, in a branch that stays open, later.
bool MariadbSession::may_read_last_insert_id(const Message& message) {
  constexpr std::string_view kName = "last_insert_id";
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  return !message.ends ||
         std::any_of(message.statements.begin(), message.statements.end(), [&](const auto& ready) {
           const std::string& text = ready.lexed->text;
           return std::search(text.begin(), text.end(), kName.begin(), kName.end(), same) !=
                  text.end();
         });
}

/// Several statements in one COM_QUERY, each with a result of its own, are cheaper than a compound
/// statement. The driver (3.1.15) only sends a list as it is when its own lexer finds no parameter
/// and nothing that returns rows: otherwise it prepares and executes each statement by itself, and
/// goes on behind errors. That lexer need not agree with ours about what is in a literal (in other
/// versions a minus is a comment up to the end of the line), so nothing in a statement may look
/// like a marker, the end of a statement or the end of a line. The server reads a statement of a
/// list when those before it have run, so none of them may change how it reads.
bool MariadbSession::can_be_a_list(const Message& message, const Texts& texts) {
  const bool says_nothing = !message.opens && !message.ends && message.statements.empty();
  if (message.access == Access::kReadOnly || says_nothing) return false;
  constexpr std::string_view kMisread = ";?\n\r";
  return std::none_of(message.statements.begin(), message.statements.end(),
                      [](const ReadyStatement& ready) {
                        return ready.lexed->may_return_rows || ready.lexed->may_change_session;
                      }) &&
         std::none_of(texts.begin(), texts.end(), [&](const std::string& text) {
           return text.find_first_of(kMisread) != std::string::npos;
         });
}

std::string MariadbSession::compose(const Message& message) {
  if (!message.statements.empty()) limit_lock_waits(message.lock_wait);
  limit_statements(message.statement_limit);
  Texts texts;
  texts.reserve(message.statements.size());
  for (const ReadyStatement& statement : message.statements) texts.push_back(statement.at_length());
  is_list_ = can_be_a_list(message, texts);
  return is_list_ ? compose_list(message, texts) : compose_compound(message, texts);
}

/// Of the branch's witness row.
std::string witness_condition(const Xid& xid) {
  return "log_id=" + number(xid.gtrid.log_id) + " AND epoch=" + number(xid.gtrid.epoch) +
         " AND sequence=" + number(xid.gtrid.sequence) + " AND bqual='" + xid.bqual + "'";
}

/// Waits for a transaction that holds the row, and lets go of it at once.
std::string say_wait_for_witness(const Xid& xid) {
  return "SELECT COUNT(*) FROM assent_witness WHERE " + witness_condition(xid) +
         " LOCK IN SHARE MODE";
}

std::string MariadbSession::say_witness(const Xid& xid) {
  const Gtrid& gtrid = xid.gtrid;
  return "INSERT INTO assent_witness VALUES(" + number(gtrid.log_id) + "," + number(gtrid.epoch) +
         "," + number(gtrid.sequence) + ",'" + xid.bqual + "')";
}

/// The server stops at the first error and leaves the branch as it is then, for `undo`.
std::string MariadbSession::compose_list(const Message& message, const Texts& texts) {
  const std::string xid = xa_name(message.xid);
  std::string sql;
  const auto say = [&sql](const std::string& statement) {
    sql.append(sql.empty() ? "" : "; ").append(statement);
  };
  const bool forgets = message.opens && may_read_last_insert_id(message);
  leading_results_ = (message.opens ? 1 : 0) + (forgets ? 1 : 0);
  if (message.opens) say("XA START " + xid);
  if (forgets) say("SET SESSION last_insert_id=0");
  for (const std::string& text : texts) say(text);
  if (!message.ends) return sql;
  say(say_witness(message.xid));
  say("XA END " + xid);
  say("XA PREPARE " + xid);
  return sql;
}

/// ROW_COUNT() is -1 after a statement that returned rows: those are counted when they have
/// arrived.
void MariadbSession::append_guard(std::string& sql, const std::string& count, std::size_t index,
                                  std::int64_t expected) {
  sql += "IF " + count + " NOT IN (" + std::to_string(expected) +
         ",-1) THEN SET @assent_m=CONCAT('" + std::string(kGuardWord) + std::to_string(index) +
         " '," + count +
         "); SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO=" + std::to_string(kGuardSignal) +
         ",MESSAGE_TEXT=@assent_m; END IF; ";
}

/// One compound statement: it stops at the first error and leaves the branch as it is then, for
/// `undo`. No handler in it: handlers don't see kills and timeouts, and the answer to XA ROLLBACK
/// would be lost in them. Counts are kept in user variables, since a local variable would hide a
/// column of the same name from the statements.
std::string MariadbSession::compose_compound(const Message& message, const Texts& texts) {
  const std::string xid = xa_name(message.xid);
  const bool read_only = message.access == Access::kReadOnly;
  const bool counts = wants_counts(message);
  std::string sql = "BEGIN NOT ATOMIC ";
  if (message.opens && may_read_last_insert_id(message)) sql += "SET SESSION last_insert_id=0; ";
  if (message.opens) sql += read_only ? "START TRANSACTION READ ONLY; " : "XA START " + xid + "; ";
  std::string all_counts;
  for (std::size_t i = 0; i < message.statements.size(); ++i) {
    const std::string count = "@assent_n" + std::to_string(i);
    const auto expected = message.statements[i].statement.expect_rows;
    sql += texts[i] + "; ";
    if (counts || expected) sql += "SET " + count + "=ROW_COUNT(); ";
    if (expected) append_guard(sql, count, i, *expected);
    all_counts += (i == 0 ? "" : ",") + count;
  }
  if (counts) sql += "SELECT " + all_counts + "; ";
  if (message.ends && read_only) sql += "COMMIT; ";
  if (message.ends && !read_only)
    sql += say_witness(message.xid) + "; XA END " + xid + "; XA PREPARE " + xid + "; ";
  return sql + "END";
}

Result<BranchProof> MariadbSession::interpret(const Message& message, odbc::Answer& answer) {
  return is_list_ ? interpret_list(message, answer) : interpret_compound(message, answer);
}

Error MariadbSession::mismatch() const {
  return make_error(settings(), ErrorCode::kStatementFailed, Effect::kUnknown,
                    "the results of the message don't match its statements");
}

BranchProof MariadbSession::proof_of(const Message& message) const {
  if (!message.ends || message.access == Access::kReadOnly) return {};
  return {.database = identity_, .transaction_id = 0, .witness_row = true};
}

/// Every statement gave its one result, a success, and nothing came behind that of XA PREPARE: the
/// server stops at the first error, so it came to the last. No remarks: the driver makes them when
/// it throws rows away that it did not expect, and none of the server's warnings. That the witness
/// row's count is in its place shows once more that no result has moved.
Result<BranchProof> MariadbSession::interpret_list(const Message& message,
                                                   odbc::Answer& answer) const {
  auto& results = answer.results;
  const std::size_t behind = leading_results_ + message.statements.size();
  if (answer.notice || results.size() != behind + (message.ends ? 3 : 0)) return mismatch();
  const bool rows = std::any_of(results.begin(), results.end(),
                                [](const auto& result) { return !result.columns.empty(); });
  if (rows || (message.ends && results[behind].row_count != 1)) return mismatch();
  results.resize(behind);
  results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(leading_results_));
  return proof_of(message);
}

/// The result sets of the statements that return rows, in their order; then ours with the counts,
/// if asked for; then that of the compound statement itself, without columns.
Result<BranchProof> MariadbSession::interpret_compound(const Message& message,
                                                       odbc::Answer& answer) const {
  const std::size_t statements = message.statements.size();
  const bool counts = wants_counts(message);
  auto& sets = answer.results;
  if (sets.size() < (counts ? 2U : 1U) || !sets.back().columns.empty()) return mismatch();
  sets.pop_back();
  Row row_counts;
  if (counts) {
    if (sets.back().rows.size() != 1 || sets.back().columns.size() != statements) return mismatch();
    row_counts = std::move(sets.back().rows.front());
    sets.pop_back();
  }
  std::vector<odbc::ResultSet> of_statements;
  auto next = sets.begin();
  for (std::size_t i = 0; i < statements; ++i) {
    const std::int64_t count =
        counts ? integer_at(row_counts, i) : *message.statements[i].statement.expect_rows;
    if (count >= 0) {
      of_statements.emplace_back().row_count = count;
    } else {
      if (next == sets.end()) return mismatch();
      of_statements.push_back(std::move(*next++));
    }
  }
  if (next != sets.end()) return mismatch();
  sets = std::move(of_statements);
  return proof_of(message);
}

/// The driver (3.1.15) gives no codes with an error behind the first statement of a list, also when
/// the connection was lost. The server still has them, if it is there.
void MariadbSession::complete(odbc::Diagnostic& failure) {
  if (!is_list_ || failure.native != 0 || link().lost()) return;
  const odbc::Answer asked = link().run(
      "GET DIAGNOSTICS CONDITION 1 @assent_errno=MYSQL_ERRNO, @assent_state=RETURNED_SQLSTATE");
  if (asked.failure && link().lost()) failure = *asked.failure;
  if (asked.failure) return;
  const auto rows = link().query("SELECT @assent_errno, @assent_state");
  if (!rows || rows->size() != 1) return;
  failure.native = static_cast<std::int32_t>(integer_at(rows->front(), 0));
  failure.sqlstate = text_at(rows->front(), 1);
}

Error MariadbSession::describe_failure(const Message& message, const odbc::Answer& answer) {
  const odbc::Diagnostic& failure = *answer.failure;
  const std::size_t word = failure.message.find(kGuardWord);
  if (failure.native == kGuardSignal && word != std::string::npos) {
    const char* at = failure.message.data() + word + kGuardWord.size();
    const char* end = failure.message.data() + failure.message.size();
    std::size_t index = 0;
    std::int64_t rows = 0;
    const auto first = std::from_chars(at, end, index);
    if (first.ptr != end) std::from_chars(first.ptr + 1, end, rows);
    if (first.ec == std::errc() && index < message.statements.size() &&
        message.statements[index].statement.expect_rows) {
      Error error =
          guard_not_met(settings(), rows, *message.statements[index].statement.expect_rows);
      error.step = static_cast<std::int32_t>(message.first_index + index);
      return error;
    }
  }
  if (is_list_) return describe_list_failure(message, answer);
  Error error = link().error(failure, Effect::kUnknown);
  if (message.statements.size() == 1) error.step = static_cast<std::int32_t>(message.first_index);
  return error;
}

/// The results before the failure tell which statement it was. A list goes on behind an unmet
/// guard, and what fails there may do so for that reason; a lost connection does not.
Error MariadbSession::describe_list_failure(const Message& message, const odbc::Answer& answer) {
  const std::size_t results = answer.results.size();
  const auto step = [&](std::size_t index) {
    return static_cast<std::int32_t>(message.first_index + index);
  };
  std::size_t index = 0;
  for (; index < message.statements.size() && leading_results_ + index < results; ++index) {
    const auto expected = message.statements[index].statement.expect_rows;
    const std::int64_t rows = answer.results[leading_results_ + index].row_count;
    if (!expected || *expected == rows || link().lost()) continue;
    Error error = guard_not_met(settings(), rows, *expected);
    error.step = step(index);
    return error;
  }
  Error error = link().error(*answer.failure, Effect::kUnknown);
  if (results >= leading_results_ && index < message.statements.size()) error.step = step(index);
  return error;
}

bool MariadbSession::undo(const Xid& xid, Reached reached, const odbc::Answer& answer) {
  if (access() == Access::kReadOnly) return !link().run("ROLLBACK").failure;
  return undo_xa(xid, reached, answer);
}

/// Failed statements don't doom the branch, so it is always rolled back explicitly (F 12). XA END
/// fails after a deadlock, when the branch is prepared, or not even begun: only the answer to XA
/// ROLLBACK counts.
bool MariadbSession::undo_xa(const Xid& xid, Reached reached, const odbc::Answer& answer) {
  if (answer.failure) {
    const Meaning meaning = link().meaning(*answer.failure);
    // A branch of that name is there and not ours: XA ROLLBACK would end it (F 14).
    if (meaning == Meaning::kDuplicateBranch || meaning == Meaning::kBranchElsewhere) return false;
  }
  const std::string name = xa_name(xid);
  if (reached != Reached::kPrepared) {
    const odbc::Answer ended = link().run("XA END " + name);
    if (ended.failure && link().lost()) return false;
  }
  const odbc::Answer rolled_back = link().run("XA ROLLBACK " + name);
  if (!rolled_back.failure) return true;
  if (link().lost()) return false;
  // Nothing was begun (a syntax error stops the whole message), or the prepare itself failed.
  const auto idle = link().query("SELECT @@in_transaction");
  if (!idle || integer_at(idle->front(), 0) != 0) return false;
  const auto seen = look(xid);
  return seen && !seen->listed && !seen->witness && !seen->held;
}

void MariadbSession::give_time() {
  if (statement_limit_ < kEnoughForPhaseTwo) limit_statements(settings().statement_timeout);
}

/// The OK of a branch that another session prepared can be a lie: then the row is not there, the
/// branch has left the list, keeps its locks, and is prepared again after a restart (F 9).
FinishReport MariadbSession::after_commit(const Xid& xid, PreparedBy by) {
  if (by == PreparedBy::kThisIncarnation)
    return finished(Completion::kCommitted, Evidence::kDatabaseAnswer);
  const auto seen = look(xid);
  if (!seen) return unfinished(Completion::kUnreached, Evidence::kNone, seen.error());
  if (seen->witness) return finished(Completion::kCommitted, Evidence::kWitnessRow);
  if (seen->held) {
    return unfinished(
        Completion::kStillPrepared, Evidence::kNoWitnessRow,
        hazard("MariaDB answered OK to XA COMMIT and did not commit: the branch keeps "
               "its locks until the server is restarted; restart it"));
  }
  return unfinished(
      Completion::kCannotTell, Evidence::kNoWitnessRow,
      hazard(
          "MariaDB answered OK to XA COMMIT, and the witness row of the branch that voted is not "
          "there: somebody has prepared another branch under its name, and that is committed "
          "now. Look for XA in the server's log and find out what it did"));
}

/// A branch that is gone has left its row, or has taken it along: whatever server, and whatever
/// copy of it, this is.
FinishReport MariadbSession::settle(const Seen& seen, const BranchProof& /*proof*/,
                                    const std::optional<Error>& why) {
  if (seen.listed) return unfinished(Completion::kStillPrepared, Evidence::kListed, why);
  if (seen.witness) return finished(Completion::kCommitted, Evidence::kWitnessRow);
  if (!seen.held) return finished(Completion::kRolledBack, Evidence::kNoWitnessRow);
  return unfinished(
      Completion::kStillPrepared, Evidence::kNoWitnessRow,
      hazard(
          "the branch is not listed, and a transaction holds its witness row all the same: it is "
          "just being finished by somebody else, or the server has forgotten it until it is "
          "restarted. If this stays, restart the server"));
}

/// The witness row tells, with and without the proof of its vote.
FinishReport MariadbSession::settle_absent(const Seen& seen,
                                           const std::optional<BranchProof>& /*proof*/) {
  return settle(seen, {}, std::nullopt);
}

/// The list first, then the row (section 6). XA RECOVER goes inside a compound statement: bare, it
/// breaks the driver (F 10).
Result<MariadbSession::Seen> MariadbSession::look(const Xid& xid) {
  const odbc::Answer answer = link().run(
      "BEGIN NOT ATOMIC XA RECOVER FORMAT='SQL'; SELECT (SELECT COUNT(*) FROM assent_witness "
      "WHERE " +
      witness_condition(xid) + "), (SELECT id FROM assent_identity); END");
  if (answer.failure) return link().error(*answer.failure, Effect::kUnknown);
  ASSENT_CHECK(answer.results.size() == 3);
  Seen seen;
  const std::string name = xa_name(xid);
  for (const Row& row : answer.results[0].rows)
    seen.listed = seen.listed || text_at(row, 3) == name;
  const Row& row = answer.results[1].rows.front();
  seen.witness = integer_at(row, 0) != 0;
  seen.database.id = text_at(row, 1);
  if (seen.listed || seen.witness) return seen;
  if (const auto looked = look_behind_locks(xid, seen); !looked) return looked.error();
  return seen;
}

/// A plain read does not see the row of a transaction that has not ended; a locking one meets it,
/// or sees the row if it has been committed since.
Result<> MariadbSession::look_behind_locks(const Xid& xid, Seen& seen) {
  const odbc::Answer answer = link().run(say_wait_for_witness(xid) + " NOWAIT");
  seen.held = answer.failure && answer.failure->native == kLockWaitTimeout;
  if (seen.held) return {};
  if (answer.failure) return link().error(*answer.failure, Effect::kUnknown);
  seen.witness = integer_at(answer.results.front().rows.front(), 0) != 0;
  return {};
}

Result<Inspection> MariadbSession::list_with_waits(const std::set<LogId>& ours) {
  const auto names = list_xa_names(link());
  if (!names) return names.error();
  Inspection found;
  for (const std::string& name : *names) {
    if (auto xid = our_xid(name, ours, settings())) {
      found.branches.emplace_back().xid = std::move(*xid);
    } else if (found.foreign.size() < kInspectedMax) {
      found.foreign.push_back({.name = name, .age = {}, .blocked = {}});
    }
  }
  std::sort(found.branches.begin(), found.branches.end(),
            [](const BranchSight& a, const BranchSight& b) { return a.xid < b.xid; });
  const auto open_second = [this] { return Link::open(settings(), kSessionPins); };
  tell_waits(link(), open_second, say_wait_for_witness, names->size(), found);
  return found;
}

// ---------------------------------------------------------------- control

DatabaseIdentity identity_at(const Row& row, std::size_t column, const Takeover& takeover) {
  return {.id = text_at(row, column), .timeline = 0, .position = 0, .takeover = takeover.number};
}

class MariadbControl final : public Control {
 public:
  explicit MariadbControl(std::unique_ptr<Link> link) : link_(std::move(link)) {
    takeover_.number = draw_takeover();
  }

  /// What take_control does after connecting, in its order. Nobody else has this object yet, so
  /// each cuts itself.
  Result<> check_server();
  Result<> take_lock(Duration wait);
  Result<> end_other_sessions();
  Result<> create_schema();

  const Takeover& takeover() const { return takeover_; }

  std::string server_version() const override { return server_version_; }
  std::uint32_t prepared_max() const override { return 0; }
  std::vector<std::string> warnings() const override { return warnings_; }
  Result<DatabaseIdentity> identity() override;
  Result<> heartbeat() override;
  Result<> end_session(SessionId id, Duration wait) override;
  Result<FenceAnswer> raise_fence(const Fence& fence) override;
  Result<PreparedScan> list_prepared(const std::set<LogId>& ours) override;
  Result<> forget_witnesses(const std::vector<Gtrid>& gtrids) override;
  void interrupt() override { link_->interrupt(); }

 private:
  Result<> set_session();
  Result<> refuse_other_engines();
  Error who_holds_the_lock();
  Error who_fences(const Fence& fence);
  /// Ends the sessions that `condition` finds, again and again until none is found.
  Result<> end_sessions(const std::string& condition, Duration wait);

  std::unique_ptr<Link> link_;
  Takeover takeover_;
  std::string server_version_;
  std::vector<std::string> warnings_;
};

/// "10.11.19-MariaDB-..." is at least 10.5.
bool is_supported_version(const std::string& version) {
  int major = 0;
  int minor = 0;
  const char* end = version.data() + version.size();
  const auto dot = std::from_chars(version.data(), end, major);
  if (dot.ptr != end) std::from_chars(dot.ptr + 1, end, minor);
  return version.find("MariaDB") != std::string::npos &&
         (major > 10 || (major == 10 && minor >= 5));
}

Result<> MariadbControl::check_server() {
  const CallWatchdog watchdog(*link_, link_->settings().call_timeout);
  const auto rows = link_->query(
      "SELECT VERSION(), CONNECTION_ID(), DATABASE(), @@innodb_flush_log_at_trx_commit, @@log_bin, "
      "@@sync_binlog, @@default_storage_engine, @@innodb_doublewrite, (SELECT COUNT(*) FROM "
      "information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'WSREP_ON' AND VARIABLE_VALUE = "
      "'ON')",
      Effect::kNone);
  if (!rows) return rows.error();
  const Row& row = rows->front();
  if (!is_supported_version(text_at(row, 0)))
    return link_->unfit("the server is " + text_at(row, 0) + ": MariaDB 10.5 or later is needed");
  if (text_at(row, 2).empty())
    return link_->unfit("the connection string names no database: add Database=...");
  if (integer_at(row, 3) != 1)
    return link_->unfit(
        "an acknowledged prepare could be lost: set innodb_flush_log_at_trx_commit = 1");
  if (integer_at(row, 4) != 0 && integer_at(row, 5) != 1)
    return link_->unfit("the binary log is on and could lose branches: set sync_binlog = 1");
  if (integer_at(row, 8) != 0) return link_->unfit("XA does not work with Galera: wsrep_on is ON");
  if (text_at(row, 6) != "InnoDB")
    return link_->unfit("default_storage_engine is " + text_at(row, 6) +
                        ": only InnoDB can prepare");
  if (integer_at(row, 7) == 0)
    warnings_.emplace_back("innodb_doublewrite is off: a torn page after a crash loses data");
  server_version_ = text_at(row, 0);
  takeover_.control = SessionId{static_cast<std::uint64_t>(integer_at(row, 1))};
  if (const auto set = set_session(); !set) return set.error();
  return refuse_other_engines();
}

/// READ COMMITTED, so that deleting witness rows locks no gaps into which branches write theirs.
Result<> MariadbControl::set_session() {
  const odbc::Answer set =
      link_->run(session_settings() +
                 ", wait_timeout = 10, max_statement_time = 0, innodb_lock_wait_timeout = 5, "
                 "tx_isolation = 'READ-COMMITTED'");
  if (!set.failure) return {};
  if (set.failure->native == kAccessDenied) {
    return link_->unfit(
        "the account can't detach prepared branches (F 9): GRANT BINLOG REPLAY ON *.* to "
        "it. The server said: " +
        set.failure->message);
  }
  return link_->error(*set.failure, Effect::kNone);
}

/// A rollback would not take back what a step did there.
Result<> MariadbControl::refuse_other_engines() {
  const auto rows = link_->query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND "
      "table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY table_name",
      Effect::kNone);
  if (!rows) return rows.error();
  if (rows->empty()) return {};
  std::string names;
  for (const Row& row : *rows) names += (names.empty() ? "" : ", ") + text_at(row, 0);
  return link_->unfit("a rollback does not take back changes of tables outside InnoDB: " + names +
                      ". ALTER TABLE .. ENGINE=InnoDB, or move them to another database");
}

Result<> MariadbControl::take_lock(Duration wait) {
  const CallWatchdog watchdog(*link_, wait + link_->settings().call_timeout);
  const auto rows = link_->query("SELECT GET_LOCK(" + std::string(kLockName) + ", " +
                                     std::to_string(whole_seconds(wait)) + ")",
                                 Effect::kNone);
  if (!rows) return rows.error();
  if (integer_at(rows->front(), 0) == 1) return {};
  return who_holds_the_lock();
}

Error MariadbControl::who_holds_the_lock() {
  const auto rows = link_->query(
      "SELECT CONCAT('session ', id, ' of ', user, ' from ', host) FROM "
      "information_schema.processlist WHERE id = IS_USED_LOCK(" +
      std::string(kLockName) + ")");
  std::string holder = "somebody who has just left";
  if (rows && !rows->empty()) holder = text_at(rows->front(), 0);
  return make_error(link_->settings(), ErrorCode::kFenced, Effect::kNone,
                    "another agent has this database: " + holder + ". Stop one of the two");
}

Result<> MariadbControl::end_other_sessions() {
  const Duration wait = link_->settings().call_timeout;
  const CallWatchdog watchdog(*link_, 2 * wait);
  return end_sessions("TRUE", wait);
}

Result<> MariadbControl::end_session(SessionId id, Duration wait) {
  return end_sessions("id = " + std::to_string(static_cast<std::uint64_t>(id)), wait);
}

Result<> MariadbControl::end_sessions(const std::string& condition, Duration wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto rows = link_->query("SELECT id FROM information_schema.processlist WHERE " +
                                   std::string(kOurSessions) + " AND " + condition);
    if (!rows) return rows.error();
    if (rows->empty()) {
      // Also when it was never seen: it may have left a moment ago.
      std::this_thread::sleep_for(kAfterLastSeen);
      return {};
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return make_error(link_->settings(), ErrorCode::kTimeout, Effect::kUnknown,
                        "database session " + std::to_string(integer_at(rows->front(), 0)) +
                            " was told to end and is still there");
    }
    for (const Row& row : *rows) {
      const odbc::Answer killed =
          link_->run("KILL CONNECTION " + std::to_string(integer_at(row, 0)));
      if (killed.failure && killed.failure->native != kUnknownThread)
        return link_->error(*killed.failure, Effect::kUnknown);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

/// Inside the participant's own database, so that a copy of it carries them.
Result<> MariadbControl::create_schema() {
  const CallWatchdog watchdog(*link_, link_->settings().call_timeout);
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const std::uint32_t bits = random();
    for (unsigned shift = 0; shift < 32; shift += 4) id += kHex[(bits >> shift) & 0xFU];
  }
  const std::array<std::string, 4> statements = {
      "CREATE TABLE IF NOT EXISTS assent_witness (log_id BIGINT UNSIGNED NOT NULL, epoch INT "
      "UNSIGNED NOT NULL, sequence BIGINT UNSIGNED NOT NULL, bqual VARCHAR(32) CHARACTER SET ascii "
      "COLLATE ascii_bin NOT NULL, PRIMARY KEY (log_id, epoch, sequence, bqual)) ENGINE=InnoDB",
      "CREATE TABLE IF NOT EXISTS assent_fence (log_id BIGINT UNSIGNED PRIMARY KEY, coordinator "
      "VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL, epoch INT UNSIGNED NOT NULL, opening_nonce "
      "BIGINT UNSIGNED NOT NULL, log_top BIGINT UNSIGNED NOT NULL, raised_at DATETIME(6) NOT NULL) "
      "ENGINE=InnoDB",
      "CREATE TABLE IF NOT EXISTS assent_identity (one TINYINT PRIMARY KEY CHECK (one = 1), id "
      "CHAR(32) CHARACTER SET ascii NOT NULL) ENGINE=InnoDB",
      "INSERT IGNORE INTO assent_identity VALUES (1, '" + id + "')"};
  for (const std::string& statement : statements) {
    const odbc::Answer made = link_->run(statement);
    if (made.failure) return link_->error(*made.failure, Effect::kUnknown);
    crash_point("rm.schema.part_made");
  }
  return {};
}

Result<DatabaseIdentity> MariadbControl::identity() {
  const auto rows = link_->query("SELECT id FROM assent_identity", Effect::kNone);
  if (!rows) return rows.error();
  if (rows->empty()) return link_->unfit("assent_identity is empty: restart the agent");
  return identity_at(rows->front(), 0, takeover_);
}

Result<> MariadbControl::heartbeat() {
  const auto rows = link_->query(
      "SELECT IS_USED_LOCK(" + std::string(kLockName) + ") = CONNECTION_ID()", Effect::kNone);
  if (!rows) return rows.error();
  if (integer_at(rows->front(), 0) == 1) return {};
  return make_error(link_->settings(), ErrorCode::kFenced, Effect::kNone,
                    "this agent does not hold the lock of its database any more");
}

/// Only the holder of the lock writes here: the row stays as it was read.
Result<FenceAnswer> MariadbControl::raise_fence(const Fence& fence) {
  const std::string log = number(fence.log_id);
  // Its collation would take "Pay" and "pay" for one coordinator.
  const auto ask = lex_statement(
      Kind::kMariadb,
      "SELECT CONCAT(log_top), epoch, CONCAT(log_id), CONCAT(opening_nonce) FROM assent_fence "
      "WHERE log_id = ? OR "
      "BINARY coordinator = ? ORDER BY log_id = ? DESC, raised_at DESC LIMIT ?",
      Author::kAssent);
  ASSENT_CHECK(ask.has_value());
  const auto asking =
      render(Kind::kMariadb, *ask, {log, fence.coordinator, log, std::int64_t{kOtherLogsMax + 1}});
  if (!asking) return asking.error();
  auto before = link_->query(*asking, Effect::kNone);
  if (!before && fence.left && shows_no_table(Kind::kMariadb, before.error()))
    before = std::vector<Row>{};
  if (!before) return before.error();
  std::vector<FenceRow> known;
  for (const Row& row : *before) {
    known.push_back({LogId{unsigned_at(row, 2)},
                     Epoch{static_cast<std::uint32_t>(integer_at(row, 1))}, unsigned_at(row, 3),
                     unsigned_at(row, 0)});
  }
  FenceAnswer answer = answer_of(known, fence);
  if (answer.deposed || answer.missing) answer.refused = who_fences(fence);
  if (answer.refused || answer.up_to_date) return answer;
  const auto insert = lex_statement(
      Kind::kMariadb, "INSERT IGNORE INTO assent_fence VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6))",
      Author::kAssent);
  const auto update = lex_statement(
      Kind::kMariadb,
      "UPDATE assent_fence SET coordinator = ?, epoch = ?, opening_nonce = ?, log_top = "
      "GREATEST(log_top, CAST(? AS UNSIGNED)), raised_at = UTC_TIMESTAMP(6) WHERE log_id = ? AND "
      "(epoch < ? OR "
      "(epoch = ? AND opening_nonce = ?))",
      Author::kAssent);
  ASSENT_CHECK(insert.has_value() && update.has_value());
  const std::int64_t epoch{static_cast<std::uint32_t>(fence.epoch)};
  const std::string nonce = std::to_string(fence.opening_nonce);
  const std::string top = std::to_string(fence.log_top);
  const auto inserting =
      render(Kind::kMariadb, *insert, {log, fence.coordinator, epoch, nonce, top});
  const auto updating = render(Kind::kMariadb, *update,
                               {fence.coordinator, epoch, nonce, top, log, epoch, epoch, nonce});
  if (!inserting) return inserting.error();
  if (!updating) return updating.error();
  for (const std::string& sql : {*inserting, *updating}) {
    const odbc::Answer done = link_->run(sql);
    if (done.failure) return link_->error(*done.failure, Effect::kUnknown);
    if (done.results.back().row_count == 1) return answer;
  }
  answer.refused = who_fences(fence);
  return answer;
}

Error MariadbControl::who_fences(const Fence& fence) {
  const auto rows = link_->query(
      "SELECT CONCAT('epoch ', epoch, ', nonce ', opening_nonce, ', log top ', log_top, ', raised "
      "at ', raised_at, ' UTC by ', coordinator) FROM assent_fence WHERE log_id = " +
      number(fence.log_id));
  std::string row = "unreadable";
  if (rows && !rows->empty()) row = text_at(rows->front(), 0);
  return make_error(link_->settings(), ErrorCode::kFenced, Effect::kNone,
                    "this database has seen another opening of log " + to_string(fence.log_id) +
                        " (" + row + "): the coordinator that asked is deposed or restored");
}

Result<PreparedScan> MariadbControl::list_prepared(const std::set<LogId>& ours) {
  const auto names = list_xa_names(*link_);
  if (!names) return names.error();
  PreparedScan scan;
  for (const std::string& name : *names) {
    if (auto xid = our_xid(name, ours, link_->settings())) {
      scan.branches.push_back({.xid = std::move(*xid), .transaction_id = 0, .age = {}});
    } else {
      ++scan.foreign;
    }
  }
  return scan;
}

/// Row by row by its whole key, in one transaction. For a plain list of keys the server may take
/// what they have in common instead, while it thinks the table small, and would wait for the rows
/// of branches that are prepared in between; a join in this order leaves it no choice.
Result<> MariadbControl::forget_witnesses(const std::vector<Gtrid>& gtrids) {
  if (gtrids.empty()) return {};
  std::map<std::pair<LogId, Epoch>, std::string> told;
  for (const Gtrid& gtrid : gtrids) {
    std::string& sequences = told[{gtrid.log_id, gtrid.epoch}];
    sequences += (sequences.empty() ? "(" : ",(") + number(gtrid.sequence) + ")";
  }
  std::string sql = "BEGIN NOT ATOMIC START TRANSACTION; ";
  for (const auto& [opening, sequences] : told) {
    sql += "DELETE w FROM (SELECT NULL AS sequence UNION ALL VALUES " + sequences +
           ") AS told STRAIGHT_JOIN assent_witness AS w FORCE INDEX (PRIMARY) ON w.log_id=" +
           number(opening.first) + " AND w.epoch=" + number(opening.second) +
           " AND w.sequence=told.sequence AND w.bqual='" + link_->settings().participant + "'; ";
  }
  const odbc::Answer answer = link_->run(sql + "COMMIT; END");
  if (!answer.failure) return {};
  if (!link_->lost()) link_->run("ROLLBACK");
  return link_->error(*answer.failure, Effect::kUnknown);
}

// ---------------------------------------------------------------- resource manager

class Mariadb final : public ResourceManager {
 public:
  explicit Mariadb(Settings settings) : settings_(std::move(settings)) {}

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

Result<std::unique_ptr<Control>> Mariadb::take_control(Duration wait) {
  auto control = start_control<MariadbControl>(settings_, kControlPins, wait);
  if (!control) return control.error();
  const std::lock_guard lock(mutex_);
  takeover_ = (*control)->takeover();
  return std::unique_ptr<Control>(std::move(*control));
}

/// An agent that was asleep while another took over connects after that one's sweep, so it looks
/// whose the lock is, in this order (R9). max_statement_time counts a whole compound statement as
/// one.
Result<std::unique_ptr<Session>> Mariadb::open_session() {
  auto link = Link::open(settings_, kSessionPins);
  if (!link) return link.error();
  const CallWatchdog watchdog(**link, settings_.call_timeout);
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(settings_.statement_timeout).count();
  const odbc::Answer set = (*link)->run(
      session_settings() + ", max_statement_time = " + std::to_string(ms) +
      " / 1000.0, lock_wait_timeout = " +
      std::to_string(std::max<std::int64_t>(whole_seconds(settings_.statement_timeout), 1)) +
      ", tx_isolation = 'REPEATABLE-READ', wait_timeout = " + std::to_string(kWaitTimeoutMax));
  if (set.failure) return (*link)->error(*set.failure, Effect::kNone);
  const bool is_refused = (*link)->run(std::string(kListThatStops)).failure.has_value();
  const Takeover takeover = this->takeover();
  const auto control = std::to_string(static_cast<std::uint64_t>(takeover.control));
  const auto rows =
      (*link)->query("SELECT CONNECTION_ID(), COALESCE(IS_USED_LOCK(" + std::string(kLockName) +
                         ") = " + control + ", 0), (SELECT id FROM assent_identity), @assent_on",
                     Effect::kNone);
  if (!rows) return rows.error();
  const Row& row = rows->front();
  if (!is_refused || !std::holds_alternative<std::monostate>(row.at(3))) {
    return (*link)->unfit(
        "the ODBC driver does not send several statements as they are, so a branch could go on "
        "behind an error: use MariaDB Connector/ODBC 3.1");
  }
  if (integer_at(row, 1) != 1) {
    return make_error(settings_, ErrorCode::kFenced, Effect::kNone,
                      "this agent does not hold the lock of its database any more");
  }
  const SessionId id{static_cast<std::uint64_t>(integer_at(row, 0))};
  return std::unique_ptr<Session>(
      std::make_unique<MariadbSession>(std::move(*link), id, identity_at(row, 2, takeover)));
}

}  // namespace

std::unique_ptr<ResourceManager> make_mariadb(const Settings& settings) {
  return std::make_unique<Mariadb>(settings);
}

}  // namespace assent::rm
