#include "chaos/workload/payment.h"

#include <utility>

namespace assent::workload {
namespace {

Mark mark_of(const Payment& payment, const Leg& leg) {
  return {leg.participant, leg.id, payment.amount};
}

Step lower_step(Balance balance, const Mark& mark) {
  return balance == Balance::kPoints ? take_step(mark, "card", "id", "points")
                                     : take_step(mark, "bill", "card_id", "due");
}

}  // namespace

Payment::operator Transaction() const {
  Transaction transaction;
  transaction.key = key;
  transaction.steps = steps_of(*this);
  for (const Leg& leg : legs) transaction.marks.push_back(mark_of(*this, leg));
  return transaction;
}

Payment point_payment(std::string key, std::int64_t card, std::int64_t amount) {
  return {std::move(key),
          amount,
          {{"points", Balance::kPoints, card}, {"payments", Balance::kDue, card}}};
}

std::vector<Step> steps_of(const Payment& payment) {
  std::vector<Step> steps;
  for (const Leg& leg : payment.legs) {
    const Mark mark = mark_of(payment, leg);
    steps.push_back(lower_step(leg.balance, mark));
    steps.push_back(mark_step(payment.key, mark));
  }
  return steps;
}

}  // namespace assent::workload
