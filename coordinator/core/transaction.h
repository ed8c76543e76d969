#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/core/events.h"
#include "coordinator/core/participant.h"
#include "coordinator/core/record.h"
#include "coordinator/core/timers.h"
#include "protocol/base/mutant.h"
#include "protocol/base/outcome.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/client.h"

namespace assent::coordinator {

/// Where a global transaction stands.
///
///     kActive ----> kPreparing ----> kDeciding ----> kCommitting ----> kEnded
///        |              |  |                                             ^ ^
///        |              |  +--- read-only, no key: nothing to log -------+ |
///        +--------------+----------> kRollingBack -------------------------+
///
/// kDeciding leads nowhere but to kCommitting: when the commit record is on its way, it may be
/// durable already (R4, R12). kRollingBack needs no record for the agents (R1).
enum class Phase : std::uint8_t {
  kActive,       ///< some branch has work to do or has not been asked to prepare
  kPreparing,    ///< every branch has been asked to prepare
  kDeciding,     ///< all said yes; the commit record is being forced
  kCommitting,   ///< decided; every branch is told until proved committed
  kRollingBack,  ///< decided; every branch is told until proved absent
  kEnded,
};

bool may_follow(Phase from, Phase to);
std::string_view to_string(Phase phase);

enum class BranchState : std::uint8_t {
  kWaiting,      ///< nothing was sent: it is its turn later
  kWorking,      ///< Work{kStayOpen} is under way
  kOpen,         ///< its work is done
  kPreparing,    ///< Work{kPrepare} or Prepare is under way
  kPrepared,     ///< voted yes
  kCommitting,   ///< to be told until proved committed
  kRollingBack,  ///< to be told until proved absent
  kDone,         ///< proved committed, proved absent, or ended read-only
  kDamaged,      ///< proved to stand against the decision, and recorded so: nothing left to tell
};

std::string_view to_string(BranchState state);

/// How its work goes about its locks (section 9).
enum class Form : std::uint8_t {
  kOptimistic,   ///< everything at once, short lock waits
  kOrdered,      ///< one participant after the other, in the order of their names
  kInteractive,  ///< the caller's order
  kRecovered,    ///< only its commit record is known
};

/// A client's request that wants to know how the transaction ends.
struct Waiter {
  ClientSessionId session{};
  RequestId request{};
  WaitFor wait = WaitFor::kApplied;
  Instant deadline{};          ///< then it is told what is known
  bool wants_results = false;  ///< a repeat of a key gets none (R15)
};

/// Where the caller's side stands. It differs from the phase: an attempt that is rolled back need
/// not be the end of the request.
enum class Verdict : std::uint8_t {
  kOpen,     ///< undecided, or the commit record is on its way
  kRetry,    ///< this attempt had a conflict; another one follows when it is proved absent
  kUnasked,  ///< an interactive transaction was doomed; its caller has not asked yet
  kBinding,  ///< the key's rollback record is being forced
  kFinal,    ///< `outcome` may be told
};

/// What a client asked for, over all its attempts.
struct Request {
  std::string key;
  RequestHash hash{};
  std::optional<WallTime> not_after;
  std::vector<Step> steps;               ///< of a submit
  std::vector<StatementResult> results;  ///< one for each step
  std::vector<Waiter> waiters;
  Instant deadline{};  ///< to be decided by then, or rolled back
  std::uint32_t ordered_attempts = 0;
};

/// An interactive statement under way.
struct Executing {
  ClientSessionId session{};
  RequestId request{};
};

struct Branch {
  Participant* participant = nullptr;
  BranchState state = BranchState::kWaiting;
  Access access = Access::kReadWrite;
  bool shared_reads = false;         ///< to be prepared only when all work is done (F 13)
  bool worked = false;               ///< all its statements have run
  std::vector<std::uint32_t> steps;  ///< of a submit: indices of its steps, in their order
  std::uint32_t statements = 0;      ///< sent so far (R7)
  std::uint32_t last_index = 0;      ///< first_index of the Work under way
  std::optional<Executing> executing;
  BranchProof proof;  ///< its database from the first Work on; the rest once prepared

  // Phase two.
  bool told = false;    ///< on this link, and not answered yet
  bool hazard = false;  ///< what became of it can't be told, or stands against the decision
  std::uint32_t tries = 0;
  std::uint32_t failures = 0;  ///< in a row
  /// On this link, since the decision: it was listed, or phase two has told what there is to tell.
  bool answered = false;
  bool not_shown = false;  ///< seen in this opening (history.cc)
  std::optional<Instant> next_try;
  std::optional<Error> last_error;
  Evidence evidence = Evidence::kNone;  ///< of its end

  /// Voted yes, or was listed with what its vote would have had.
  bool voted() const { return proof.transaction_id != 0 || proof.witness_row; }
  bool done() const { return state == BranchState::kDone; }
  /// Nobody has to be told anything any more.
  bool settled() const { return done() || state == BranchState::kDamaged; }
  bool decided() const {
    return state == BranchState::kCommitting || state == BranchState::kRollingBack;
  }
};

/// One global transaction: one attempt of one request, under one gtrid.
struct Transaction {
  Gtrid gtrid;
  Form form = Form::kOptimistic;
  Phase phase = Phase::kActive;
  Verdict verdict = Verdict::kOpen;
  std::optional<Outcome> outcome;  ///< with kFinal
  std::optional<Error> reason;     ///< of a rollback
  Request request;
  std::vector<Branch> branches;
  Instant begun{};
  std::uint64_t number = 0;  ///< of its commit record in an earlier opening; 0: of this one
  ClientSessionId owner{};   ///< of an interactive one
  bool end_asked = false;    ///< of an interactive one: its commit or rollback
  std::optional<Instant> next_attempt;
  Timers::Handle timer;

  /// The only way to change the phase; checks the diagram.
  void enter(Phase next);

  Branch* find_branch(const Participant& participant);
  const Branch* find_branch(const Participant& participant) const;
  Xid xid(const Branch& branch) const { return {gtrid, branch.participant->name}; }

  bool undecided() const {
    if (mutant("rollback while deciding") && phase == Phase::kDeciding) return true;
    return phase == Phase::kActive || phase == Phase::kPreparing;
  }
  /// Its request may still be rolled back by time or settle.
  bool unbound() const;
  bool executing() const;
  bool all_worked() const;
  bool all_asked_to_prepare() const;
  bool all_voted_yes() const;
  /// Else the next link tells whether its database still has what voted yes.
  bool all_voters_linked() const;
  bool all_done() const;
  bool all_settled() const;
  std::vector<std::string> pending() const;

  /// The earliest of what it waits for by the clock.
  std::optional<Instant> due() const;

  /// What a caller may be told now: the outcome once it is final, else that it is in progress.
  /// Without damage, which outlives the transaction (Coordinator::answer_of).
  Answer answer() const;
  CommitRecord commit_record() const;
  RollbackRecord rollback_record() const;
  EndRecord end_record() const;
  TransactionSummary summary(Instant now) const;
};

}  // namespace assent::coordinator
