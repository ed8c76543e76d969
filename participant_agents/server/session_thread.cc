#include "participant_agents/server/session_thread.h"

#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::agent {

SessionThread::SessionThread(Turn& turn, rm::ResourceManager& manager,
                             std::function<void(JobEnd)> ended, std::function<void()> exited)
    : turn_(turn),
      manager_(manager),
      ended_(std::move(ended)),
      exited_(std::move(exited)),
      thread_([this] { main(); }) {}

SessionThread::~SessionThread() {
  thread_.join();
}

void SessionThread::run(Job job) {
  ASSENT_CHECK(!job_);
  job_ = std::move(job);
  wake_.post();
}

void SessionThread::interrupt() {
  const std::lock_guard lock(session_mutex_);
  if (session_) session_->interrupt();
}

void SessionThread::ask_exit() {
  exit_asked_ = true;
  wake_.post();
  interrupt();
}

void SessionThread::main() {
  while (auto job = next_job()) {
    turn_.run([this, end = carry_out(*job)]() mutable { ended_(std::move(end)); });
  }
  replace_session(nullptr);
  turn_.run_from_loop([this] { exited_(); });
}

std::optional<Job> SessionThread::next_job() {
  wake_.wait();
  if (exit_asked_) return std::nullopt;
  return std::exchange(job_, std::nullopt);
}

JobEnd SessionThread::carry_out(Job& job) {
  JobEnd end;
  if (session_) end.session = session_->id();
  end.report = std::visit([this](auto& j) { return act(j); }, job);
  if (!session_) return end;
  end.session = session_->id();
  end.usable = session_->usable();
  if (!end.usable) replace_session(nullptr);
  return end;
}

void SessionThread::replace_session(std::unique_ptr<rm::Session> session) {
  {
    const std::lock_guard lock(session_mutex_);
    std::swap(session_, session);
  }
  // Closing the old one may take a moment: not under the lock that interrupt() needs.
}

Report SessionThread::act(OpenSession&) {
  auto opened = manager_.open_session();
  if (!opened) return opened.error();
  crash_point("rm.session.opened");
  replace_session(std::move(*opened));
  return std::monostate();
}

Report SessionThread::act(CloseSession&) {
  replace_session(nullptr);
  return std::monostate();
}

Report SessionThread::act(RunWork& job) {
  crash_point("agent.work.before");
  auto report = session_->work(job.work);
  crash_point("agent.work.after");
  return report;
}

Report SessionThread::act(RunPrepare& job) {
  crash_point("agent.prepare.before");
  auto report = session_->prepare(job.xid);
  crash_point("agent.prepare.after");
  return report;
}

Report SessionThread::act(RunRollBackOpen& job) {
  crash_point("agent.open_rollback.before");
  auto report = session_->roll_back_open(job.xid);
  crash_point("agent.open_rollback.after");
  return report;
}

Report SessionThread::act(RunCommit& job) {
  crash_point("agent.commit.before");
  auto report = session_->commit(job.xid, job.proof, job.by);
  crash_point("agent.commit.after");
  return report;
}

Report SessionThread::act(RunRollback& job) {
  crash_point("agent.rollback.before");
  auto report = session_->rollback(job.xid, job.proof);
  crash_point("agent.rollback.after");
  return report;
}

Report SessionThread::act(RunInspect& job) {
  crash_point("agent.inspect.before");
  auto report = session_->inspect(job.logs, job.branches);
  crash_point("agent.inspect.after");
  return report;
}

}  // namespace assent::agent
