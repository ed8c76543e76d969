#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "coordinator/core/timers.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/message/agent.h"
#include "protocol/message/client.h"

/// Everything that can happen to the coordinator core. One at a time.

namespace assent::coordinator {

/// One client connection; never reused within a process.
enum class ClientSessionId : std::uint64_t {};
/// The client's own number of a request; repeated in the reply.
enum class RequestId : std::uint64_t {};

struct ClientRequested {
  ClientSessionId session{};
  RequestId request{};
  ClientRequest body;
  RequestHash hash{};  ///< of a Submit; zeros otherwise
  /// What the log holds of the request's key (Submit, Begin, OutcomeOf) or, of those that name a
  /// transaction by it, of its gtrid (CommitTransaction, RollbackTransaction, ShowTransaction);
  /// looked up when the request came in, in the same turn as this event.
  std::optional<Decided> known;
  /// Of those that look at one transaction (TellStory, ResolveTransaction, ForgetDamage): all that
  /// the log holds of the gtrid.
  std::vector<ToldRecord> story;
  /// Set: the session has as many requests under way as it may. New work is refused with this,
  /// after its key was looked up (R14).
  std::optional<Error> busy;
};

/// The connection is gone: nobody to answer. Interactive transactions whose commit it has not asked
/// for are rolled back; submits live on.
struct ClientSessionClosed {
  ClientSessionId session{};
};

/// The hello was answered. The link before it, if any, is gone and nothing more will come from it
/// (R6).
struct AgentConnected {
  std::string participant;
  Welcome welcome;
};

/// By a hello's refusal: see Refused.
struct FenceTold {
  std::uint64_t top = 0;
  Epoch epoch{};
};

struct AgentDisconnected {
  std::string participant;
  Error why;  ///< also of attempts to connect that failed, hellos refused
  FenceTold fence;
};

struct AgentReplied {
  std::string participant;
  AgentReply reply;
};

/// The record of this token is on stable storage. Until then the decision does not exist.
struct LogDurable {
  LogToken token{};
};

/// Answer to FindDecision: what the log holds of a listed branch that is in no table.
struct DecisionFound {
  std::string participant;
  PreparedBranch branch;
  std::optional<Decided> decided;
  std::optional<Gtrid> low_water;  ///< of the log, asked after the lookup (R2)
};

/// Answer to FindOutcomes, looked up in the same turn as this event.
struct OutcomesFound {
  LookId look{};
  std::vector<Gtrid> gtrids;         ///< as asked
  std::map<Gtrid, Decided> decided;  ///< of those of which the log holds a decision
};

/// Answer to FindCommits.
struct CommitsFound {
  std::string participant;
  std::vector<NumberedCommit> commits;  ///< oldest first
  bool more = false;                    ///< `max` was reached: ask again behind the last
  std::uint64_t gone = 0;               ///< the highest number of a commit that may be gone
};

/// next_deadline() has come.
struct TimePassed {};

using Event =
    std::variant<ClientRequested, ClientSessionClosed, AgentConnected, AgentDisconnected,
                 AgentReplied, LogDurable, DecisionFound, OutcomesFound, CommitsFound, TimePassed>;

}  // namespace assent::coordinator
