#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/message/statement.h"

/// What a workload asks of the house. Every branch also leaves a row in the ledger of its
/// participant, which has no unique key: what was lost and what was doubled shows for each key, and
/// can't cancel out.

namespace assent::workload {

/// The row in one participant's ledger.
struct Mark {
  std::string participant;
  std::int64_t id = 0;      ///< of the row that the branch changes
  std::int64_t amount = 0;  ///< what it takes from it; below zero: what it gives

  friend bool operator==(const Mark&, const Mark&) = default;
};

/// Runs one statement of an interactive transaction.
using Execute = std::function<Result<StatementResult>(const Step&)>;
/// Says statement after statement, each as the answers before it demand. An error ends it, and the
/// transaction is rolled back. May be called again: a refused transaction is begun anew.
using Talk = std::function<Result<>(const Execute&)>;

struct Transaction {
  std::string key;          ///< idempotency key, and tx_key in the ledgers
  std::vector<Mark> marks;  ///< one for each participant; known before, whatever `talk` says
  std::vector<Step> steps;
  Talk talk;                 ///< instead of the steps; nullptr: the steps in their order
  bool interactive = false;  ///< statement by statement, also without a `talk`
};

/// All that is to be said before the commit.
Result<> carry_out(const Transaction& transaction, const Execute& execute);

/// INSERT INTO ledger: the mark.
Step mark_step(const std::string& key, const Mark& mark);

/// Takes the mark's amount from `column` of the row, which must not fall below zero (expect_rows
/// 1).
Step take_step(const Mark& mark, const std::string& table, const std::string& id,
               const std::string& column);

}  // namespace assent::workload
