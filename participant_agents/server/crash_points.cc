#include "participant_agents/server/crash_points.h"

#include <variant>

namespace assent::agent {

CrashPoint point_of(const AgentRequest& request) {
  if (std::holds_alternative<Work>(request.body)) return "agent.work.received";
  if (std::holds_alternative<Prepare>(request.body)) return "agent.prepare.received";
  if (std::holds_alternative<Commit>(request.body)) return "agent.commit.received";
  if (std::holds_alternative<Rollback>(request.body)) return "agent.rollback.received";
  return {};
}

PointsAround points_around(const AgentReply& reply) {
  if (std::holds_alternative<Worked>(reply.body))
    return {"agent.worked.before_send", "agent.worked.sent"};
  if (std::holds_alternative<Voted>(reply.body))
    return {"agent.vote.before_send", "agent.vote.sent"};
  if (std::holds_alternative<Finished>(reply.body))
    return {"agent.finished.before_send", "agent.finished.sent"};
  if (std::holds_alternative<PreparedList>(reply.body))
    return {"agent.list.before_send", "agent.list.sent"};
  if (std::holds_alternative<Inspected>(reply.body))
    return {"agent.inspected.before_send", "agent.inspected.sent"};
  return {};
}

}  // namespace assent::agent
