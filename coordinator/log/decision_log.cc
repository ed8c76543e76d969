#include "coordinator/log/decision_log.h"

#include <algorithm>

namespace assent::coordinator {

Past past_of(const LogOpening& opening) {
  Past past;
  past.log_id = opening.log_id;
  past.epoch = opening.epoch;
  past.log_time = opening.log_time;
  past.unfinished = opening.unfinished;
  past.unfinished_at = opening.unfinished_at;
  past.damaged = opening.damaged;
  past.damaged_at = opening.damaged_at;
  past.violation_allowed = opening.violation_allowed;
  past.ends_missing_below = opening.ends_missing_below;
  past.newest = opening.newest;
  past.by_hand = opening.by_hand;
  past.taken_back = opening.taken_back;
  past.missing = opening.missing;
  past.missing_to = opening.missing_to;
  past.given_up_to = opening.given_up_to;
  past.given_up_logs = opening.given_up_logs;
  past.given_up_epoch = opening.given_up_epoch;
  return past;
}

Hello hello_of(const LogOpening& opening, std::uint64_t given_up_to) {
  Hello hello;
  hello.log_id = opening.log_id;
  hello.epoch = opening.epoch;
  hello.opening_nonce = opening.nonce;
  hello.held = opening.held;
  for (HeldTop& one : hello.held) one.top = std::max(one.top, given_up_to);
  return hello;
}

}  // namespace assent::coordinator
