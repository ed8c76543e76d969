#include "coordinator/client/submission.h"

#include <utility>

namespace assent {

Submission::Added& Submission::Added::expect_rows(std::int64_t rows) {
  step().statement.expect_rows = rows;
  return *this;
}

Submission::Added& Submission::Added::read_only() {
  step().read_only = true;
  return *this;
}

Submission::Added& Submission::Added::shared_reads() {
  step().shared_reads = true;
  return *this;
}

Submission::Added Submission::step(std::string participant, std::string sql,
                                   std::vector<Value> params) {
  Step added;
  added.participant = std::move(participant);
  added.statement.sql = std::move(sql);
  added.statement.params = std::move(params);
  steps.push_back(std::move(added));
  return Added(steps, steps.size() - 1);
}

}  // namespace assent
