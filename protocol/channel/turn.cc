#include "protocol/channel/turn.h"

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>

namespace assent {
namespace {

/// What Asio knows of a turn (its requirements: "Executor" and any_io_executor).
class TurnExecutor {
 public:
  TurnExecutor(Turn& turn, bool later) : turn_(&turn), later_(later) {}

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return turn_->io();
  }
  TurnExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return {*turn_, true};
  }
  TurnExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return {*turn_, false};
  }

  template <typename F>
  void execute(F&& f) const {
    if (later_) {
      turn_->run_later(std::forward<F>(f));
    } else {
      turn_->run(std::forward<F>(f));
    }
  }

  friend bool operator==(const TurnExecutor&, const TurnExecutor&) noexcept = default;

 private:
  Turn* turn_;
  bool later_;
};

}  // namespace

boost::asio::any_io_executor Turn::executor() {
  return TurnExecutor(*this, false);
}

void Turn::leave_or_post(std::unique_ptr<Thing> thing) {
  // In the loop: behind the handlers that are ready, so that all they send leaves in one write.
  if (io_.get_executor().running_in_this_thread() || !left(thing)) {
    boost::asio::post(io_,
                      [this, thing = std::move(thing)]() mutable { run_thing(std::move(thing)); });
  }
}

bool Turn::left(std::unique_ptr<Thing>& thing) {
  const std::lock_guard lock(mutex_);
  if (!taken_) return false;
  if (!closed_) waiting_.push_back(std::move(thing));
  return true;
}

void Turn::run_thing(std::unique_ptr<Thing> thing) {
  if (!take_or_leave([&thing] { return std::move(thing); })) return;
  thing->run();
  thing.reset();
  pass_on();
}

void Turn::pass_on() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        taken_ = false;
        given_back_.notify_one();
        return;
      }
      std::swap(waiting_, passed_on_);
    }
    for (std::unique_ptr<Thing>& thing : passed_on_) {
      thing->run();
      thing.reset();
    }
    passed_on_.clear();
  }
}

void Turn::close() {
  std::vector<std::unique_ptr<Thing>> dropped;
  {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [this] { return !taken_; });
    taken_ = true;
    closed_ = true;
    std::swap(dropped, waiting_);
  }
}

}  // namespace assent
