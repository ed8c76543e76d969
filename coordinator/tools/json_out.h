#pragma once

#include <string>

#include "protocol/message/client.h"

/// What --json prints: one object on one line.

namespace assent::tools {

/// {"gtrid":.., "outcome":.., "applied":.., "pending":[..], "results":[..], "error":{..},
/// "damaged":[..]}; gtrid and error are null when there is none.
std::string to_json(const Answer& answer);
std::string to_json(const TransactionList& list);
std::string to_json(const ParticipantList& list);
/// {"error":{..}}: the question could not be asked.
std::string to_json(const Error& error);

// ---- for people in trouble (json_admin.cc)
std::string to_json(const InDoubtList& list);
/// The transaction with "story":[..]; without a transaction only that.
std::string to_json(const StoryTold& story);
std::string to_json(const CoordinatorStatus& status);
std::string to_json(const LogStats& log);
std::string to_json(const ActionTold& action);

}  // namespace assent::tools
