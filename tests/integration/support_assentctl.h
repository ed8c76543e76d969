#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/integration/support_house.h"

/// assentctl, as a person types it.

namespace assent::testing {

// Exit statuses (docs/ASSENTCTL.md).
inline constexpr int kDone = 0;
inline constexpr int kUnknown = 3;
inline constexpr int kRefused = 4;

inline live::CommandResult assentctl(House& house, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), ASSENT_BINARY_DIR "/coordinator/tools/assentctl");
  live::ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.environment["ASSENT_COORDINATOR"] = house.sandbox().coordinator_address();
  return live::run_command(spec, {}, kPatience);
}

}  // namespace assent::testing
