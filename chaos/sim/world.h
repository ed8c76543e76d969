#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chaos/workload/random.h"
#include "protocol/base/time.h"

/// The simulator's clock, and the one source of everything that is drawn. A run is a function of
/// its seed: one thread, virtual time, and events that are due at the same time come in the order
/// in which they were asked for.

namespace assent::sim {

using workload::Random;

class World;

/// One life of a simulated process: what was asked for it is dropped when this object ends, and
/// waits while it stands still.
class Process {
 public:
  Process(World& world, std::string name);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  World& world() const { return world_; }
  const std::string& name() const { return state_->name; }

  void in(Duration delay, std::function<void()> call) const;
  void soon(std::function<void()> call) const { in(Duration(0), std::move(call)); }
  /// As by SIGSTOP and SIGCONT.
  void stand_still(Duration how_long);
  void go_on();

  /// It is about to do something that others can see: a moment at which it may die. False: it is
  /// dead, and nothing leaves it any more.
  bool acts() const;
  /// As by SIGKILL in the midst of whatever it does; its owner ends this object afterwards.
  void die() { state_->dead = true; }
  bool is_dead() const { return state_->dead; }

  /// For whoever calls it from outside: dropped when this process has ended by then.
  struct State {
    std::string name;
    Instant still_until;
    bool dead = false;
  };
  std::weak_ptr<const State> state() const { return state_; }

 private:
  World& world_;
  std::shared_ptr<State> state_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  Random& random() { return random_; }
  Instant now() const { return now_; }
  /// What every host believes.
  Now clocks() const { return {now_, WallTime{kEpochMs} + (now_.since_start + jumped_)}; }
  /// The hosts' wall clocks are so much ahead of the steady ones from now on.
  void set_clocks(Duration ahead) {
    jumped_ = ahead;
    jumped_most_ = std::max(jumped_most_, ahead);
  }
  /// No clock that was ever right can be further.
  WallTime latest() const { return WallTime{kEpochMs} + (now_.since_start + jumped_most_); }

  void in(Duration delay, std::function<void()> call);
  void in(Duration delay, const std::weak_ptr<const Process::State>& process,
          std::function<void()> call);

  /// False: nothing is left to happen.
  bool run_one();
  void run_until(Instant end);
  std::uint64_t events() const { return events_; }

  /// What a process does that others can see, one thing after another.
  std::uint64_t steps() const { return steps_; }
  void count_step();
  /// Called with every step, and when nothing is in the midst of anything.
  void set_hooks(std::function<void()> on_step, std::function<void()> between_events) {
    on_step_ = std::move(on_step);
    between_events_ = std::move(between_events);
  }
  /// What waits for it comes now, in its old order.
  void wake(const Process::State& process);

  /// For people: one line for each thing that happens.
  void set_tracing(bool on) { tracing_ = on; }
  bool tracing() const { return tracing_; }
  void trace(const std::string& who, const std::string& what);
  const std::vector<std::string>& traced() const { return traced_; }

 private:
  static constexpr std::int64_t kEpochMs = 1'760'000'000'000;

  struct Due {
    Instant at;
    std::uint64_t serial = 0;
    bool owned = false;
    std::weak_ptr<const Process::State> owner;
    std::function<void()> call;
  };
  static bool later(const Due& a, const Due& b) {
    return a.at != b.at ? a.at > b.at : a.serial > b.serial;
  }
  void push(Due due);
  Due pop();

  Random random_;
  Instant now_;
  Duration jumped_{};
  Duration jumped_most_{};
  std::vector<Due> heap_;
  std::uint64_t next_serial_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Due> waiting_;  ///< for processes that stand still
  std::function<void()> on_step_;
  std::function<void()> between_events_;
  bool tracing_ = false;
  std::vector<std::string> traced_;
};

}  // namespace assent::sim
