#include "chaos/workload/transaction.h"

#include <utility>

namespace assent::workload {
namespace {

Step step(const Mark& mark, std::string sql, std::vector<Value> params) {
  Step step;
  step.participant = mark.participant;
  step.statement.sql = std::move(sql);
  step.statement.params = std::move(params);
  step.statement.expect_rows = 1;
  return step;
}

}  // namespace

Result<> carry_out(const Transaction& transaction, const Execute& execute) {
  if (transaction.talk) return transaction.talk(execute);
  for (const Step& step : transaction.steps) {
    const auto result = execute(step);
    if (result.has_error()) return result.error();
  }
  return {};
}

Step mark_step(const std::string& key, const Mark& mark) {
  return step(mark, "INSERT INTO ledger (tx_key, card_id, amount) VALUES (?, ?, ?)",
              {key, mark.id, mark.amount});
}

Step take_step(const Mark& mark, const std::string& table, const std::string& id,
               const std::string& column) {
  return step(mark,
              "UPDATE " + table + " SET " + column + " = " + column + " - ? WHERE " + id +
                  " = ? AND " + column + " >= ?",
              {mark.amount, mark.id, mark.amount});
}

}  // namespace assent::workload
