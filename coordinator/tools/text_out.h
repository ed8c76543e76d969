#pragma once

#include <string>

#include "protocol/message/client.h"

/// What people read. Every text ends its last line.

namespace assent::tools {

std::string to_text(const Answer& answer);
std::string to_text(const TransactionList& list);
std::string to_text(const ParticipantList& list);
std::string to_text(const Error& error);

// ---- for people in trouble (text_admin.cc)
std::string to_text(const InDoubtList& list);
std::string to_text(const StoryTold& story);
std::string to_text(const CoordinatorStatus& status);
std::string to_text(const LogStats& log);
/// `again`: the command that does what was only planned.
std::string to_text(const ActionTold& action, const std::string& again);

}  // namespace assent::tools
