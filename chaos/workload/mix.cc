#include "chaos/workload/mix.h"

#include <utility>

#include "protocol/base/check.h"

namespace assent::workload {
namespace {

constexpr std::uint64_t kAgainOneIn = 10;

void add(std::vector<Violation>& all, std::vector<Violation> more) {
  for (Violation& each : more) all.push_back(std::move(each));
}

}  // namespace

Mix::Mix(std::vector<std::unique_ptr<Workload>> workloads, std::uint64_t seed)
    : workloads_(std::move(workloads)), random_(seed) {}

Transaction Mix::next() {
  if (!last_ || !random_.one_in(kAgainOneIn)) last_ = random_.one_of(workloads_)->draw(random_);
  return *last_;
}

std::vector<Violation> check(const std::vector<std::unique_ptr<Workload>>& workloads,
                             const std::vector<Evidence>& before, const History& history,
                             const std::vector<Evidence>& after, const Damaged& damaged) {
  ASSENT_CHECK(before.size() == workloads.size() && after.size() == workloads.size());
  std::vector<Violation> found;
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const History part = history.of(workloads[i]->name() + "-");
    add(found, check_rows(part, after[i], damaged));
    add(found, workloads[i]->check_state(before[i], part, after[i], damaged));
  }
  return found;
}

}  // namespace assent::workload
