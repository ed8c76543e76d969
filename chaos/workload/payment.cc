#include "chaos/workload/payment.h"

#include <utility>

namespace assent::workload {
namespace {

Step step(const Leg& leg, const char* sql, std::vector<Value> params) {
  Step step;
  step.participant = leg.participant;
  step.statement.sql = sql;
  step.statement.params = std::move(params);
  step.statement.expect_rows = 1;
  return step;
}

const char* lower_sql(Balance balance) {
  switch (balance) {
    case Balance::kPoints:
      return "UPDATE card SET points = points - ? WHERE id = ? AND points >= ?";
    case Balance::kDue:
      return "UPDATE bill SET due = due - ? WHERE card_id = ? AND due >= ?";
  }
  return "";  // every enumerator has returned
}

}  // namespace

Payment point_payment(std::string key, std::int64_t card, std::int64_t amount) {
  return {std::move(key),
          amount,
          {{"points", Balance::kPoints, card}, {"payments", Balance::kDue, card}}};
}

std::vector<Step> steps_of(const Payment& payment) {
  std::vector<Step> steps;
  for (const Leg& leg : payment.legs) {
    steps.push_back(step(leg, lower_sql(leg.balance), {payment.amount, leg.id, payment.amount}));
    steps.push_back(step(leg, "INSERT INTO ledger (tx_key, card_id, amount) VALUES (?, ?, ?)",
                         {payment.key, leg.id, payment.amount}));
  }
  return steps;
}

}  // namespace assent::workload
