#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/admin.h"
#include "protocol/message/proof.h"
#include "protocol/message/statement.h"

/// What a coordinator and an agent say to each other. One link carries one participant's traffic;
/// the agent listens. Repeats and late messages are normal: each message names what it is about,
/// and an agent keeps one state machine per xid (R6).

namespace assent {

inline constexpr std::uint32_t kProtocolVersion = 1;

/// One run of an agent: 64 random bits. Work of one incarnation means nothing to the next (R6, R7).
/// Never 0.
enum class Incarnation : std::uint64_t {};

// ---------------------------------------------------------------- coordinator to agent

/// What openings before `epoch` told of is in the log, or given up by a person, if its number is at
/// most `top`.
struct HeldTop {
  Epoch epoch{};
  std::uint64_t top = 0;
  std::uint64_t nonce = 0;  ///< of the opening of this epoch (R10); 0: whoever had it is let in

  friend bool operator==(const HeldTop&, const HeldTop&) = default;
};

inline constexpr std::size_t kHeldTopsMax = 64;

/// First on every link. The agent answers Welcome or Refused; a refusal closes the link. A new
/// hello ends older links of the same coordinator first (R6), and is answered only after every
/// unprepared branch of older ones is gone and the fence row is raised (R10).
struct Hello {
  std::uint32_t version = kProtocolVersion;
  std::string coordinator;  ///< configured name
  std::string token;        ///< from the file shared with the agent
  std::string participant;  ///< which the coordinator believes to find here
  LogId log_id{};
  Epoch epoch{};
  std::uint64_t opening_nonce =
      0;  ///< random, of this opening of the log: two openings of one epoch differ (R10)
  /// Of the newest openings, oldest first, the last one of `epoch`. A log that lost its end and has
  /// grown since is still known by them (R10).
  std::vector<HeldTop> held;

  friend bool operator==(const Hello&, const Hello&) = default;
};

enum class AfterWork : std::uint8_t {
  kStayOpen = 1,  ///< answer Worked; more work or a Prepare will follow
  kPrepare = 2,   ///< prepare at once when all statements succeed; answer Voted
};

enum class Access : std::uint8_t { kReadWrite = 1, kReadOnly = 2 };

/// Run statements in the branch; the first Work (first_index 0) opens it.
struct Work {
  Xid xid;
  std::uint32_t first_index = 0;  ///< index, within the branch, of the first of `statements` (R7)
  std::vector<Statement> statements;
  AfterWork then = AfterWork::kPrepare;
  Access access = Access::kReadWrite;
  Duration lock_wait{};  ///< how long one statement may wait for a lock; MariaDB rounds up to whole
                         ///< seconds, 0 stays 0
  Duration deadline{};  ///< how long the whole message may take, queueing included; then the branch
                        ///< is rolled back
  bool interactive =
      false;  ///< counts against the half of the sessions that interactive branches may hold (R14)

  friend bool operator==(const Work&, const Work&) = default;
};

/// Prepare the branch of which `statements` were run; any other number is refused (R7).
struct Prepare {
  Xid xid;
  std::uint32_t statements = 0;
  Duration deadline{};

  friend bool operator==(const Prepare&, const Prepare&) = default;
};

/// The decision is commit. Repeated until Finished says committed. The proof is the commit
/// record's, so that an agent that knows nothing of the branch can still prove what became of it.
struct Commit {
  Xid xid;
  BranchProof proof;

  friend bool operator==(const Commit&, const Commit&) = default;
};

/// The decision is rollback, or the coordinator has none. Repeated until Finished says rolled back.
/// By the proof an agent that knows nothing of the branch can still tell that somebody has
/// committed it by hand. The coordinator has none of a branch that did not vote yes to it, such as
/// an orphan that it only sees listed: when that is gone by the time it is told, PostgreSQL can't
/// tell whether foreign hands have committed it or rolled it back, and it counts as rolled back.
struct Rollback {
  Xid xid;
  std::optional<BranchProof> proof;  ///< as its vote had it, if it voted yes

  friend bool operator==(const Rollback&, const Rollback&) = default;
};

/// List what the database holds prepared (R2). Also carries the top of the log to the fence row
/// (R10).
struct ListPrepared {
  std::uint64_t scan = 0;  ///< repeated in the answer
  std::uint64_t log_top = 0;

  friend bool operator==(const ListPrepared&, const ListPrepared&) = default;
};

/// The ends of these transactions are durable: their witness rows may go (section 6). Answered by
/// nothing. The coordinator keeps them in memory only: what it had not told when it ended, or what
/// was lost with a link, stays in the database as a few bytes each.
struct ForgetWitnesses {
  std::vector<Gtrid> gtrids;

  friend bool operator==(const ForgetWitnesses&, const ForgetWitnesses&) = default;
};

/// A branch of which somebody wants to know what the database says.
struct BranchAsked {
  Xid xid;
  std::optional<BranchProof> proof;  ///< as its vote had it

  friend bool operator==(const BranchAsked&, const BranchAsked&) = default;
};

/// Looks and changes nothing: whatever the database lists, and these branches whether listed or
/// not. Answered by Inspected.
struct Inspect {
  std::uint64_t serial = 0;           ///< repeated in the answer
  std::vector<BranchAsked> branches;  ///< at most kInspectedMax

  friend bool operator==(const Inspect&, const Inspect&) = default;
};

inline constexpr std::size_t kInspectedMax = 1000;

/// Is the agent there? Sent when a link has been silent; answered by Pong.
struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};

/// Everything but Hello travels under this header.
struct AgentRequest {
  Incarnation incarnation{};  ///< the one that this is meant for; another refuses it (R6)
  Gtrid lowest_unfinished;    ///< work below it is refused; what is below it may be forgotten (R6)
  std::variant<Work, Prepare, Commit, Rollback, ListPrepared, ForgetWitnesses, Inspect, Ping> body;

  friend bool operator==(const AgentRequest&, const AgentRequest&) = default;
};

// ---------------------------------------------------------------- agent to coordinator

/// A log that the database knows under the name of the coordinator that asks, and that is not the
/// one it asks with.
struct OtherLog {
  LogId log_id{};
  std::uint64_t top = 0;  ///< the highest record that the database was told of; 0: of none

  friend bool operator==(const OtherLog&, const OtherLog&) = default;
};

inline constexpr std::size_t kOtherLogsMax = 64;

struct Welcome {
  Incarnation incarnation{};
  std::string kind;  ///< "postgres" or "mariadb"
  std::string server_version;
  DatabaseIdentity database;
  std::uint32_t work_sessions = 0;  ///< how many branches can be open at once
  std::uint32_t prepared_max = 0;   ///< the server's max_prepared_transactions; 0: no limit known
  /// The log top in the fence row of this log as it was before this hello; 0: there was no row. A
  /// database that was set back has a lower one than it was told (design section 6).
  std::uint64_t fence_top = 0;
  /// The newest kOtherLogsMax, newest first: a coordinator that has lost its log, or was given the
  /// wrong folder, learns it here (R10). Their branches are listed with its own.
  std::vector<OtherLog> other_logs;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

/// The hello is refused; no effect.
struct Refused {
  Error error;
  /// With kFenced because decisions are missing from the log: the log top in the fence row, above
  /// what the hello holds of that row's opening. 0: refused for something else.
  std::uint64_t fence_top = 0;
  /// With kFenced because the fence row was raised by another opening: that opening's epoch, at or
  /// above the hello's. 0: refused for something else, or by an agent that doesn't tell.
  Epoch fence_epoch{};

  friend bool operator==(const Refused&, const Refused&) = default;
};

/// Answer to Work with kStayOpen. With an error the branch is doomed (R8): only rollback is left.
struct Worked {
  Xid xid;
  std::uint32_t first_index = 0;
  std::vector<StatementResult> results;
  std::optional<Error> error;

  friend bool operator==(const Worked&, const Worked&) = default;
};

/// Answer to Work with kPrepare and to Prepare. A refused Work or Prepare is answered by this too:
/// kUnknown with the error, or kRolledBack where the agent can prove it.
struct Voted {
  Xid xid;
  Vote vote = Vote::kUnknown;
  std::vector<StatementResult> results;  ///< of the statements of this message
  std::optional<Error> error;            ///< with any vote but kPrepared and kReadOnly
  BranchProof proof;                     ///< with kPrepared

  friend bool operator==(const Voted&, const Voted&) = default;
};

/// Answer to Commit and Rollback: what became of the branch, and what shows it.
struct Finished {
  Xid xid;
  Decision told = Decision::kRollback;  ///< which message this answers
  Completion completion = Completion::kUnreached;
  Evidence evidence = Evidence::kNone;
  std::optional<Error> error;  ///< the last error, with kStillPrepared, kCannotTell, kUnreached

  friend bool operator==(const Finished&, const Finished&) = default;
};

struct PreparedBranch {
  Xid xid;
  std::uint64_t transaction_id = 0;  ///< PostgreSQL: xid8; 0: not told by this database
  Duration age{};                    ///< since prepared; 0: not told by this database

  friend bool operator==(const PreparedBranch&, const PreparedBranch&) = default;
};

/// Answer to ListPrepared: the branches with this participant's bqual and a log id of this
/// coordinator, its own or one of Welcome::other_logs. All others are foreign: counted, never
/// touched (R3).
struct PreparedList {
  std::uint64_t scan = 0;
  std::vector<PreparedBranch> branches;
  std::uint64_t foreign = 0;
  std::optional<Error> error;   ///< the list could not be read; `branches` says nothing then
  std::uint64_t fence_top = 0;  ///< of the fence row by now; 0: it was not to be raised
  /// With an error: the fence row is behind where the agent has left it, or gone. The database was
  /// put back below the agent, which ends itself. An agent of before this field says it only in the
  /// next welcome's fence_top.
  bool put_back = false;

  friend bool operator==(const PreparedList&, const PreparedList&) = default;
};

/// Answer to Inspect.
struct Inspected {
  std::uint64_t serial = 0;
  std::vector<BranchSight> branches;   ///< those listed, at most kInspectedMax; then those asked
                                       ///< for and not listed
  std::vector<ForeignBranch> foreign;  ///< at most kInspectedMax
  std::optional<Error> error;          ///< nothing could be looked at; the rest is empty then

  friend bool operator==(const Inspected&, const Inspected&) = default;
};

struct Pong {
  friend bool operator==(const Pong&, const Pong&) = default;
};

/// Everything but the answer to Hello travels under this header, which names the agent that speaks.
struct AgentReply {
  Incarnation incarnation{};
  std::variant<Worked, Voted, Finished, PreparedList, Inspected, Pong> body;

  friend bool operator==(const AgentReply&, const AgentReply&) = default;
};

}  // namespace assent
