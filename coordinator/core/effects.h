#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/events.h"
#include "coordinator/core/record.h"
#include "coordinator/core/timers.h"
#include "protocol/message/agent.h"
#include "protocol/message/client.h"

/// Everything that the coordinator core can ask of the world. The driver carries effects out in
/// their order and never has to know why: an order that matters for money is an event (LogDurable),
/// not a duty of the driver.

namespace assent::coordinator {

/// Stands in a ListPrepared for the top of the log, which the driver fills in (R10).
inline constexpr std::uint64_t kLogTop = std::numeric_limits<std::uint64_t>::max();

/// Sent if the link of that incarnation still stands, else dropped: the core is told of every
/// link's end and repeats.
struct SendToAgent {
  std::string participant;
  AgentRequest request;
};

/// End the participant's link, which is then tried again as after any other end; AgentDisconnected
/// with this reason follows. Nothing happens if the link is gone already.
struct CloseAgentLink {
  std::string participant;
  Error why;
};

/// The driver completes a CoordinatorStatus by what it knows of the log.
struct ReplyToClient {
  ClientSessionId session{};
  RequestId request{};
  ClientReply reply;
};

/// Force the record; LogDurable{token} follows, or the process stops (R12).
struct AppendForced {
  LogToken token{};
  Record record;
};

struct AppendUnforced {
  Record record;
};

/// Look the branch's gtrid up in the log; DecisionFound follows, after the events that wait
/// already. A log that can't be read stops the process.
struct FindDecision {
  std::string participant;
  PreparedBranch branch;
};

/// Look up in the log what the databases were just asked about; OutcomesFound follows. At most
/// 1,000.
struct FindOutcomes {
  LookId look{};
  std::vector<Gtrid> gtrids;
};

/// Look up what a database that lost history should have: DecisionLog::find_commits. CommitsFound
/// follows, in pieces so that others get their turns.
struct FindCommits {
  std::string participant;
  NumberSpan span;
  std::size_t max = 0;
};

/// Copy the log into a folder that must not exist; the driver answers with ActionTold when it is
/// done or has failed.
struct CopyLog {
  ClientSessionId session{};
  RequestId request{};
  std::string path;
};

/// For the process's log; xid first (style guide 24).
struct Note {
  enum class Level : std::uint8_t { kInfo, kWarning, kError } level = Level::kInfo;
  std::string text;
};

using Effect = std::variant<SendToAgent, CloseAgentLink, ReplyToClient, AppendForced,
                            AppendUnforced, FindDecision, FindOutcomes, FindCommits, CopyLog, Note>;
using Effects = std::vector<Effect>;

}  // namespace assent::coordinator
