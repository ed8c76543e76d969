#pragma once

#include <string>

#include "protocol/message/client.h"

/// What --json prints: one object on one line.

namespace assent::tools {

/// {"gtrid":.., "outcome":.., "applied":.., "pending":[..], "results":[..], "error":{..}}; gtrid
/// and error are null when there is none.
std::string to_json(const Answer& answer);
std::string to_json(const TransactionList& list);
std::string to_json(const TransactionSummary& transaction);
std::string to_json(const ParticipantList& list);
/// {"error":{..}}: the question could not be asked.
std::string to_json(const Error& error);

}  // namespace assent::tools
