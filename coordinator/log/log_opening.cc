#include "coordinator/log/log_opening.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace assent::coordinator {
namespace {

/// An epoch may have been used by what was lost, never this many of them.
constexpr std::uint32_t kEpochsLeftOut = 1'000'000;

}  // namespace

std::optional<Epoch> next_epoch(const LogState& state, bool lost) {
  const std::uint32_t step = lost || state.epochs_lost() ? kEpochsLeftOut : 1;
  const auto before = static_cast<std::uint32_t>(std::max(state.tail.epoch, state.above));
  if (before > std::numeric_limits<std::uint32_t>::max() - step) return std::nullopt;
  return Epoch{before + step};
}

LogOpening opening_of(LogId log_id, const LogState& state) {
  LogOpening opening;
  opening.log_id = log_id;
  for (const Missing& one : state.missing) {
    opening.ends_missing_below = std::max(opening.ends_missing_below, one.first);
    std::uint64_t& to = one.allowed ? opening.given_up_to : opening.missing_to;
    to = std::max(to, one.last);
    if (!one.allowed) opening.missing.push_back(text(one));
  }
  opening.epoch = state.tail.epoch;
  opening.top = state.tail.top;
  opening.held = state.held;
  opening.given_up_epoch = state.above;
  opening.given_up_logs = state.given_up_logs;
  opening.log_time = state.tail.log_time;
  opening.low_water = state.low_water;
  opening.violation_allowed = state.violation_allowed;
  for (const auto& [participant, commit] : state.newest) opening.newest.push_back(commit);
  opening.by_hand = state.by_hand;
  opening.taken_back = state.taken_back;
  return opening;
}

}  // namespace assent::coordinator
