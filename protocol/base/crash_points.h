#pragma once

#include <array>
#include <string_view>

/// Every place where a test can make a process of ours die (protocol/base/crash_point.h), so that
/// one can go through them all: area.what.when. Points of assentd are in the areas coordinator and
/// log, those of assent-agentd in agent and rm. A point stands where a death leaves something else
/// behind, on a disk, in a database or with whoever was told, than at the points around it.

namespace assent {

inline constexpr auto kCrashPoints = std::to_array<std::string_view>({
    // ---- starting and stopping
    "coordinator.start.listening",
    "coordinator.start.log_open",
    "coordinator.start.ready",
    "coordinator.stop.drained",
    "coordinator.stop.sessions_ended",

    // ---- what came from a client, before anything is done about it
    "coordinator.submit.received",
    "coordinator.begin.received",
    "coordinator.execute.received",
    "coordinator.commit_request.received",
    "coordinator.rollback_request.received",
    "coordinator.settle.received",
    "coordinator.retry.received",
    "coordinator.resolve.received",
    "coordinator.forget.received",
    "coordinator.allow.received",
    "coordinator.backup.received",
    "coordinator.session.lost",

    // ---- what goes to an agent; sent: its bytes have left
    "coordinator.hello.before_send",
    "coordinator.hello.sent",
    "coordinator.work.before_send",
    "coordinator.work.sent",
    "coordinator.prepare.before_send",
    "coordinator.prepare.sent",
    "coordinator.commit.before_send",
    "coordinator.commit.sent",
    "coordinator.rollback.before_send",
    "coordinator.rollback.sent",
    "coordinator.list.before_send",
    "coordinator.list.sent",
    "coordinator.forget_witnesses.before_send",
    "coordinator.forget_witnesses.sent",
    "coordinator.inspect.before_send",
    "coordinator.inspect.sent",

    // ---- what came from an agent
    "coordinator.welcome.received",
    "coordinator.link.lost",
    "coordinator.worked.received",
    "coordinator.vote.received",
    "coordinator.no_vote.received",
    "coordinator.committed.received",
    "coordinator.rolled_back.received",
    "coordinator.list.received",
    "coordinator.inspected.received",

    // ---- records, before they are handed to the log; unforced ones may stay there for long
    "coordinator.commit_record.before",
    "coordinator.rollback_record.before",
    "coordinator.heuristic_record.before",
    "coordinator.hand_record.before",
    "coordinator.end_record.appended",
    "coordinator.loss_record.appended",
    "coordinator.durable.received",

    // ---- what a scan found, before anything is done about it
    "coordinator.orphan.looked_up",

    // ---- what a client is told
    "coordinator.committed.before_answer",
    "coordinator.committed.answered",
    "coordinator.rolled_back.before_answer",
    "coordinator.rolled_back.answered",
    "coordinator.refused.before_answer",
    "coordinator.refused.answered",
    "coordinator.begun.before_answer",
    "coordinator.begun.answered",
    "coordinator.executed.before_answer",
    "coordinator.executed.answered",
    "coordinator.action.before_answer",
    "coordinator.action.answered",

    // ---- opening the log
    "log.folder.made",
    "log.folder.locked",
    "log.new_mark.written",
    "log.new_mark.renamed",
    "log.damaged_mark.kept",
    "log.database.before_open",
    "log.database.opened",
    "log.unread.marked",
    "log.unread.left_out",
    "log.file.kept",
    "log.file.made",
    "log.file.renamed",
    "log.opening.before_record",
    "log.opening.after_record",
    "log.origin.written",
    "log.origin.renamed",
    "log.doubts.settled",
    "log.old_mark.written",
    "log.old_mark.synced",

    // ---- writing it
    "log.write.before",
    "log.write.synced",
    "log.write.marked",
    "log.write.told",
    "log.mark.before_sync",
    "log.mark.synced",
    "log.checkpoint.before",
    "log.checkpoint.synced",

    // ---- verifying and removing behind the scenes
    "log.missing.before_record",
    "log.missing.recorded",
    "log.kept_files.before_removal",
    "log.kept_files.removed",
    "log.removal.before_checkpoint",
    "log.removal.before_piece",
    "log.removal.done",
    "log.space.before_freeing",
    "log.space.freed",

    // ---- copying it
    "log.copy.folder_made",
    "log.copy.marked",
    "log.copy.database_written",
    "log.copy.mark_written",
    "log.copy.named",

    // ---- an agent's start and end
    "agent.start.listening",
    "agent.start.in_control",
    "agent.start.serving",
    "agent.incarnation.ending",
    "agent.incarnation.over",
    "agent.stop.asked",
    "agent.stop.control_left",
    "rm.control.connected",
    "rm.control.checked",
    "rm.control.locked",
    "rm.control.alone",
    "rm.control.schema_made",
    "rm.takeover.recorded",
    "rm.schema.part_made",
    "rm.session.opened",

    // ---- what came from a coordinator, before anything is done about it
    "agent.hello.received",
    "agent.work.received",
    "agent.prepare.received",
    "agent.commit.received",
    "agent.rollback.received",
    "agent.link.gone",

    // ---- what it asks of its database, and when the database has answered
    "agent.fence.before",
    "agent.fence.after",
    "agent.list.before",
    "agent.list.fence_raised",
    "agent.list.after",
    "agent.work.before",
    "agent.work.after",
    "agent.prepare.before",
    "agent.prepare.after",
    "agent.open_rollback.before",
    "agent.open_rollback.after",
    "agent.commit.before",
    "agent.commit.after",
    "agent.rollback.before",
    "agent.rollback.after",
    "agent.witnesses.before",
    "agent.witnesses.after",
    "agent.inspect.before",
    "agent.inspect.after",
    "agent.session.cut",
    "agent.session.seen_gone",
    "rm.undo_prepared.before",
    "rm.undo_prepared.after",
    "rm.commit.looked",
    "rm.commit.answered",
    "rm.rollback.looked",

    // ---- what it tells its coordinator; sent: its bytes have left
    "agent.welcome.before_send",
    "agent.welcome.sent",
    "agent.worked.before_send",
    "agent.worked.sent",
    "agent.vote.before_send",
    "agent.vote.sent",
    "agent.finished.before_send",
    "agent.finished.sent",
    "agent.list.before_send",
    "agent.list.sent",
    "agent.inspected.before_send",
    "agent.inspected.sent",
});

}  // namespace assent
