#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/proof.h"
#include "protocol/message/statement.h"

/// The port behind which a database that can prepare a transaction stands. Everything that differs
/// from one database to another is in the one file that implements it (design section 8): a third
/// database is a new file and rows in xa_codes.
///
/// Calls block; each object is used by one thread at a time, except where a call says "any thread".

namespace assent::rm {

enum class Kind : std::uint8_t { kPostgres, kMariadb };

struct Settings {
  Kind kind = Kind::kPostgres;
  std::string connection;   ///< ODBC connection string, without the options that we pin ourselves
  std::string participant;  ///< the bqual of our branches here
  Duration statement_timeout =
      std::chrono::seconds(10);  ///< one statement, lock wait included (R11)
  Duration call_timeout =
      std::chrono::seconds(15);  ///< any blocking call but work: connecting (cut here); looking,
                                 ///< ending (the caller's to cut, by interrupt)
};

/// The database's own number of one of its sessions (pg_backend_pid, CONNECTION_ID).
enum class SessionId : std::uint64_t {};

/// What a message of work came to.
struct WorkReport {
  std::vector<StatementResult> results;  ///< of the statements that succeeded, in order
  std::optional<Error> error;            ///< of the first that did not, or of the prepare
  /// When a prepare was asked for. kPrepared only with the proof that section 6 demands;
  /// kRolledBack only when the session itself rolled the branch back and got a positive answer,
  /// before any prepare was sent or with proof that none took place; kUnknown otherwise. Without a
  /// prepare and with an error: kRolledBack or kUnknown likewise.
  Vote vote = Vote::kUnknown;
  BranchProof proof;
};

struct FinishReport {
  Completion completion = Completion::kUnreached;
  /// kTransactionStatus with kCannotTell: the branch voted in this history of the database, which
  /// has forgotten how it ended.
  Evidence evidence = Evidence::kNone;
  std::optional<Error> error;
};

/// Who prepared the branch that is to be committed?
enum class PreparedBy : std::uint8_t {
  kUnknown,          ///< an earlier incarnation, or something was tried since: checked first
  kThisIncarnation,  ///< this process, which keeps one state machine for the xid
};

/// A branch of which somebody wants to know what the database says.
struct InspectedBranch {
  Xid xid;
  std::optional<BranchProof> proof;  ///< of its vote, where it is known
};

/// What there is to see without touching anything.
struct Inspection {
  std::vector<BranchSight> branches;   ///< those listed, then those asked for and not listed
  std::vector<ForeignBranch> foreign;  ///< at most kInspectedMax
};

/// One connection. Not usable any more once `usable()` is false: close it (destroy) and open
/// another; its database session must be *seen gone* (Control::end_session) before anything is said
/// about its branch (R9, F 8).
class Session {
 public:
  virtual ~Session() = default;

  virtual SessionId id() const = 0;
  virtual bool usable() const = 0;

  /// Opens the branch when first_index is 0, runs the statements, and prepares when asked. Any
  /// failed statement, unmet guard or failed prepare rolls the branch back (R8, F 1, F 12) and
  /// leaves the session clean. A read-only branch asked to prepare is ended instead and votes
  /// kReadOnly. Writes the witness row in a branch that will need it (section 6). A statement that
  /// check_statement refuses is a failed statement.
  virtual WorkReport work(const Work& work) = 0;

  /// Prepares the branch open on this session.
  virtual WorkReport prepare(const Xid& xid) = 0;

  /// Rolls back the branch open on this session, not prepared.
  virtual FinishReport roll_back_open(const Xid& xid) = 0;

  /// Phase two, from any session but one that has a branch open. The caller has seen the session
  /// that prepared the branch gone or idle. Any doubt is settled by looking: the list, then status
  /// or witness (section 6). All but kThisIncarnation costs a look before (PostgreSQL: is the
  /// listed branch the one that voted, R6) or after (MariaDB: an OK counts only with its witness
  /// row, F 9). What can't be told or contradicts the decision comes with an error: a sentence on
  /// what was found, whose hand that probably was, and where to look.
  virtual FinishReport commit(const Xid& xid, const BranchProof& proof, PreparedBy by) = 0;
  /// kRolledBack: proved absent now. An absent branch is not an error: rollback is told until it is
  /// answered (R5). Of an absent branch that is known to have voted, by `proof`, the database is
  /// asked what became of it: kCommitted when somebody has committed it by hand; kCannotTell in
  /// another database than the one that it voted in. Without a proof
  /// MariaDB has the witness row, and PostgreSQL can't tell a branch that somebody has committed
  /// from one that is rolled back.
  virtual FinishReport rollback(const Xid& xid, const std::optional<BranchProof>& proof) = 0;

  /// Looks and changes nothing: what the database lists as prepared (of ours at most kInspectedMax,
  /// lowest gtrid first), how old it is and whom it holds up; and of the branches asked for what
  /// became of them, on the evidence that commit goes by. A branch without its vote's proof, or
  /// that nothing is known of, is kCannotTell with why. Errors: nothing could be looked at.
  ///
  /// PostgreSQL tells all of it, and counts those in the queue behind a waiting session. Of two
  /// prepared branches that hold different locks on the same table, a session that waits for the
  /// table is shown at both, although only one may be in its way.
  ///
  /// MariaDB (10.11) knows nothing of xids where it knows of locks: a prepared branch is there a
  /// transaction without a session. Which of ours it is shows only while somebody waits for the
  /// branch's witness row, so for up to kWitnessProbes of the oldest branches a second connection
  /// waits for it, for a fraction of a second each and in nobody's way, as long as somebody is held
  /// up by a transaction that is not known yet. So ages are told only of branches found that way,
  /// or when there is but one; of several foreign branches nothing is told but their names;
  /// sessions behind other sessions that are held up themselves are not shown. It needs the PROCESS
  /// privilege, and says so when it has not got it.
  virtual Result<Inspection> inspect(const std::set<LogId>& ours,
                                     const std::vector<InspectedBranch>& asked) = 0;

  /// Any thread, at any time: makes the call under way return at once with kConnectionLost by
  /// shutting the connection's socket down (F 11). The session is unusable afterwards.
  virtual void interrupt() = 0;
};

/// Who may command this agent: one row for each decision log that was ever let in (R10).
struct Fence {
  std::string coordinator;
  LogId log_id{};
  Epoch epoch{};
  std::uint64_t opening_nonce = 0;
  std::uint64_t log_top = 0;  ///< 0: the row's stays
  std::vector<HeldTop> held;  ///< as in the hello
  /// This agent has left the row of this log at least there. nullopt: it has not been at it.
  std::optional<HeldTop> left;
};

/// What the row of this log said, and those of its coordinator's other logs.
struct FenceAnswer {
  std::uint64_t top = 0;         ///< before; 0: there was no row
  Epoch epoch{};                 ///< before
  std::optional<Error> refused;  ///< kFenced, kDatabaseUnfit: the row is as it was
  bool deposed = false;          ///< refused because another opening of the log was let in
  bool missing = false;          ///< refused because the log does not hold what the row was told of
  bool put_back =
      false;  ///< refused because the row is behind where this agent has left it, or gone
  std::vector<OtherLog> others;  ///< as in the welcome
  bool up_to_date = false;       ///< the row says so already: there is nothing to write
};

/// A row as it is.
struct FenceRow {
  LogId log_id{};
  Epoch epoch{};
  std::uint64_t opening_nonce = 0;
  std::uint64_t top = 0;
};

/// What the rows of a coordinator's logs say to this fence; kFenced is left to whoever raises it.
/// Deposed: was it raised by a later opening, or by one that the log knows under another nonce
/// (R10)? Its decisions are not in the log. Missing: was the row of this log told, by an earlier
/// opening, of what the log does not hold (R10)? What this opening told, it holds. Put back:
/// somebody has put the database back below this agent.
FenceAnswer answer_of(const std::vector<FenceRow>& rows, const Fence& fence);

struct PreparedScan {
  std::vector<PreparedBranch> branches;  ///< of those log ids and this participant
  std::uint64_t foreign = 0;
};

/// The agent's first and last connection, holder of the named lock that keeps a second agent out
/// (R9).
class Control {
 public:
  virtual ~Control() = default;

  virtual std::string server_version() const = 0;
  virtual std::uint32_t prepared_max() const = 0;  ///< 0: no limit known
  /// Settings of the server that a person should look at, a sentence for each; they lose nothing by
  /// themselves.
  virtual std::vector<std::string> warnings() const = 0;
  /// Asked anew each time: the timeline may change below us.
  virtual Result<DatabaseIdentity> identity() = 0;

  /// Still alive and still holding the lock? Any error: the agent must end itself (R9).
  virtual Result<> heartbeat() = 0;

  /// Ends a session of our own account and returns when it is seen gone; at once if it already is.
  /// kTimeout when it is still there after `wait`.
  virtual Result<> end_session(SessionId id, Duration wait) = 0;

  /// Raises the row of this log durably, its log top never down, or refuses with no effect: a lower
  /// epoch, an epoch with another nonce, a log that has lost what the row was told of (R10), or a
  /// row that was put back. An error: effect unknown.
  virtual Result<FenceAnswer> raise_fence(const Fence& fence) = 0;

  virtual Result<PreparedScan> list_prepared(const std::set<LogId>& ours) = 0;

  /// Deletes the witness rows of these transactions, all or none. No effect on rows that are not
  /// there. Some hundred at a time.
  virtual Result<> forget_witnesses(const std::vector<Gtrid>& gtrids) = 0;

  /// Any thread, at any time: as Session::interrupt. The lock is lost with it.
  virtual void interrupt() = 0;
};

/// Opens connections to one database. Any thread.
class ResourceManager {
 public:
  virtual ~ResourceManager() = default;

  /// The start of an agent, in this order (R9, section 8): connects; refuses a server whose
  /// settings or version would lose data, by name (kDatabaseUnfit); waits up to `wait` for the
  /// named lock (kFenced with who holds it, if another agent does); ends every other session of
  /// this account and sees it gone; creates our schema (witness, fence, identity) where it is
  /// missing. After this no session of an earlier agent can prepare anything.
  virtual Result<std::unique_ptr<Control>> take_control(Duration wait) = 0;

  virtual Result<std::unique_ptr<Session>> open_session() = 0;

  /// Any thread, no I/O: may this statement be run (design section 8: one allowed statement, with
  /// as many `?` markers as parameters)? kStatementNotAllowed or kInvalid, no effect.
  virtual Result<> check_statement(const Statement& statement) const = 0;
};

std::unique_ptr<ResourceManager> make_resource_manager(const Settings& settings);

}  // namespace assent::rm
