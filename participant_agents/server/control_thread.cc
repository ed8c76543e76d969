#include "participant_agents/server/control_thread.h"

#include <utility>

namespace assent::agent {

ControlThread::ControlThread(Turn& turn, rm::ResourceManager& manager, Duration lock_wait,
                             Hooks hooks)
    : turn_(turn),
      manager_(manager),
      hooks_(std::move(hooks)),
      thread_([this, lock_wait] { main(lock_wait); }) {}

ControlThread::~ControlThread() {
  thread_.join();
}

void ControlThread::ask_exit() {
  {
    const std::lock_guard lock(mutex_);
    exit_asked_ = true;
  }
  came_.notify_one();
}

void ControlThread::main(Duration lock_wait) {
  if (auto control = manager_.take_control(lock_wait)) {
    turn_.run([this, taken = ControlTaken{(*control)->server_version(), (*control)->prepared_max(),
                                          (*control)->warnings()}] { hooks_.taken(taken); });
    set_control(control->get());
    serve(**control);
    set_control(nullptr);
  } else {
    turn_.run([this, error = control.error()] { hooks_.taken(error); });
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return exit_asked_; });
  }
  turn_.run_from_loop([this] { hooks_.exited(); });
}

void ControlThread::set_control(rm::Control* control) {
  const std::lock_guard lock(mutex_);
  control_ = control;
}

void ControlThread::cut_if_longer(Duration limit) {
  const std::lock_guard lock(mutex_);
  if (begun_ && read_clocks().steady - *begun_ > limit) control_->interrupt();
}

void ControlThread::serve(rm::Control& control) {
  while (auto job = next_job()) (*job)(control);
}

std::optional<ControlThread::Job> ControlThread::next_job() {
  std::unique_lock lock(mutex_);
  came_.wait(lock, [this] { return !jobs_.empty() || exit_asked_; });
  if (exit_asked_) return std::nullopt;
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  begun_ = read_clocks().steady;
  return job;
}

void ControlThread::end_call() {
  const std::lock_guard lock(mutex_);
  begun_.reset();
}

void ControlThread::heartbeat(std::function<void(Result<>)> done) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_front(job_of<Result<>>([](rm::Control& control) { return control.heartbeat(); },
                                      std::move(done)));
  }
  came_.notify_one();
}

void ControlThread::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  came_.notify_one();
}

}  // namespace assent::agent
