#pragma once

#include <string_view>

/// The places where a test can make assentd die as if by SIGKILL (protocol/base/crash_point.h), in
/// the order in which one payment passes them.

namespace assent::coordinator::crash {

inline constexpr std::string_view kSubmitReceived = "coordinator.submit.received";
/// One message with work has left; counted for each branch.
inline constexpr std::string_view kWorkSent = "coordinator.work.sent";
inline constexpr std::string_view kVoteReceived = "coordinator.vote.received";
/// A decision is about to be handed to the log.
inline constexpr std::string_view kAppendBefore = "coordinator.append.before";
/// A decision is durable and nobody has been told.
inline constexpr std::string_view kDurableReceived = "coordinator.durable.received";
inline constexpr std::string_view kCommitBeforeSend = "coordinator.commit.before_send";
/// One commit message has left; counted for each branch.
inline constexpr std::string_view kCommitAfterSend = "coordinator.commit.after_send";
/// A client is about to be told an outcome.
inline constexpr std::string_view kAnswerBefore = "coordinator.answer.before";
inline constexpr std::string_view kAnswerAfter = "coordinator.answer.after";
/// One branch is finished; counted for each.
inline constexpr std::string_view kFinishedReceived = "coordinator.finished.received";
/// The end record is queued, not yet durable.
inline constexpr std::string_view kEndAppended = "coordinator.end.appended";

}  // namespace assent::coordinator::crash
