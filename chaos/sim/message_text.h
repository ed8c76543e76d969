#pragma once

#include <string>

#include "protocol/message/agent.h"

namespace assent::sim {

/// A few words, for who follows a run.
std::string text_of(const AgentRequest& request);
std::string text_of(const AgentReply& reply);

}  // namespace assent::sim
