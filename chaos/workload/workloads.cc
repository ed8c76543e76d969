#include "chaos/workload/workloads.h"

namespace assent::workload {

std::vector<Violation> Workload::check_state(const Evidence& before, const History& history,
                                             const Evidence& after, const Damaged& damaged) const {
  return check_balances(before, history, after, damaged);
}

std::string Workload::next_key() {
  return name() + "-" + (run_.empty() ? "" : run_ + "-") + std::to_string(++drawn_);
}

std::vector<std::unique_ptr<Workload>> make_workloads(const std::vector<std::string>& participants,
                                                      const std::string& run) {
  std::vector<std::unique_ptr<Workload>> all;
  all.push_back(make_points(participants, run));
  all.push_back(make_transfers(participants, run));
  all.push_back(make_ring(participants, run));
  return all;
}

}  // namespace assent::workload
