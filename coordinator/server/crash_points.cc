#include "coordinator/server/crash_points.h"

#include <variant>

#include "coordinator/server/overloaded.h"

namespace assent::coordinator {
namespace {

CrashPoint point_of(const ClientRequest& request) {
  using Point = CrashPoint;
  return std::visit(
      Overloaded{
          [](const Submit&) { return Point("coordinator.submit.received"); },
          [](const Begin&) { return Point("coordinator.begin.received"); },
          [](const Execute&) { return Point("coordinator.execute.received"); },
          [](const CommitTransaction&) { return Point("coordinator.commit_request.received"); },
          [](const RollbackTransaction&) { return Point("coordinator.rollback_request.received"); },
          [](const OutcomeOf& it) {
            return it.settle ? Point("coordinator.settle.received") : Point();
          },
          [](const RetryTransaction&) { return Point("coordinator.retry.received"); },
          [](const ResolveTransaction&) { return Point("coordinator.resolve.received"); },
          [](const ForgetDamage&) { return Point("coordinator.forget.received"); },
          [](const Allow&) { return Point("coordinator.allow.received"); },
          [](const BackUpLog&) { return Point("coordinator.backup.received"); },
          [](const auto&) { return Point(); }},
      request);
}

CrashPoint point_of(const Voted& voted) {
  if (voted.vote == Vote::kPrepared || voted.vote == Vote::kReadOnly)
    return "coordinator.vote.received";
  return "coordinator.no_vote.received";
}

CrashPoint point_of(const Finished& finished) {
  if (finished.told == Decision::kCommit) return "coordinator.committed.received";
  return "coordinator.rolled_back.received";
}

CrashPoint point_of(const AgentReply& reply) {
  using Point = CrashPoint;
  return std::visit(
      Overloaded{[](const Worked&) { return Point("coordinator.worked.received"); },
                 [](const Voted& it) { return point_of(it); },
                 [](const Finished& it) { return point_of(it); },
                 [](const PreparedList&) { return Point("coordinator.list.received"); },
                 [](const Inspected&) { return Point("coordinator.inspected.received"); },
                 [](const Pong&) { return Point(); }},
      reply.body);
}

PointsAround points_around(const Answer& answer) {
  switch (answer.outcome) {
    case Outcome::kCommitted:
      return {"coordinator.committed.before_answer", "coordinator.committed.answered"};
    case Outcome::kRolledBack:
      return {"coordinator.rolled_back.before_answer", "coordinator.rolled_back.answered"};
    case Outcome::kRefused:
      return {"coordinator.refused.before_answer", "coordinator.refused.answered"};
    default:
      return {};
  }
}

}  // namespace

CrashPoint point_of(const Event& event) {
  using Point = CrashPoint;
  return std::visit(
      Overloaded{[](const ClientRequested& it) { return point_of(it.body); },
                 [](const ClientSessionClosed&) { return Point("coordinator.session.lost"); },
                 [](const AgentConnected&) { return Point("coordinator.welcome.received"); },
                 [](const AgentDisconnected&) { return Point("coordinator.link.lost"); },
                 [](const AgentReplied& it) { return point_of(it.reply); },
                 [](const LogDurable&) { return Point("coordinator.durable.received"); },
                 [](const DecisionFound&) { return Point("coordinator.orphan.looked_up"); },
                 [](const auto&) { return Point(); }},
      event);
}

CrashPoint point_of(const Record& record) {
  using Point = CrashPoint;
  return std::visit(
      Overloaded{
          [](const CommitRecord&) { return Point("coordinator.commit_record.before"); },
          [](const RollbackRecord&) { return Point("coordinator.rollback_record.before"); },
          [](const HeuristicRecord&) { return Point("coordinator.heuristic_record.before"); },
          [](const HandRecord&) { return Point("coordinator.hand_record.before"); },
          [](const EndRecord&) { return Point("coordinator.end_record.appended"); },
          [](const LossRecord&) { return Point("coordinator.loss_record.appended"); }},
      record);
}

PointsAround points_around(const AgentRequest& request) {
  using Points = PointsAround;
  return std::visit(
      Overloaded{[](const Work&) {
                   return Points{"coordinator.work.before_send", "coordinator.work.sent"};
                 },
                 [](const Prepare&) {
                   return Points{"coordinator.prepare.before_send", "coordinator.prepare.sent"};
                 },
                 [](const Commit&) {
                   return Points{"coordinator.commit.before_send", "coordinator.commit.sent"};
                 },
                 [](const Rollback&) {
                   return Points{"coordinator.rollback.before_send", "coordinator.rollback.sent"};
                 },
                 [](const ListPrepared&) {
                   return Points{"coordinator.list.before_send", "coordinator.list.sent"};
                 },
                 [](const ForgetWitnesses&) {
                   return Points{"coordinator.forget_witnesses.before_send",
                                 "coordinator.forget_witnesses.sent"};
                 },
                 [](const Inspect&) {
                   return Points{"coordinator.inspect.before_send", "coordinator.inspect.sent"};
                 },
                 [](const Ping&) { return Points{}; }},
      request.body);
}

PointsAround points_around(const ClientReply& reply) {
  using Points = PointsAround;
  return std::visit(
      Overloaded{
          [](const Answer& it) { return points_around(it); },
          [](const Begun&) {
            return Points{"coordinator.begun.before_answer", "coordinator.begun.answered"};
          },
          [](const Executed&) {
            return Points{"coordinator.executed.before_answer", "coordinator.executed.answered"};
          },
          [](const ActionTold&) {
            return Points{"coordinator.action.before_answer", "coordinator.action.answered"};
          },
          [](const auto&) { return Points{}; }},
      reply);
}

}  // namespace assent::coordinator
