#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/base/time.h"

namespace assent::agent {

/// One timer for many deadlines that are seldom met: it is only ever set earlier, so that an
/// operation which ends in time costs no timer at all. `ring` may come too early; who is rung looks
/// at the clock and sets the next. Never after the alarm is destroyed. All on the executor, which
/// runs one thing at a time.
class Alarm {
 public:
  Alarm(const boost::asio::any_io_executor& executor, std::function<void()> ring)
      : timer_(executor), ring_(std::move(ring)) {}

  void set(Instant at);

 private:
  void wait();
  void ring();

  boost::asio::steady_timer timer_;
  std::function<void()> ring_;
  std::optional<Instant> set_;
  /// A timer that has expired can no longer be cancelled: its handler may be queued already when
  /// the alarm goes.
  std::shared_ptr<Alarm*> alive_ = std::make_shared<Alarm*>(this);
};

}  // namespace assent::agent
