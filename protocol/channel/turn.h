#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace assent {

/// One thing at a time, in whichever thread it comes up (docs/decisions/0010-turns.md).
///
/// Sockets, timers and the core need no lock of their own when all that touches them runs in turns:
/// what a socket has to tell comes up in the io_context's thread, the end of a blocking call in the
/// thread that made the call, and each goes on right there, without waking another thread. While
/// one has the turn, what comes up elsewhere is left to it, and its thread goes on with its own.
/// Under load something always comes up: a thread that has work of its own, such as the log's next
/// sync, runs so much of it and leaves the turn to the loop.
///
/// Destroyed before the io_context, whose leftover handlers may still hold its executor: nothing is
/// run by them any more.
class Turn {
 public:
  explicit Turn(boost::asio::io_context& io) : io_(io) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// Runs `f` now, or leaves it to whoever has the turn, who may be the caller: then it runs when
  /// the caller's present thing is done. Any thread.
  template <typename F>
  void run(F&& f) {
    {
      const std::lock_guard lock(mutex_);
      if (leave(std::forward<F>(f))) return;
      taken_ = true;
    }
    std::forward<F>(f)();
    pass_on();
  }

  /// Runs `f` later, never from within this call: called in the io_context's thread, behind all the
  /// handlers that are ready there; else after the present thing of whoever has the turn.
  template <typename F>
  void run_later(F&& f) {
    if (!io_.get_executor().running_in_this_thread()) {
      const std::lock_guard lock(mutex_);
      if (leave(std::forward<F>(f))) return;
    }
    run_from_loop(std::forward<F>(f));
  }

  /// As run(), from the io_context's thread: a thread that is about to end leaves its last words
  /// so, and whoever hears them may join it.
  template <typename F>
  void run_from_loop(F f) {
    boost::asio::post(io_, [this, f = std::move(f)]() mutable { run(std::move(f)); });
  }

  /// For what Asio makes: its handlers run in turns. A post to it is run_later().
  boost::asio::any_io_executor executor();

  /// Nothing runs any more once this has returned: what waits is dropped, what comes is too. Not
  /// from within a turn.
  void close();

  boost::asio::io_context& io() const { return io_; }

 private:
  class Thing {
   public:
    virtual ~Thing() = default;
    virtual void run() = 0;
  };
  template <typename F>
  class ThingOf final : public Thing {
   public:
    explicit ThingOf(F f) : f_(std::move(f)) {}
    void run() override { f_(); }

   private:
    F f_;
  };

  /// Leaves `f` to whoever has the turn. False: nobody has it, and `f` is as it was. Under the
  /// mutex.
  template <typename F>
  bool leave(F&& f) {
    if (!taken_) return false;
    if (!closed_)
      waiting_.push_back(std::make_unique<ThingOf<std::decay_t<F>>>(std::forward<F>(f)));
    return true;
  }
  void pass_on();
  bool take_round(std::size_t run_before);
  void leave_to_loop();
  void go_on_in_loop();

  boost::asio::io_context& io_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  // State below is protected by mutex_.
  bool taken_ = false;
  bool left_to_loop_ = false;  ///< taken, and nobody runs anything until the loop goes on
  bool closed_ = false;        ///< taken for ever
  std::vector<std::unique_ptr<Thing>> waiting_;

  std::vector<std::unique_ptr<Thing>> passed_on_;  ///< of whoever has the turn; kept for its room
};

}  // namespace assent
