#include "participant_agents/rm/resource_manager.h"

#include <algorithm>

#include "participant_agents/rm/mariadb.h"
#include "participant_agents/rm/postgres.h"

namespace assent::rm {
namespace {

bool is_missing(const FenceRow& row, const Fence& fence) {
  if (row.epoch >= fence.epoch) return false;
  const auto next = std::find_if(fence.held.begin(), fence.held.end(),
                                 [&row](const HeldTop& one) { return one.epoch > row.epoch; });
  return row.top > (next == fence.held.end() ? 0 : next->top);
}

}  // namespace

FenceAnswer answer_of(const std::vector<FenceRow>& rows, const Fence& fence) {
  FenceAnswer answer;
  for (const FenceRow& row : rows) {
    if (row.log_id == fence.log_id) {
      answer.top = row.top;
      answer.missing = is_missing(row, fence);
    } else if (answer.others.size() < kOtherLogsMax) {
      answer.others.push_back({row.log_id, row.top});
    }
  }
  return answer;
}

std::unique_ptr<ResourceManager> make_resource_manager(const Settings& settings) {
  return settings.kind == Kind::kPostgres ? make_postgres(settings) : make_mariadb(settings);
}

}  // namespace assent::rm
