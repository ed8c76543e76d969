#include "protocol/channel/turn.h"

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>

namespace assent {
namespace {

/// Things that a thread which is not the loop's runs for others before it goes on with its own.
constexpr std::size_t kRunForOthersMax = 32;

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

void Turn::pass_on() {
  std::size_t run = 0;
  while (take_round(run)) {
    for (std::unique_ptr<Thing>& thing : passed_on_) {
      thing->run();
      thing.reset();
    }
    run += passed_on_.size();
    passed_on_.clear();
  }
}

/// False: the caller has the turn no more.
bool Turn::take_round(std::size_t run_before) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    taken_ = false;
    given_back_.notify_one();
    return false;
  }
  if (run_before >= kRunForOthersMax && !io_.get_executor().running_in_this_thread()) {
    leave_to_loop();
    return false;
  }
  std::swap(waiting_, passed_on_);
  return true;
}

/// Under the mutex: once it is free, close() need not wait, and this may go.
void Turn::leave_to_loop() {
  left_to_loop_ = true;
  given_back_.notify_one();
  boost::asio::post(io_, [this] { go_on_in_loop(); });
}

void Turn::go_on_in_loop() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    left_to_loop_ = false;
  }
  pass_on();
}

void Turn::close() {
  std::vector<std::unique_ptr<Thing>> dropped;
  {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [this] { return !taken_ || left_to_loop_; });
    taken_ = true;
    closed_ = true;
    std::swap(dropped, waiting_);
  }
}

}  // namespace assent
