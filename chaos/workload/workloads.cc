#include "chaos/workload/workloads.h"

namespace assent::workload {

std::vector<Violation> Workload::check_state(const Evidence& before, const History& history,
                                             const Evidence& after, const Damaged& damaged) const {
  return check_balances(before, history, after, damaged);
}

std::vector<std::unique_ptr<Workload>> make_workloads(
    const std::vector<std::string>& participants) {
  std::vector<std::unique_ptr<Workload>> all;
  all.push_back(make_points(participants));
  all.push_back(make_transfers(participants));
  all.push_back(make_ring(participants));
  return all;
}

}  // namespace assent::workload
