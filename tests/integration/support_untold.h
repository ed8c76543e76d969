#pragma once

#include <stdexcept>
#include <string>

#include "tests/integration/support_house.h"

/// The state that recovery is for: decided, and one participant has not been told.

namespace assent::testing {

/// A payment that is decided, and not told at `payments`: its agent dies with the commit in hand
/// and stays away.
inline std::string decided_and_untold(House& house, std::int64_t card) {
  house.kill("agent-payments");
  live::Service& agent = house.sandbox().agent("payments");
  agent.launch({{"ASSENT_CRASH_POINT", "agent.commit.before:1"}});
  Answer answer;
  const auto pay = [&] {  // without any effect until the new agent is linked
    Submission submission = House::submission(house.payment(card, 10));
    submission.wait = WaitFor::kDecided;
    answer = house.client().submit(submission);
    return answer.outcome == Outcome::kCommitted;
  };
  const auto is_gone = [&agent] { return !agent.is_running(); };
  if (!comes_true(pay) || !comes_true(is_gone))
    throw std::runtime_error("the payment is not decided and untold");
  return to_string(*answer.gtrid);
}

inline void start_payments_again(House& house) {
  house.kill("agent-payments");
  house.sandbox().start("agent-payments");
}

}  // namespace assent::testing
