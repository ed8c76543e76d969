#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/admin.h"
#include "protocol/message/statement.h"

/// What a client (application or assentctl) and the coordinator say to each other. The client opens
/// the link and sends ClientHello; then any number of requests at once, each with an id of the
/// client's choice that the reply repeats.

namespace assent {

struct ClientHello {
  std::uint32_t version = 1;
  std::string application;  ///< for people; the coordinator does not show it yet

  friend bool operator==(const ClientHello&, const ClientHello&) = default;
};

struct ClientWelcome {
  std::uint32_t version = 1;
  std::string coordinator;  ///< configured name
  LogId log_id{};
  Epoch epoch{};

  friend bool operator==(const ClientWelcome&, const ClientWelcome&) = default;
};

/// What "committed" waits for. A rollback is answered at the decision whatever this says (section
/// 4).
enum class WaitFor : std::uint8_t {
  kDecided = 1,  ///< the decision is durable
  kApplied = 2,  ///< every participant has acknowledged, or the timeout has passed: then `pending`
                 ///< says who has not
};

/// The whole transaction in one message. It lives on when its session drops.
struct Submit {
  std::string key;  ///< idempotency key, 1 to 200 bytes; empty: none, and then a lost answer can't
                    ///< be asked for again
  WaitFor wait = WaitFor::kApplied;
  Duration timeout{};  ///< 0: the coordinator's default. Not part of the request hash
  std::optional<WallTime> not_after;  ///< R15; part of the hash
  std::vector<Step> steps;

  friend bool operator==(const Submit&, const Submit&) = default;
};

/// Opens an interactive transaction of this session; answered by Begun or an Answer (refused).
struct Begin {
  std::string key;     ///< as in Submit; bound when the commit is asked for
  Duration timeout{};  ///< of the whole transaction until its commit is asked for; then it is
                       ///< rolled back

  friend bool operator==(const Begin&, const Begin&) = default;
};

/// Runs one statement; answered by Executed. An error dooms the transaction: only rollback is left
/// (R7, R8).
struct Execute {
  Gtrid gtrid;
  Step step;

  friend bool operator==(const Execute&, const Execute&) = default;
};

/// Answered by Answer.
struct CommitTransaction {
  Gtrid gtrid;
  WaitFor wait = WaitFor::kApplied;
  Duration timeout{};

  friend bool operator==(const CommitTransaction&, const CommitTransaction&) = default;
};

/// Answered by Answer.
struct RollbackTransaction {
  Gtrid gtrid;

  friend bool operator==(const RollbackTransaction&, const RollbackTransaction&) = default;
};

/// What became of this key? Never refused for load (R14).
struct OutcomeOf {
  std::string key;
  bool settle = false;  ///< bind an undecided key to rolled back, durably, then answer (R15)

  friend bool operator==(const OutcomeOf&, const OutcomeOf&) = default;
};

// ---- looking; what changes something is in admin.h

struct ListTransactions {
  friend bool operator==(const ListTransactions&, const ListTransactions&) = default;
};

struct ShowTransaction {
  Gtrid gtrid;

  friend bool operator==(const ShowTransaction&, const ShowTransaction&) = default;
};

struct ListParticipants {
  friend bool operator==(const ListParticipants&, const ListParticipants&) = default;
};

using ClientRequest = std::variant<Submit, Begin, Execute, CommitTransaction, RollbackTransaction,
                                   OutcomeOf, ListTransactions, ShowTransaction, ListParticipants,
                                   ListInDoubt, TellStory, RetryTransaction, ResolveTransaction,
                                   ForgetDamage, Allow, SetDrain, AskStatus, BackUpLog>;

// ---------------------------------------------------------------- coordinator to client

struct Answer {
  std::optional<Gtrid> gtrid;
  Outcome outcome = Outcome::kUnknown;
  bool applied = false;              ///< every participant has acknowledged the outcome
  std::vector<std::string> pending;  ///< participants that have not, when not applied
  std::vector<StatementResult>
      results;  ///< of a submit's steps in their order; a repeat of a key gets none (R15)
  std::optional<Error> error;  ///< why, with any outcome but kCommitted
  /// Participants whose branch stands against the outcome, or of which nothing can be told.
  std::vector<Damage> damaged;

  friend bool operator==(const Answer&, const Answer&) = default;
};

struct Begun {
  Gtrid gtrid;

  friend bool operator==(const Begun&, const Begun&) = default;
};

struct Executed {
  StatementResult result;
  std::optional<Error> error;

  friend bool operator==(const Executed&, const Executed&) = default;
};

struct BranchSummary {
  Xid xid;
  std::string
      state;  ///< working, voted prepared, committing, done ... (coordinator/core/transaction.h)
  std::optional<Error> last_error;
  std::uint32_t tries = 0;  ///< of phase two
  Duration next_try_in{};   ///< 0: not waiting for a timer

  friend bool operator==(const BranchSummary&, const BranchSummary&) = default;
};

struct TransactionSummary {
  Gtrid gtrid;
  std::string key;
  std::string phase;  ///< active, preparing, committing ... ended
  std::optional<Outcome> outcome;
  Duration age{};
  std::vector<BranchSummary> branches;
  std::optional<Error> reason;  ///< of a rollback

  friend bool operator==(const TransactionSummary&, const TransactionSummary&) = default;
};

struct TransactionList {
  std::vector<TransactionSummary> transactions;  ///< unfinished ones, oldest first, at most 1,000
  std::uint64_t more = 0;                        ///< how many were left out

  friend bool operator==(const TransactionList&, const TransactionList&) = default;
};

struct TransactionShown {
  std::optional<TransactionSummary> transaction;  ///< nullopt: neither live nor in the log

  friend bool operator==(const TransactionShown&, const TransactionShown&) = default;
};

/// The health of a participant that is linked, was looked at and has nothing wrong with it.
inline constexpr std::string_view kWell = "well";

struct ParticipantSummary {
  std::string name;
  std::string agent_address;
  bool connected = false;
  std::string kind;
  std::string server_version;
  std::string database_id;
  Duration since{};  ///< how long connected, or not
  std::uint64_t open_branches = 0;
  std::uint64_t prepared_listed = 0;  ///< ours, at the last scan
  std::uint64_t foreign_listed = 0;
  Duration last_scan_ago{};  ///< 0: none yet
  std::optional<Error> last_error;
  std::uint64_t incarnation = 0;   ///< of the agent that is or was last connected; 0: none yet
  std::uint32_t prepared_max = 0;  ///< what `prepared_listed` may reach; 0: no limit known
  /// In a few words: kWell, no link, first scan under way, history changed ...
  std::string health;

  friend bool operator==(const ParticipantSummary&, const ParticipantSummary&) = default;
};

struct ParticipantList {
  std::vector<ParticipantSummary> participants;

  friend bool operator==(const ParticipantList&, const ParticipantList&) = default;
};

using ClientReply =
    std::variant<Answer, Begun, Executed, TransactionList, TransactionShown, ParticipantList,
                 InDoubtList, StoryTold, ActionTold, CoordinatorStatus>;

}  // namespace assent
