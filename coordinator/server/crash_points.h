#pragma once

#include "coordinator/core/effects.h"
#include "coordinator/core/events.h"
#include "protocol/base/crash_point.h"

/// Which crash points the driver passes with what it carries to and fro.

namespace assent::coordinator {

CrashPoint point_of(const Event& event);
CrashPoint point_of(const Record& record);
PointsAround points_around(const AgentRequest& request);
PointsAround points_around(const ClientReply& reply);

}  // namespace assent::coordinator
