#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/turn.h"

namespace assent::agent {

/// What take_control found.
struct ControlTaken {
  std::string server_version;
  std::uint32_t prepared_max = 0;
  std::vector<std::string> warnings;
};

/// The control session of one incarnation and the thread that blocks in it (R9). What it is asked
/// to do it does in that order, but heartbeats before all that wait. All calls in turns, and so are
/// the callbacks; `exited` when this thread has no turn any more.
class ControlThread {
 public:
  struct Hooks {
    std::function<void(Result<ControlTaken>)> taken;  ///< once; after an error nothing more happens
    std::function<void()> exited;                     ///< once, after ask_exit()
  };

  /// Begins to take control; waits up to `lock_wait` for another agent's lock.
  ControlThread(Turn& turn, rm::ResourceManager& manager, Duration lock_wait, Hooks hooks);
  /// After `exited`.
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  /// After `taken`. `done` is called with what `act` returned, unless ask_exit() came first.
  template <typename Value>
  void run(std::function<Value(rm::Control&)> act, std::function<void(Value)> done) {
    add(job_of(std::move(act), std::move(done)));
  }

  /// After `taken`: as run(), before everything that has not begun.
  void heartbeat(std::function<void(Result<>)> done);

  /// What has not begun is dropped; then the session is closed, which gives the lock back.
  void ask_exit();

  /// Cuts the call under way if it began longer ago: control is lost. Time spent waiting behind
  /// others does not count.
  void cut_if_longer(Duration limit);

 private:
  using Job = std::function<void(rm::Control&)>;

  template <typename Value>
  Job job_of(std::function<Value(rm::Control&)> act, std::function<void(Value)> done) {
    return [this, act = std::move(act), done = std::move(done)](rm::Control& control) {
      auto value = act(control);
      end_call();
      turn_.run([value = std::move(value), done]() mutable { done(std::move(value)); });
    };
  }

  void main(Duration lock_wait);
  void set_control(rm::Control* control);
  void serve(rm::Control& control);
  std::optional<Job> next_job();
  void end_call();
  void add(Job job);

  Turn& turn_;
  rm::ResourceManager& manager_;
  const Hooks hooks_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Job> jobs_;
  rm::Control* control_ = nullptr;  ///< while it is there
  std::optional<Instant> begun_;    ///< the call under way
  bool exit_asked_ = false;
  std::thread thread_;
};

}  // namespace assent::agent
