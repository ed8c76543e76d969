#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/resource_manager.h"
#include "participant_agents/rm/statement_cache.h"

namespace assent::rm {

/// What is the same in every database about running one branch: statements are rendered, go to the
/// database in one message, results are matched to statements, guards are checked, and whatever
/// goes wrong rolls the branch back (R8). How each thing is said is the dialect's.
class BranchSession : public Session {
 public:
  SessionId id() const override { return id_; }
  bool usable() const override { return !link_->lost() && (open_ || !spoilt_); }
  void interrupt() override { link_->interrupt(); }

  WorkReport work(const Work& work) override;
  WorkReport prepare(const Xid& xid) override;
  FinishReport roll_back_open(const Xid& xid) override;
  FinishReport commit(const Xid& xid, const BranchProof& proof, PreparedBy by) override;
  FinishReport rollback(const Xid& xid, const std::optional<BranchProof>& proof) override;
  Result<Inspection> inspect(const std::set<LogId>& ours,
                             const std::vector<InspectedBranch>& asked) override;

 protected:
  /// How far the branch came before it has to be undone.
  enum class Reached {
    kNothing,   ///< no message was sent, or a read-only branch has ended: nothing is to be undone
    kOpening,   ///< the message that opens it failed, and had no prepare
    kOpen,      ///< an earlier message opened it, no prepare was sent
    kDoubtful,  ///< a message that ends in a prepare failed somewhere
    kPrepared,  ///< the database said that it is
  };

  /// What one message is to do.
  struct Message {
    const Xid& xid;
    const std::vector<ReadyStatement>& statements;
    std::uint32_t first_index = 0;
    bool opens = false;
    bool ends = false;  ///< prepares; a read-only branch ends
    Access access = Access::kReadWrite;
    Duration lock_wait{};
    Duration statement_limit{};  ///< 0: as it is
  };

  BranchSession(std::unique_ptr<Link> link, SessionId id)
      : link_(std::move(link)), id_(id), cache_(link_->settings().kind) {}

  Link& link() { return *link_; }
  const Settings& settings() const { return link_->settings(); }

  /// Opens a branch: `message` is its first.
  virtual WorkReport open(const Message& message) { return run(message); }
  /// Sends one message and takes its answer; an error has ended the branch.
  WorkReport run(const Message& message);
  /// Something may outlive the branch that runs now: the session is closed behind it.
  bool spoilt() const { return spoilt_; }

  /// The text of the message.
  virtual std::string compose(const Message& message) = 0;
  /// Adds what the driver has left out.
  virtual void complete(odbc::Diagnostic& failure) = 0;
  /// Leaves in `answer.results` those of the statements, one for each, and gives the proof when the
  /// message prepared. An error: the answer is not what was asked for, such as no proof that the
  /// branch is prepared (F 1).
  virtual Result<BranchProof> interpret(const Message& message, odbc::Answer& answer) = 0;
  /// The error of a message that failed, with its step where it can be told.
  virtual Error describe_failure(const Message& message, const odbc::Answer& answer) = 0;
  /// True: proved that nothing of the branch is left. `failure` is what stopped the message.
  virtual bool undo(const Xid& xid, Reached reached, const odbc::Answer& answer) = 0;

  /// What the database says of a branch when it is looked for, the list first (section 6).
  struct Seen {
    bool listed = false;
    std::uint64_t transaction_id = 0;  ///< of a listed branch, where branches have one
    bool witness = false;              ///< its witness row is there, where branches leave one
    bool held = false;                 ///< not listed, and yet a transaction holds its witness row
    DatabaseIdentity database;
  };

  /// Phase two in the words of the database, each a message of its own.
  virtual std::string say_commit(const Xid& xid) const = 0;
  virtual std::string say_rollback(const Xid& xid) const = 0;
  /// Before phase two: the short limit of some work is not its limit (R4).
  virtual void give_time() = 0;
  virtual Result<Seen> look(const Xid& xid) = 0;
  virtual bool is_the_one_that_voted(const Seen& seen, const BranchProof& proof) const = 0;
  /// The database has answered OK.
  virtual FinishReport after_commit(const Xid& xid, PreparedBy by) = 0;
  /// What became of a branch that voted, in the database in which it did: is it prepared still, and
  /// if it is not, what shows its end? `why` it could not be finished just now, if that was tried.
  virtual FinishReport settle(const Seen& seen, const BranchProof& proof,
                              const std::optional<Error>& why) = 0;
  /// Likewise of one that could not be rolled back because it is not listed.
  virtual FinishReport settle_absent(const Seen& seen, const std::optional<BranchProof>& proof) = 0;
  /// All that the database lists as prepared, with whom it holds up; completion and evidence are
  /// not filled in.
  virtual Result<Inspection> list_with_waits(const std::set<LogId>& ours) = 0;

  /// What only a person can settle.
  Error hazard(std::string message) const {
    return make_error(settings(), ErrorCode::kHazard, Effect::kUnknown, std::move(message));
  }

  /// Of the branch under way, or of the last one.
  Access access() const { return access_; }

 private:
  static Reached reached_by(const Message& message);
  Result<std::vector<ReadyStatement>> read(const Work& work);
  struct Failed {
    Error why;
    std::optional<Seen> seen;  ///< nullopt: unreached, and `why` says how
  };
  /// A step of phase two failed: what became of the branch?
  Failed look_after(const Xid& xid, const odbc::Diagnostic& failure);
  FinishReport settle_here(const Seen& seen, const BranchProof& proof,
                           const std::optional<Error>& why);
  FinishReport explained(const Xid& xid, Decision told, const std::optional<BranchProof>& proof,
                         FinishReport report) const;
  void look_closely(const InspectedBranch& asked, BranchSight& sight);
  WorkReport give_up(const Xid& xid, Reached reached, const odbc::Answer& answer,
                     WorkReport report);
  std::optional<Error> take_results(const Message& message, odbc::Answer& answer,
                                    std::vector<StatementResult>& results) const;
  std::optional<Error> check_result(const odbc::ResultSet& result,
                                    std::optional<std::int64_t> expected) const;

  std::unique_ptr<Link> link_;
  SessionId id_;
  StatementCache cache_;
  bool open_ = false;
  Access access_ = Access::kReadWrite;
  bool spoilt_ = false;
};

/// Proved, and not.
FinishReport finished(Completion completion, Evidence evidence);
FinishReport unfinished(Completion completion, Evidence evidence, std::optional<Error> error);

/// Of one branch, and of a query's text.
constexpr std::size_t kBlockedShown = 100;
constexpr std::size_t kQueryShown = 200;

/// ResourceManager::check_statement.
Result<> check_step(const Settings& settings, const Statement& statement);

/// Phase two has no deadline (R4): the short limit of some work must not fail it again and again.
constexpr Duration kEnoughForPhaseTwo = std::chrono::seconds(2);

/// How long a statement may take that has this long to its agent's deadline (R11). In large steps,
/// since each change costs the session a SET.
Duration statement_limit_for(const Settings& settings, Duration deadline);

/// kGuardNotMet, without its step.
Error guard_not_met(const Settings& settings, std::int64_t rows, std::int64_t expected);

}  // namespace assent::rm
