#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "participant_agents/core/effects.h"
#include "participant_agents/core/events.h"
#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/proof.h"

namespace assent::agent {

/// Which of the configured coordinators; given by the core in the order of their first hello.
enum class CoordinatorIndex : std::uint32_t {};

/// Where one step of the core puts what it asks for.
class Outbox {
 public:
  Outbox(Effects& effects, Incarnation incarnation)
      : effects_(effects), incarnation_(incarnation) {}

  template <typename Effect>
  void add(Effect effect) {
    effects_.emplace_back(std::move(effect));
  }

  /// Dropped where the link is known to be gone: the coordinator asks again.
  template <typename Body>
  void reply(std::optional<LinkId> link, Body body) {
    if (link) effects_.emplace_back(SendReply{*link, {incarnation_, std::move(body)}});
  }

 private:
  Effects& effects_;
  Incarnation incarnation_;
};

/// One branch: what the agent remembers of one xid (R6). A value that takes messages and the ends
/// of database operations; at most one operation is under way.
///
///            Work, index 0            ok, stay open
///   (none) ---------------> kWorking ---------------> kOpen
///      |                     |  ^  | \                 |  |
///      |                     |  |  |  \                |  | Rollback, cancel
///      |                     |  +--|---\--Work,Prepare-+  v
///      |                     |     |    \ (voted read-only)   kClosing
///      |          yes, proved|     |     +------> kReadOnly   |
///      |                     v     |doubt                     |  gone, never prepared
///      |              kPrepared    v    \ error, rolled back  v
///      |                 |   kUnsettled  +-----------------> kDead
///      |          Commit |    |  ^   ^ |                      |
///      v                 v    |  |   | | Rollback             | Rollback
///      +--Commit---> kCommitting-+   +-kRollingBack           |
///      |                 |  not the      | proved absent      |
///      |       committed v  end yet      v                    v
///      |            kCommitted       kRolledBack <------------+
///      +--Rollback-----------------------^ (through kRollingBack)
///
/// What the database shows in the end may contradict what the branch was told, by foreign hands: it
/// is proved and answered like any other end. Where nothing can be told (in hazard) a person may
/// later decide the other way, so either message is obeyed then. So is one that names another
/// transaction of the database than the message before: it is about another branch of that name.
///
/// In kUnsettled no session of ours is at the branch and only the database knows whether it is
/// prepared. A branch is *frozen*, in whatever phase, when it was told the opposite of what it had
/// been told or done (R6): it starts nothing more but the release of unprepared work, and answers
/// every Commit and Rollback with what is known of the violation.
class Branch {
 public:
  Branch(Xid xid, LinkId owner, CoordinatorIndex coordinator);

  void on_work(LinkId link, Work&& work, Outbox& out);
  void on_prepare(LinkId link, const Prepare& prepare, Outbox& out);
  void on_commit(LinkId link, const Commit& commit, Outbox& out);
  void on_rollback(LinkId link, const Rollback& rollback, Outbox& out);

  void on_work_ended(WorkEnded&& ended, Outbox& out);
  void on_finish_ended(FinishEnded&& ended, Outbox& out);

  /// Its link is lost, a newer hello came, or the coordinator says that it is finished (R10). No
  /// effect on a branch that may be prepared already: agents never decide alone.
  void cancel(Outbox& out);

  /// Nobody reads the answer any more.
  void forget_asker(LinkId link);

  /// The database lists it as prepared although it is remembered as finished: the next Commit or
  /// Rollback looks again instead of repeating the old answer (F 9, F 13).
  void on_listed();

  /// Nothing was accepted of it yet.
  bool is_new() const { return phase_ == Phase::kNew; }
  /// Holds or may get a session and was not seen to be prepared: belongs to its link (R10).
  bool is_unprepared() const;
  /// Nothing is lost but a stored reply when this object goes. Frozen ones stay for a person.
  bool may_be_forgotten() const;
  /// The database may still need what proves its outcome.
  bool needs_witness() const;

  /// Of its yes vote in this incarnation.
  const std::optional<BranchProof>& proof() const { return proof_; }

  LinkId owner() const { return owner_; }
  CoordinatorIndex coordinator() const { return coordinator_; }

 private:
  enum class Phase : std::uint8_t {
    kNew,
    kWorking,
    kOpen,
    kClosing,
    kPrepared,
    kReadOnly,
    kDead,
    kUnsettled,
    kCommitting,
    kRollingBack,
    kCommitted,
    kRolledBack,
  };

  /// The message of work that is under way or was answered last.
  struct LastWork {
    std::uint32_t first_index = 0;
    std::uint32_t statements = 0;  ///< in this message
    bool prepares = false;
  };

  bool is_repeat(const Work& work) const;
  bool is_repeat(const Prepare& prepare) const;
  void answer_work_again(LinkId link, Outbox& out);
  void refuse_work(LinkId link, const Work& work, Error error, Outbox& out) const;
  void refuse_prepare(LinkId link, Error error, Outbox& out) const;
  Error refusal_of_work() const;
  Vote vote_if_refused() const;

  void settle_phase(const WorkEnded& ended);
  void store_work_reply(WorkEnded&& ended);

  void interrupt(Outbox& out);
  bool is_of_another(Decision told, const BranchProof& proof) const;
  void continue_rollback(Outbox& out);
  void close(Outbox& out);
  void finish(Completion completion, Evidence evidence, std::optional<Error> error, Outbox& out);
  void answer_finished_again(LinkId link, Decision told, Outbox& out) const;
  void ask_for_patience(LinkId link, Decision told, Outbox& out) const;
  void freeze(LinkId link, Decision told, const char* what, Outbox& out);
  void set_frozen(const char* what, Outbox& out);

  Xid xid_;
  LinkId owner_;
  CoordinatorIndex coordinator_;
  Phase phase_ = Phase::kNew;

  LastWork last_;
  std::uint32_t statements_run_ = 0;
  bool cancelled_ = false;
  bool interrupted_ = false;  ///< of the work under way: once is enough
  std::optional<LinkId> work_asker_;
  std::variant<std::monostate, Worked, Voted> work_reply_;
  std::optional<BranchProof> proof_;       ///< from kPrepared on
  std::optional<BranchProof> told_proof_;  ///< as the last message that had one told it

  std::optional<Decision> told_;
  bool in_hazard_ = false;  ///< the last answer was that nothing can be told
  std::optional<LinkId> finish_asker_;
  std::optional<Finished> finished_;  ///< final answers only
  std::optional<Error> frozen_;
};

}  // namespace assent::agent
