#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "participant_agents/core/events.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/proof.h"

/// Everything that the agent core can ask of the world. The driver carries effects out in their
/// order. For one xid at most one Start.. is under way; each is answered by exactly one event.

namespace assent::agent {

// ---------------------------------------------------------------- links

struct SendWelcome {
  LinkId link{};
  Welcome welcome;
};

/// The link is closed after it. Nothing more is read from it.
struct SendRefused {
  LinkId link{};
  Refused refused;
};

struct SendReply {
  LinkId link{};
  AgentReply reply;
};

/// A newer hello has ended it (R6). Nothing more is read from it.
struct CloseLink {
  LinkId link{};
};

// ---------------------------------------------------------------- branches

/// The first Work of a branch takes a session, which the branch keeps while it is open.
struct StartWork {
  Work work;
};

struct StartPrepare {
  Xid xid;
  Duration deadline{};
};

/// Rolls back the open, never prepared branch on its session.
struct StartRollBackOpen {
  Xid xid;
};

struct StartCommit {
  Xid xid;
  BranchProof proof;
  bool as_voted = false;  ///< this incarnation prepared it, and nothing was tried since
};

/// Rolls back what the database holds prepared, or proves that it holds nothing. With the vote's
/// proof, where it is known, the database is asked whether foreign hands have committed it.
struct StartRollback {
  Xid xid;
  std::optional<BranchProof> proof;
};

/// Makes the StartWork or StartPrepare under way end soon: taken out of the queue, or, if it does
/// not end by itself within a moment, its session cut, ended and seen gone. Its own answer still
/// comes, and may be that it was too late.
struct Interrupt {
  Xid xid;
};

// ---------------------------------------------------------------- the control session

/// What the fence row is to say (R10).
struct FenceTop {
  std::string coordinator;
  LogId log_id{};
  Epoch epoch{};
  std::uint64_t opening_nonce = 0;
  std::uint64_t log_top = 0;  ///< 0: the row's stays
  std::vector<HeldTop> held;  ///< as in the hello
  /// This incarnation has left the row of this log at least there: one that is behind was put back,
  /// and stays as it is. nullopt: it has not been at it.
  std::optional<HeldTop> left;
};

struct RaiseFence {
  LinkId link{};
  FenceTop fence;
};

/// Raises the fence row to the log's top, if it is told, then lists.
struct StartList {
  LinkId link{};
  std::uint64_t scan = 0;
  std::set<LogId> logs;  ///< whose branches are listed
  std::optional<FenceTop> fence;
};

/// Answered by nothing.
struct DeleteWitnesses {
  std::vector<Gtrid> gtrids;
};

// ---------------------------------------------------------------- looking

struct LookedFor {
  Xid xid;
  std::optional<BranchProof> proof;  ///< of its vote, where anybody knows it
};

/// On a session of its own: nothing else waits for it, and it waits for nothing else (R14).
struct StartInspect {
  LinkId link{};
  std::uint64_t serial = 0;
  std::set<LogId> logs;  ///< whose branches are ours
  std::vector<LookedFor> branches;
};

// ----------------------------------------------------------------

/// For the process's log; xid first (style guide 24).
struct Note {
  enum class Level : std::uint8_t { kInfo, kWarning, kError } level = Level::kInfo;
  std::string text;
};

using Effect = std::variant<SendWelcome, SendRefused, SendReply, CloseLink, StartWork, StartPrepare,
                            StartRollBackOpen, StartCommit, StartRollback, Interrupt, RaiseFence,
                            StartList, DeleteWitnesses, StartInspect, Note>;
using Effects = std::vector<Effect>;

}  // namespace assent::agent
