#include "participant_agents/server/hello_check.h"

#include <algorithm>
#include <cstdint>

#include "participant_agents/core/refusal.h"

namespace assent::agent {

bool same_token(std::string_view expected, std::string_view given) {
  if (expected.size() != given.size()) return false;
  // volatile: the compiler must not leave the loop at the first difference.
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference =
        static_cast<std::uint8_t>(difference | static_cast<std::uint8_t>(expected[i] ^ given[i]));
  }
  return difference == 0;
}

std::optional<Error> check_hello(const Options& options, const Hello& hello) {
  if (hello.version != kProtocolVersion) {
    return refusal(ErrorCode::kUnsupportedVersion,
                   "this agent speaks protocol version " + std::to_string(kProtocolVersion) +
                       ", not " + std::to_string(hello.version) + "; use the same release");
  }
  const auto known = std::find_if(
      options.coordinators.begin(), options.coordinators.end(),
      [&](const KnownCoordinator& coordinator) { return coordinator.name == hello.coordinator; });
  if (known == options.coordinators.end() || !same_token(known->token, hello.token)) {
    return refusal(ErrorCode::kUnauthorized,
                   "coordinator " + hello.coordinator +
                       " is not known to this agent by that token; give both the same token file "
                       "and name the coordinator in the agent's configuration");
  }
  if (hello.participant != options.database.participant) {
    return refusal(ErrorCode::kUnknownParticipant, "this agent serves participant " +
                                                       options.database.participant + ", not " +
                                                       hello.participant +
                                                       "; correct the address in the coordinator's "
                                                       "configuration");
  }
  return std::nullopt;
}

}  // namespace assent::agent
