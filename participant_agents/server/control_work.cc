#include "participant_agents/server/control_work.h"

#include <algorithm>
#include <utility>

#include "protocol/base/crash_point.h"

namespace assent::agent {
namespace {

rm::Fence row_of(const FenceTop& top) {
  return {top.coordinator, top.log_id, top.epoch, top.opening_nonce,
          top.log_top,     top.held,   top.left};
}

}  // namespace

FenceRaised raise_fence(rm::Control& control, const RaiseFence& raise) {
  FenceRaised raised;
  raised.link = raise.link;
  crash_point("agent.fence.before");
  auto answer = control.raise_fence(row_of(raise.fence));
  crash_point("agent.fence.after");
  if (!answer) {
    raised.error = answer.error();
    return raised;
  }
  raised.top = answer->top;
  raised.epoch = answer->epoch;
  raised.missing = answer->missing;
  raised.others = std::move(answer->others);
  raised.error = std::move(answer->refused);
  if (raised.error) return raised;
  if (auto identity = control.identity()) {
    raised.database = std::move(*identity);
  } else {
    raised.error = identity.error();
  }
  return raised;
}

ListEnded list_prepared(rm::Control& control, const StartList& list) {
  ListEnded ended;
  ended.link = list.link;
  ended.scan = list.scan;
  crash_point("agent.list.before");
  if (list.fence) {
    auto raised = control.raise_fence(row_of(*list.fence));
    ended.error = raised ? std::move(raised->refused) : raised.error();
    ended.put_back = raised && raised->put_back;
    if (ended.error) return ended;
    ended.fence_top = std::max(raised->top, list.fence->log_top);
    crash_point("agent.list.fence_raised");
  }
  if (auto scan = control.list_prepared(list.logs)) {
    ended.branches = std::move(scan->branches);
    ended.foreign = scan->foreign;
  } else {
    ended.error = scan.error();
  }
  crash_point("agent.list.after");
  return ended;
}

}  // namespace assent::agent
