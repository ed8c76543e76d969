#include "coordinator/log/decision_log.h"

#include <algorithm>

namespace assent::coordinator {

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
