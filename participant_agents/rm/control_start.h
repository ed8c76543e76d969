#pragma once

#include <memory>
#include <span>
#include <utility>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/crash_point.h"

namespace assent::rm {

/// The start of an agent in the order that R9 and section 8 demand, whatever the database; how each
/// step is said is DatabaseControl's. Errors as in ResourceManager::take_control.
template <typename DatabaseControl>
Result<std::unique_ptr<DatabaseControl>> start_control(const Settings& settings,
                                                       std::span<const PinnedOption> pins,
                                                       Duration wait) {
  auto link = Link::open(settings, pins);
  if (!link) return link.error();
  crash_point("rm.control.connected");
  auto control = std::make_unique<DatabaseControl>(std::move(*link));
  if (const auto fit = control->check_server(); !fit) return fit.error();
  crash_point("rm.control.checked");
  if (const auto locked = control->take_lock(wait); !locked) return locked.error();
  crash_point("rm.control.locked");
  if (const auto alone = control->end_other_sessions(); !alone) return alone.error();
  crash_point("rm.control.alone");
  if (const auto made = control->create_schema(); !made) return made.error();
  crash_point("rm.control.schema_made");
  return control;
}

}  // namespace assent::rm
