#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/base/wake.h"
#include "protocol/base/xid.h"
#include "protocol/channel/turn.h"
#include "protocol/message/agent.h"
#include "protocol/message/proof.h"

namespace assent::agent {

// ---------------------------------------------------------------- what a session's thread does

struct OpenSession {};
struct CloseSession {};
struct RunWork {
  Work work;
};
struct RunPrepare {
  Xid xid;
};
struct RunRollBackOpen {
  Xid xid;
};
struct RunCommit {
  Xid xid;
  BranchProof proof;
  rm::PreparedBy by = rm::PreparedBy::kUnknown;
};
struct RunRollback {
  Xid xid;
  std::optional<BranchProof> proof;
};

struct RunInspect {
  std::set<LogId> logs;
  std::vector<rm::InspectedBranch> branches;
};

using Job = std::variant<OpenSession, CloseSession, RunWork, RunPrepare, RunRollBackOpen, RunCommit,
                         RunRollback, RunInspect>;

/// Nothing: opened or closed. Error: not opened.
using Report =
    std::variant<std::monostate, Error, rm::WorkReport, rm::FinishReport, Result<rm::Inspection>>;

/// What came of a job.
struct JobEnd {
  Report report;
  rm::SessionId session{};
  bool usable = false;  ///< false: the connection is closed, its database session to be seen gone
};

/// One database session and the thread that blocks in it.
///
/// All calls in turns, and so are `ended`, once for each job unless ask_exit() overtakes it, and
/// `exited`, once, after ask_exit() and the last of them, when this thread has no turn any more.
class SessionThread {
 public:
  SessionThread(Turn& turn, rm::ResourceManager& manager, std::function<void(JobEnd)> ended,
                std::function<void()> exited);
  /// After `exited`.
  ~SessionThread();
  SessionThread(const SessionThread&) = delete;
  SessionThread& operator=(const SessionThread&) = delete;

  /// One job at a time: the next after the end of the last.
  void run(Job job);

  /// Cuts the job under way, but an OpenSession, which ends by itself within the call timeout. The
  /// session is not usable afterwards, also when the job had ended.
  void interrupt();

  /// Interrupts, closes the session and ends the thread; `exited` may wait for an OpenSession.
  void ask_exit();

 private:
  void main();
  std::optional<Job> next_job();
  JobEnd carry_out(Job& job);

  Report act(OpenSession&);
  Report act(CloseSession&);
  Report act(RunWork& job);
  Report act(RunPrepare& job);
  Report act(RunRollBackOpen& job);
  Report act(RunCommit& job);
  Report act(RunRollback& job);
  Report act(RunInspect& job);
  void replace_session(std::unique_ptr<rm::Session> session);

  Turn& turn_;
  rm::ResourceManager& manager_;
  const std::function<void(JobEnd)> ended_;
  const std::function<void()> exited_;

  Wake wake_;
  std::optional<Job> job_;  ///< the thread's from the post that follows it
  std::atomic<bool> exit_asked_{false};

  std::mutex session_mutex_;  ///< the thread replaces the pointer, interrupt() uses it
  std::unique_ptr<rm::Session> session_;

  std::thread thread_;
};

}  // namespace assent::agent
