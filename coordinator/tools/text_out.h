#pragma once

#include <string>

#include "protocol/message/client.h"

/// What people read. Every text ends its last line.

namespace assent::tools {

std::string to_text(const Answer& answer);
std::string to_text(const TransactionList& list);
std::string to_text(const TransactionSummary& transaction);
std::string to_text(const ParticipantList& list);
std::string to_text(const Error& error);

}  // namespace assent::tools
