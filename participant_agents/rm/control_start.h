#pragma once

#include <memory>
#include <span>
#include <utility>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/resource_manager.h"

namespace assent::rm {

/// The start of an agent in the order that R9 and section 8 demand, whatever the database; how each
/// step is said is DatabaseControl's. Errors as in ResourceManager::take_control.
template <typename DatabaseControl>
Result<std::unique_ptr<DatabaseControl>> start_control(const Settings& settings,
                                                       std::span<const PinnedOption> pins,
                                                       Duration wait) {
  auto link = Link::open(settings, pins);
  if (!link) return link.error();
  auto control = std::make_unique<DatabaseControl>(std::move(*link));
  if (const auto fit = control->check_server(); !fit) return fit.error();
  if (const auto locked = control->take_lock(wait); !locked) return locked.error();
  if (const auto alone = control->end_other_sessions(); !alone) return alone.error();
  if (const auto made = control->create_schema(); !made) return made.error();
  return control;
}

}  // namespace assent::rm
