#pragma once

#include "protocol/base/crash_point.h"
#include "protocol/message/agent.h"

/// Which crash points a coordinator's requests and the agent's replies pass.

namespace assent::agent {

CrashPoint point_of(const AgentRequest& request);
PointsAround points_around(const AgentReply& reply);

}  // namespace assent::agent
