#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "chaos/workload/workload.h"

namespace assent::workload {

/// What many clients ask for next: transactions of all workloads, in an order that is the seed's.
/// Now and then one is handed out again, so that two clients ask for the same key at once.
class Mix {
 public:
  Mix(std::vector<std::unique_ptr<Workload>> workloads, std::uint64_t seed);

  Transaction next();

  const std::vector<std::unique_ptr<Workload>>& workloads() const { return workloads_; }

 private:
  std::vector<std::unique_ptr<Workload>> workloads_;
  Random random_;
  std::optional<Transaction> last_;
};

/// check_rows for all that was asked, and check_state of each workload. `before` and `after` hold
/// what was read for each workload, in their order.
std::vector<Violation> check(const std::vector<std::unique_ptr<Workload>>& workloads,
                             const std::vector<Evidence>& before, const History& history,
                             const std::vector<Evidence>& after, const Damaged& damaged);

}  // namespace assent::workload
