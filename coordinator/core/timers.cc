#include "coordinator/core/timers.h"

namespace assent::coordinator {

void Timers::set(Handle& handle, std::optional<Instant> at, const Subject& subject) {
  const bool there = due_.contains({handle.at, handle.serial});
  if (there && at == handle.at) return;
  cancel(handle);
  if (!at) return;
  handle = {*at, next_serial_++};
  due_.emplace(std::pair{handle.at, handle.serial}, subject);
}

void Timers::cancel(Handle& handle) {
  due_.erase({handle.at, handle.serial});
  handle = {};
}

std::optional<Instant> Timers::next() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first.first;
}

std::optional<Timers::Subject> Timers::take_due(Instant now) {
  if (due_.empty() || due_.begin()->first.first > now) return std::nullopt;
  const Subject subject = due_.begin()->second;
  due_.erase(due_.begin());
  return subject;
}

}  // namespace assent::coordinator
