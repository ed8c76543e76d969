#pragma once

#include <string>

#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

namespace assent::sim {

/// A few words, for who follows a run.
std::string text_of(const AgentRequest& request);
std::string text_of(const AgentReply& reply);

/// The branch that a sentence of the coordinator begins with: "xid=... ".
Xid xid_in(const std::string& sentence);

}  // namespace assent::sim
