#include "participant_agents/server/alarm.h"

#include <chrono>

namespace assent::agent {

void Alarm::set(Instant at) {
  if (set_ && *set_ <= at) return;
  set_ = at;
  // Instants of read_clocks() are the steady clock's.
  timer_.expires_at(std::chrono::steady_clock::time_point(at.since_start));
  wait();
}

void Alarm::wait() {
  timer_.async_wait(
      [alive = std::weak_ptr<Alarm*>(alive_)](const boost::system::error_code& error) {
        if (error) return;  // set anew, or destroyed
        if (const auto alarm = alive.lock()) (*alarm)->ring();
      });
}

void Alarm::ring() {
  set_.reset();
  ring_();
}

}  // namespace assent::agent
