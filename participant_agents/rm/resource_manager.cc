#include "participant_agents/rm/resource_manager.h"

#include <algorithm>

#include "participant_agents/rm/mariadb.h"
#include "participant_agents/rm/postgres.h"
#include "protocol/base/mutant.h"

namespace assent::rm {
namespace {

/// A later opening, or one that took the place of an opening of the log that asks.
bool is_of_another(const FenceRow& row, const Fence& fence) {
  if (row.epoch > fence.epoch) return true;
  if (row.epoch == fence.epoch) return row.opening_nonce != fence.opening_nonce;
  return std::any_of(fence.held.begin(), fence.held.end(), [&row](const HeldTop& one) {
    return one.epoch == row.epoch && one.nonce != 0 && one.nonce != row.opening_nonce;
  });
}

bool is_missing(const FenceRow& row, const Fence& fence) {
  if (row.epoch >= fence.epoch) return false;
  const auto next = std::find_if(fence.held.begin(), fence.held.end(),
                                 [&row](const HeldTop& one) { return one.epoch > row.epoch; });
  return row.top > (next == fence.held.end() ? 0 : next->top);
}

/// The row as this agent has left it never goes away, and never back.
std::optional<Error> why_set_back(const FenceRow* row, const Fence& fence) {
  if (!fence.left) return std::nullopt;
  const auto text = [](Epoch epoch, std::uint64_t top) {
    return "record " + std::to_string(top) + " of epoch " +
           std::to_string(static_cast<std::uint32_t>(epoch));
  };
  if (row != nullptr && row->epoch >= fence.left->epoch && row->top >= fence.left->top)
    return std::nullopt;
  return Error{.code = ErrorCode::kDatabaseUnfit,
               .effect = Effect::kNone,
               .message = "the database was put back while the agent was at it: its fence row " +
                          (row == nullptr ? "is gone" : "says " + text(row->epoch, row->top)) +
                          ", and said " + text(fence.left->epoch, fence.left->top)};
}

}  // namespace

FenceAnswer answer_of(const std::vector<FenceRow>& rows, const Fence& fence) {
  FenceAnswer answer;
  const FenceRow* ours = nullptr;
  for (const FenceRow& row : rows) {
    if (row.log_id == fence.log_id) {
      ours = &row;
    } else if (answer.others.size() < kOtherLogsMax) {
      answer.others.push_back({row.log_id, row.top});
    }
  }
  answer.refused = why_set_back(ours, fence);
  answer.put_back = answer.refused.has_value();
  if (ours == nullptr) return answer;
  answer.top = ours->top;
  answer.epoch = ours->epoch;
  if (answer.refused) return answer;
  answer.deposed = is_of_another(*ours, fence) && !mutant("the epoch is ignored");
  answer.missing = !answer.deposed && is_missing(*ours, fence) && !mutant("fences miss nothing");
  answer.up_to_date = ours->epoch == fence.epoch && ours->opening_nonce == fence.opening_nonce &&
                      ours->top >= fence.log_top;
  return answer;
}

std::unique_ptr<ResourceManager> make_resource_manager(const Settings& settings) {
  return settings.kind == Kind::kPostgres ? make_postgres(settings) : make_mariadb(settings);
}

}  // namespace assent::rm
