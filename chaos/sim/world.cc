#include "chaos/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace assent::sim {

Process::Process(World& world, std::string name)
    : world_(world), state_(std::make_shared<State>(State{std::move(name), {}})) {}

void Process::in(Duration delay, std::function<void()> call) const {
  world_.in(delay, state_, std::move(call));
}

void Process::stand_still(Duration how_long) {
  state_->still_until = std::max(state_->still_until, world_.now() + how_long);
  world_.in(how_long, [&world = world_, state = std::weak_ptr<State>(state_)] {
    const auto at = state.lock();
    if (at && at->still_until <= world.now()) world.wake(*at);
  });
}

void Process::go_on() {
  state_->still_until = world_.now();
  world_.wake(*state_);
}

bool Process::acts() const {
  world_.count_step();
  return !state_->dead;
}

void World::in(Duration delay, std::function<void()> call) {
  push({now_ + delay, next_serial_++, false, {}, std::move(call)});
}

void World::in(Duration delay, const std::weak_ptr<const Process::State>& process,
               std::function<void()> call) {
  push({now_ + delay, next_serial_++, true, process, std::move(call)});
}

void World::push(Due due) {
  heap_.push_back(std::move(due));
  std::push_heap(heap_.begin(), heap_.end(), later);
}

World::Due World::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Due due = std::move(heap_.back());
  heap_.pop_back();
  return due;
}

bool World::run_one() {
  if (heap_.empty()) return false;
  Due due = pop();
  now_ = due.at;
  if (due.owned) {
    const auto owner = due.owner.lock();
    if (!owner || owner->dead) return true;
    if (owner->still_until > now_) {
      waiting_.push_back(std::move(due));
      return true;
    }
  }
  ++events_;
  due.call();
  if (between_events_) between_events_();
  return true;
}

void World::count_step() {
  ++steps_;
  if (on_step_) on_step_();
}

void World::wake(const Process::State& process) {
  for (Due& due : std::exchange(waiting_, {})) {
    const auto owner = due.owner.lock();
    if (!owner) continue;
    if (owner.get() == &process) {
      due.at = now_;
      push(std::move(due));
    } else {
      waiting_.push_back(std::move(due));
    }
  }
}

void World::run_until(Instant end) {
  while (!heap_.empty() && heap_.front().at <= end) run_one();
  now_ = std::max(now_, end);
}

void World::trace(const std::string& who, const std::string& what) {
  if (!tracing_) return;
  char time[32];
  std::snprintf(time, sizeof time, "%10.3f ",
                static_cast<double>(now_.since_start.count()) / 1'000'000);
  traced_.push_back(time + who + ": " + what);
}

}  // namespace assent::sim
