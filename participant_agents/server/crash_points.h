#pragma once

#include <string_view>

/// The places where a test can make assent-agentd die as if by SIGKILL
/// (protocol/base/crash_point.h), in the order in which one payment passes them.

namespace assent::agent::crash {

/// A hello is right, its fence row not raised yet.
inline constexpr std::string_view kFenceBefore = "agent.fence.before";
/// Raised, and nothing answered.
inline constexpr std::string_view kFenceAfter = "agent.fence.after";
inline constexpr std::string_view kWelcomeBeforeSend = "agent.welcome.before_send";
/// On the session's thread: nothing was sent to the database ...
inline constexpr std::string_view kWorkBefore = "agent.work.before";
/// ... and it has answered: open, prepared or rolled back.
inline constexpr std::string_view kWorkAfter = "agent.work.after";
/// The same for a Prepare of its own.
inline constexpr std::string_view kPrepareBefore = "agent.prepare.before";
inline constexpr std::string_view kPrepareAfter = "agent.prepare.after";
inline constexpr std::string_view kVoteBeforeSend = "agent.vote.before_send";
/// Phase two, on the session's thread.
inline constexpr std::string_view kCommitBefore = "agent.commit.before";
inline constexpr std::string_view kCommitAfter = "agent.commit.after";
inline constexpr std::string_view kRollbackBefore = "agent.rollback.before";
inline constexpr std::string_view kRollbackAfter = "agent.rollback.after";
inline constexpr std::string_view kFinishedBeforeSend = "agent.finished.before_send";

}  // namespace assent::agent::crash
