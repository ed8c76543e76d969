#pragma once

#include <optional>
#include <string_view>

#include "participant_agents/server/options.h"
#include "protocol/base/result.h"
#include "protocol/message/agent.h"

namespace assent::agent {

/// May this coordinator command us at all? nullopt: yes. Otherwise kUnsupportedVersion,
/// kUnauthorized (the same sentence for an unknown coordinator and a wrong token, so that names
/// can't be tried out) or kUnknownParticipant. Epochs are the fence row's business (R10).
std::optional<Error> check_hello(const Options& options, const Hello& hello);

/// In a time that depends on the lengths only.
bool same_token(std::string_view expected, std::string_view given);

}  // namespace assent::agent
