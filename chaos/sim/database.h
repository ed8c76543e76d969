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

/// One connection to the database; of one life of it.
enum class SessionId : std::uint64_t {};

/// A participant's database, with what a payment touches (chaos/workload/payment.h) and what proves
/// an outcome: prepared branches, transaction status or witness rows, fence rows. It does what
/// facts.md measured of the real ones, as rm::ResourceManager promises it to an agent: prepared
/// branches and their locks outlive everything; a session whose client is gone goes on with what
/// it was told already (F 8).
///
/// What is asked takes time, and is answered in the asker's process: with kConnectionLost and an
/// unknown effect when the database ends meanwhile, by nothing when the asker does.
class Database {
 public:
  Database(World& world, std::string participant, DatabaseKind kind, std::int64_t cards,
           std::int64_t balance);

  void start();
  /// As by SIGKILL: sessions and what they have open are gone, the rest is there.
  void crash();
  bool runs() const { return process_ != nullptr; }
  Process* process() { return process_.get(); }

  const std::string& participant() const { return participant_; }
  workload::ParticipantEvidence evidence() const;

  template <typename Reply>
  using Told = std::function<void(Result<Reply>)>;

  // ---- the agent's control session (R9, R10)
  /// Ends every session of earlier agents and sees it gone; the answer is the control's number.
  void take_control(const Process& asker, Told<std::uint64_t> told);
  void heartbeat(const Process& asker, std::uint64_t control, Told<bool> told);
  void raise_fence(const Process& asker, rm::Fence fence, Told<rm::FenceAnswer> told);
  void list_prepared(const Process& asker, std::optional<rm::Fence> fence, std::set<LogId> logs,
                     Told<rm::PreparedScan> told);
  void forget_witnesses(const Process& asker, std::vector<Gtrid> gtrids);
  void inspect(const Process& asker, std::set<LogId> logs, std::vector<rm::InspectedBranch> asked,
               Told<rm::Inspection> told);
  DatabaseIdentity identity() const;

  // ---- work
  SessionId open_session();
  void work(const Process& asker, SessionId session, Work work, Told<rm::WorkReport> told);
  void prepare(const Process& asker, SessionId session, Told<rm::WorkReport> told);
  void roll_back_open(const Process& asker, SessionId session, Told<rm::FinishReport> told);
  /// Ends the session and sees it gone.
  void end_session(const Process& asker, SessionId session, Told<bool> told);

  // ---- phase two
  void commit(const Process& asker, Xid xid, BranchProof proof, bool as_voted,
              Told<rm::FinishReport> told);
  void rollback(const Process& asker, Xid xid, std::optional<BranchProof> proof,
                Told<rm::FinishReport> told);

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
  };
  struct Session {
    std::optional<Branch> branch;
    Work work;
    std::size_t next = 0;  ///< statement of `work`
    std::vector<StatementResult> results;
    std::function<void(rm::WorkReport)> report;
  };
  struct Waiter {
    SessionId session{};
    std::uint64_t serial = 0;
    std::function<void()> go_on;
  };
  struct FenceEntry {
    std::string coordinator;
    Epoch epoch{};
    std::uint64_t nonce = 0;
    std::uint64_t top = 0;
  };

  /// A question that is under way.
  class CallBase {
   public:
    virtual ~CallBase() = default;
    virtual void lose() = 0;
  };
  template <typename Reply>
  class Call;
  template <typename Reply>
  void ask(const Process& asker, Told<Reply> told,
           std::function<void(const std::shared_ptr<Call<Reply>>&)> operation);

  Duration a_while();
  Session* find(SessionId session);
  void run_next(SessionId id);
  void run_statement(SessionId id, const Statement& statement);
  void lower(SessionId id, const Statement& statement);
  static void note(Session& session, std::int64_t rows);
  void wait_for_lock(SessionId id, std::int64_t card);
  void conclude(SessionId id);
  void prepare_now(SessionId id);
  void fail(SessionId id, ErrorCode code, const char* message);
  void report(Session& session, rm::WorkReport report);
  void release(const Branch& branch);
  void drop(SessionId id);
  bool holds(std::int64_t card, const Session& session) const;
  bool is_locked(std::int64_t card) const;

  rm::FenceAnswer raise(const rm::Fence& fence);
  void apply(const Branch& branch);
  rm::FinishReport commit_now(const Xid& xid, const BranchProof& proof, bool as_voted);
  rm::FinishReport rollback_now(const Xid& xid, const std::optional<BranchProof>& proof);
  rm::FinishReport settle(const Xid& xid, const BranchProof& proof) const;
  BranchProof proof_of(const Branch& branch) const;
  void trace(const std::string& what) const { world_.trace("db " + participant_, what); }

  World& world_;
  const std::string participant_;
  const DatabaseKind kind_;
  std::unique_ptr<Process> process_;

  // ---- durable
  std::map<std::int64_t, std::int64_t> balances_;
  std::vector<workload::LedgerRow> ledger_;
  std::map<Xid, Branch> prepared_;
  std::map<std::uint64_t, bool> ended_;  ///< by transaction id: committed?
  std::set<Xid> witnesses_;
  std::map<LogId, FenceEntry> fences_;
  std::uint64_t next_transaction_ = 1000;
  std::uint64_t position_ = 1'000'000;

  // ---- of one life
  std::map<SessionId, Session> sessions_;
  std::map<std::int64_t, std::deque<Waiter>> waiters_;  ///< by card
  std::vector<std::weak_ptr<CallBase>> calls_;

  std::uint64_t control_ = 0;
  std::uint64_t next_session_ = 1;
  std::uint64_t next_wait_ = 1;
};

}  // namespace assent::sim
