#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chaos/sim/world.h"
#include "chaos/workload/evidence.h"
#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

namespace assent::sim {

enum class DatabaseKind : std::uint8_t { kPostgres, kMariadb };

/// A participant's database, with what a payment touches (chaos/workload/payment.h) and what proves
/// an outcome: prepared branches, transaction status or witness rows, fence rows. It does what
/// facts.md measured of the real ones, as rm::ResourceManager promises it to an agent: prepared
/// branches and their locks outlive everything; an acknowledged XA ROLLBACK may not (F 13); a
/// session whose client is gone goes on with what it was told already (F 8).
///
/// What is asked takes time, and is answered in the asker's process: by nothing when that ends
/// meanwhile; with kConnectionLost and an unknown effect when the database ends or the connection
/// is cut, before or after it did what it was asked.
class Database {
 public:
  Database(World& world, std::string participant, DatabaseKind kind, std::int64_t cards,
           std::int64_t balance);

  void start();
  /// As by SIGKILL: sessions and what they have open are gone, the rest is there.
  void crash();
  /// Some of the agent's connections, all at once. What was asked on them has arrived or not.
  void cut_connections();
  /// From now on the connection of one in so many calls is lost; 0: of none.
  void lose_one_in(std::uint64_t calls) { lose_one_in_ = calls; }
  bool runs() const { return process_ != nullptr; }

  /// A copy of its disk is made, in place of the one before.
  void back_up() { copy_ = kept_; }
  bool has_copy() const { return copy_.has_value(); }
  /// It crashes, and the copy is put in the place of its disk.
  void put_back();
  /// Is the branch neither prepared nor its effects there?
  bool lacks(const Xid& xid) const {
    return !kept_.took_effect.contains(xid) && !kept_.prepared.contains(xid);
  }
  /// A person does what the branch has written, which it lacks.
  void put_right(const Xid& xid);
  Process* process() { return process_.get(); }

  const std::string& participant() const { return participant_; }
  workload::ParticipantEvidence evidence() const;
  /// How often each branch was committed.
  const std::map<Xid, std::uint64_t>& took_effect() const { return kept_.took_effect; }
  /// It was rolled back, which the database forgot.
  bool has_come_back(const Xid& xid) const { return come_back_.contains(xid); }
  /// Somebody was told that it is not there and never will be.
  void note_absent(const Xid& xid) { absent_.insert(xid); }
  /// Those that were prepared all the same.
  const std::set<Xid>& zombies() const { return zombies_; }
  std::uint64_t fence_top(LogId log_id) const;
  bool has_witness(const Xid& xid) const { return kept_.witnesses.contains(xid); }

  template <typename Reply>
  using Told = std::function<void(Result<Reply>)>;

  // ---- the agent's control session (R9, R10)
  /// Ends every session of earlier agents and sees it gone; the answer is the control's number.
  void take_control(const Process& asker, Told<std::uint64_t> told);
  /// One call of it, as agent::ControlThread runs it. Where no answer gets through, `done` is told
  /// what `work` makes of a lost connection.
  template <typename Reply>
  void run(const Process& asker, std::uint64_t control, std::function<Reply(rm::Control&)> work,
           std::function<void(Reply)> done) {
    auto reply = std::make_shared<std::optional<Reply>>();
    run_control(
        asker, control, [reply, work = std::move(work)](rm::Control& at) { *reply = work(at); },
        [reply, done = std::move(done)] { done(std::move(**reply)); });
  }
  void inspect(const Process& asker, std::set<LogId> logs, std::vector<rm::InspectedBranch> asked,
               Told<rm::Inspection> told);

  // ---- work
  rm::SessionId open_session();
  void work(const Process& asker, rm::SessionId session, Work work, Told<rm::WorkReport> told);
  void prepare(const Process& asker, rm::SessionId session, Told<rm::WorkReport> told);
  void roll_back_open(const Process& asker, rm::SessionId session, Told<rm::FinishReport> told);
  // ---- phase two, on a session that has no branch
  void commit(const Process& asker, rm::SessionId session, Xid xid, BranchProof proof,
              bool as_voted, Told<rm::FinishReport> told);
  void rollback(const Process& asker, rm::SessionId session, Xid xid,
                std::optional<BranchProof> proof, Told<rm::FinishReport> told);

 private:
  struct Writes {
    std::map<std::int64_t, std::int64_t> taken;  ///< by card
    std::vector<workload::LedgerRow> ledger;
  };
  struct Branch {
    Xid xid;
    std::uint64_t transaction_id = 0;
    Writes writes;
    std::set<std::int64_t> locks;
    bool read_only = false;
  };
  struct Session {
    std::optional<Branch> branch;
    Work work;
    std::size_t next = 0;  ///< statement of `work`
    std::vector<StatementResult> results;
    std::function<void(rm::WorkReport)> report;
  };
  struct Waiter {
    rm::SessionId session{};
    std::uint64_t serial = 0;
    std::function<void()> go_on;
  };
  struct FenceEntry {
    std::string coordinator;
    Epoch epoch{};
    std::uint64_t nonce = 0;
    std::uint64_t top = 0;
  };
  /// An agent has taken control (docs/decisions/0015).
  struct Takeover {
    std::uint64_t number = 0;
    std::uint64_t transaction_id = 0;
    std::uint64_t position = 0;
  };

  /// What is on its disk.
  struct Kept {
    std::map<std::int64_t, std::int64_t> balances;
    std::vector<workload::LedgerRow> ledger;
    std::map<Xid, Branch> prepared;
    std::map<std::uint64_t, bool> ended;  ///< by transaction id: committed?
    std::set<Xid> witnesses;
    std::map<Xid, std::uint64_t> took_effect;
    std::map<LogId, FenceEntry> fences;
    std::vector<Branch> rolled_back;  ///< and not forced: MariaDB may have them prepared again
    std::vector<Takeover> takeovers;  ///< PostgreSQL's, oldest first
    std::uint64_t next_transaction = 1000;
    std::uint64_t position = 1'000'000;
  };

  /// A question that is under way.
  class CallBase {
   public:
    virtual ~CallBase() = default;
    /// No answer gets through any more, though one may be under way.
    virtual void lose() = 0;
    virtual bool is_answered() const = 0;

    bool has_arrived = true;  ///< else it never will
  };
  template <typename Reply>
  class Call;
  class ControlSession;
  template <typename Reply>
  void ask(const Process& asker, Told<Reply> told,
           std::function<void(const std::shared_ptr<Call<Reply>>&)> operation);
  void run_control(const Process& asker, std::uint64_t control,
                   std::function<void(rm::Control&)> work, std::function<void()> done);

  Duration a_while();
  Session* find(rm::SessionId session);
  void run_next(rm::SessionId id);
  void run_statement(rm::SessionId id, const Statement& statement);
  void lower(rm::SessionId id, const Statement& statement);
  void cut(CallBase& call);
  static void note(Session& session, std::int64_t rows);
  void wait_for_lock(rm::SessionId id, std::int64_t card);
  void conclude(rm::SessionId id);
  void prepare_now(rm::SessionId id);
  void end_reading(Session& session);
  void fail(rm::SessionId id, ErrorCode code, const char* message);
  void report(Session& session, rm::WorkReport report);
  void release(const Branch& branch);
  void drop(rm::SessionId id);
  bool holds(std::int64_t card, const Session& session) const;
  bool is_locked(std::int64_t card) const;

  DatabaseIdentity identity() const;
  rm::FenceAnswer raise(const rm::Fence& fence);
  rm::PreparedScan list(const std::set<LogId>& logs) const;
  void write_takeover();
  bool voted_in_this_history(const BranchProof& proof) const;
  void apply(const Writes& writes);
  void apply(const Branch& branch);
  void force();
  rm::FinishReport commit_now(const Xid& xid, const BranchProof& proof, bool as_voted);
  rm::FinishReport rollback_now(const Xid& xid, const std::optional<BranchProof>& proof);
  rm::FinishReport settle(const Xid& xid, const BranchProof& proof) const;
  BranchProof proof_of(const Branch& branch) const;
  void trace(const std::string& what) const { world_.trace("db " + participant_, what); }

  World& world_;
  const std::string participant_;
  const DatabaseKind kind_;
  std::unique_ptr<Process> process_;

  Kept kept_;
  std::optional<Kept> copy_;
  std::map<Xid, Writes> written_;  ///< by every branch that was ever prepared
  std::set<Xid> come_back_;
  std::set<Xid> absent_;
  std::set<Xid> zombies_;

  // ---- of one life
  std::map<rm::SessionId, Session> sessions_;
  std::map<std::int64_t, std::deque<Waiter>> waiters_;  ///< by card
  std::vector<std::weak_ptr<CallBase>> calls_;

  std::uint64_t lose_one_in_ = 0;
  std::uint64_t control_ = 0;
  std::uint64_t takeover_ = 0;  ///< what was drawn with the last control
  std::uint64_t next_session_ = 1;
  std::uint64_t next_wait_ = 1;
};

}  // namespace assent::sim
