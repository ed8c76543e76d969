#pragma once

#include <chrono>
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

/// What people in trouble and the coordinator say to each other (assentctl), beyond the plain
/// looking of client.h. Never refused for load (R14).
///
/// Whatever changes something is asked for twice: with `act` false it tells what it would do and on
/// what evidence, with no effect; with `act` true it looks again, does it, and forces an audit
/// record before it answers (docs/LOG_FORMAT.md, record type 7).

namespace assent {

/// Of any list that people are told: what sends it leaves the rest out.
inline constexpr std::size_t kListedMax = 1000;
/// Of the sessions that one branch blocks; a full list may stand for more.
inline constexpr std::size_t kBlockedMax = 10;
/// Why somebody did something, for the audit record.
inline constexpr std::size_t kReasonBytesMax = 1024;
inline constexpr Duration kPatienceMax = std::chrono::minutes(1);

// ---------------------------------------------------------------- what is told of a branch

/// A database session that waits for a lock of a prepared branch.
struct BlockedSession {
  std::uint64_t session = 0;  ///< the database's own number of it
  std::string user;
  std::string query;   ///< its beginning, at most 256 bytes
  Duration waiting{};  ///< 0: not told by this database
  std::string lock;    ///< what it waits for, in the database's words

  friend bool operator==(const BlockedSession&, const BlockedSession&) = default;
};

/// What the participant's database says of one branch when it is looked at, list first (section 6).
struct BranchSight {
  Xid xid;
  Completion completion = Completion::kUnreached;
  Evidence evidence = Evidence::kNone;
  std::uint64_t transaction_id = 0;     ///< of the listed branch; 0: not listed, or not told
  Duration age{};                       ///< of the listed branch; 0: not listed, or not told
  std::vector<BlockedSession> blocked;  ///< whom the listed branch holds up, at most kBlockedMax
  std::optional<Error> error;           ///< why no more can be told

  friend bool operator==(const BranchSight&, const BranchSight&) = default;
};

/// A prepared branch of somebody else: never touched (R3).
struct ForeignBranch {
  std::string name;                     ///< as the database shows it
  Duration age{};                       ///< 0: not told by this database
  std::vector<BlockedSession> blocked;  ///< at most kBlockedMax

  friend bool operator==(const ForeignBranch&, const ForeignBranch&) = default;
};

/// Mixed, in X/Open's words, is a transaction of which some branches have one and others not.
struct Damage {
  std::string participant;
  Heuristic heuristic = Heuristic::kHazard;
  std::string detail;  ///< a sentence: what was found, and what shows it

  friend bool operator==(const Damage&, const Damage&) = default;
};

/// One branch, in three truths.
struct BranchTruth {
  Xid xid;
  std::string logged;  ///< commit, rollback, nothing
  std::string state;   ///< in the coordinator's table; "none": not there
  /// nullopt: its database was not reached, see `last_error`; or, in a list, not asked.
  std::optional<BranchSight> sight;
  std::optional<Damage> damage;  ///< pinned until a person forgets it
  std::string waits_for;         ///< a sentence; empty: for nothing
  std::optional<Error> last_error;
  std::uint32_t tries = 0;
  Duration next_try_in{};  ///< 0: not waiting for a timer

  friend bool operator==(const BranchTruth&, const BranchTruth&) = default;
};

// ---------------------------------------------------------------- requests

/// Everything that is decided and unfinished, undecided and prepared, listed by a database of ours,
/// or damaged. Asks all databases first, at most `patience` (kPatienceMax). Answered by
/// InDoubtList.
struct ListInDoubt {
  Duration patience = std::chrono::seconds(2);

  friend bool operator==(const ListInDoubt&, const ListInDoubt&) = default;
};

/// One transaction's whole story. Answered by StoryTold.
struct TellStory {
  Gtrid gtrid;
  Duration patience = std::chrono::seconds(2);

  friend bool operator==(const TellStory&, const TellStory&) = default;
};

/// Who does it and why: for the audit record.
struct ByHand {
  std::string by;      ///< login and host, as the tool found them
  std::string reason;  ///< never empty when it acts
  bool act = false;

  friend bool operator==(const ByHand&, const ByHand&) = default;
};

/// Tell every unfinished branch again now. Answered by ActionTold; needs no audit.
struct RetryTransaction {
  Gtrid gtrid;

  friend bool operator==(const RetryTransaction&, const RetryTransaction&) = default;
};

/// Decides the whole transaction, or, with `participant`, says how a branch in heuristic hazard is
/// to end. Answered by ActionTold.
struct ResolveTransaction {
  Gtrid gtrid;
  Decision decision = Decision::kRollback;
  std::string participant;           ///< empty: the whole transaction
  std::vector<std::string> despite;  ///< participants that need not be reached
  ByHand hand;

  friend bool operator==(const ResolveTransaction&, const ResolveTransaction&) = default;
};

/// The damage was seen and dealt with: it is shown no longer. Answered by ActionTold.
struct ForgetDamage {
  Gtrid gtrid;
  std::string participant;  ///< empty: all of the transaction's
  ByHand hand;

  friend bool operator==(const ForgetDamage&, const ForgetDamage&) = default;
};

/// Answered by ActionTold.
struct Allow {
  Allowance what = Allowance::kPresume;
  std::string participant;  ///< of kHistory
  ByHand hand;

  friend bool operator==(const Allow&, const Allow&) = default;
};

/// Stop taking new work and finish the rest, or take work again. Answered by CoordinatorStatus.
struct SetDrain {
  bool drain = true;

  friend bool operator==(const SetDrain&, const SetDrain&) = default;
};

/// Answered by CoordinatorStatus.
struct AskStatus {
  friend bool operator==(const AskStatus&, const AskStatus&) = default;
};

/// Copies the log, marked as a copy, into a folder on the coordinator's host that must not exist.
/// Answered by ActionTold.
struct BackUpLog {
  std::string path;  ///< absolute

  friend bool operator==(const BackUpLog&, const BackUpLog&) = default;
};

/// What ActionTold answers.
using ActionRequest =
    std::variant<RetryTransaction, ResolveTransaction, ForgetDamage, Allow, BackUpLog>;

// ---------------------------------------------------------------- replies

struct InDoubtTransaction {
  Gtrid gtrid;
  std::string key;
  std::string phase;               ///< in the coordinator's table; "none": not there
  std::optional<Outcome> outcome;  ///< as the log has it
  Duration age{};                  ///< since it began, or as far back as can be told
  std::vector<BranchTruth> branches;

  friend bool operator==(const InDoubtTransaction&, const InDoubtTransaction&) = default;
};

struct ForeignAt {
  std::string participant;
  ForeignBranch branch;

  friend bool operator==(const ForeignAt&, const ForeignAt&) = default;
};

struct InDoubtList {
  std::vector<InDoubtTransaction> transactions;  ///< oldest first, at most kListedMax
  std::uint64_t more = 0;                        ///< how many were left out
  std::vector<ForeignAt> foreign;                ///< at most kListedMax
  std::vector<Error> unreached;                  ///< one for each database that did not answer

  friend bool operator==(const InDoubtList&, const InDoubtList&) = default;
};

/// One record of the log, or what the coordinator remembers.
struct StoryLine {
  std::uint64_t record = 0;  ///< its number; 0: not from the log
  std::optional<WallTime> when;
  std::string what;  ///< a sentence

  friend bool operator==(const StoryLine&, const StoryLine&) = default;
};

struct StoryTold {
  std::optional<InDoubtTransaction> transaction;  ///< nullopt: neither live, nor in the log, nor
                                                  ///< listed by a database that was reached
  std::vector<StoryLine> lines;                   ///< oldest first

  friend bool operator==(const StoryTold&, const StoryTold&) = default;
};

/// Answer to everything that changes something.
struct ActionTold {
  bool acted = false;
  std::vector<std::string> plan;  ///< what is done, or would be: a sentence each
  std::optional<InDoubtTransaction> evidence;
  std::optional<Error> refused;  ///< then nothing was done
  std::string next;              ///< the command to go on, or empty

  friend bool operator==(const ActionTold&, const ActionTold&) = default;
};

/// Something that a person has to deal with.
struct Finding {
  std::string what;                   ///< what is wrong, what is at stake: sentences
  std::vector<std::string> at_stake;  ///< branches, how old, whom they block; at most 101
  std::string command;                ///< the exact command to go on

  friend bool operator==(const Finding&, const Finding&) = default;
};

struct LogStats {
  std::uint64_t newest = 0;  ///< number of the newest record
  std::uint64_t top = 0;     ///< of the newest forced one
  std::uint64_t oldest = 0;  ///< of the oldest that is kept
  std::uint64_t bytes = 0;   ///< on the disk
  std::uint64_t disk_free = 0;
  WallTime log_time;
  std::optional<Gtrid> low_water;

  friend bool operator==(const LogStats&, const LogStats&) = default;
};

struct CoordinatorStatus {
  std::string coordinator;
  /// Every reachable participant's first full scan has ended, and no finding keeps all work away.
  bool ready = false;
  bool draining = false;
  bool presumes = true;        ///< false: decisions may be missing; see findings (design section 7)
  std::uint64_t live = 0;      ///< transactions in the table
  std::uint64_t in_doubt = 0;  ///< of those, decided and unfinished
  std::uint64_t damaged = 0;   ///< pinned damages
  std::vector<std::string> holding_up;  ///< what drain or readiness waits for: a sentence each
  std::vector<Finding> findings;
  LogStats log;
  std::string deposed;  ///< another opening of its log has taken over: a sentence; empty: none has

  friend bool operator==(const CoordinatorStatus&, const CoordinatorStatus&) = default;
};

}  // namespace assent
