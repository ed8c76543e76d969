#pragma once

#include "participant_agents/core/effects.h"
#include "participant_agents/core/events.h"
#include "participant_agents/rm/resource_manager.h"

/// What the control session does for the core: blocking calls, on whatever thread has the session.

namespace assent::agent {

FenceRaised raise_fence(rm::Control& control, const RaiseFence& raise);

/// Raises the fence row, if it is to be raised, then lists.
ListEnded list_prepared(rm::Control& control, const StartList& list);

}  // namespace assent::agent
