#pragma once

#include "protocol/message/client.h"

/// What assentctl's exit status says (README).

namespace assent::tools {

enum class ExitStatus : int {
  kCommitted = 0,  ///< and: what was asked for was shown
  kRolledBack = 1,
  kBadInput = 2,  ///< wrong usage, or the request itself can't be right: no effect
  kUnknown = 3,   ///< or in progress: ask again
  kRefused = 4,   ///< or unreachable: nothing of this call had any effect
  kNoRecord = 5,
  kExpired = 6,
  kDamaged = 7,  ///< log verify: the log is not whole
};

ExitStatus status_of_submit(const Answer& answer);
/// Never kRefused: a key whose outcome could not be asked for is unknown.
ExitStatus status_of_outcome(const Answer& answer);

}  // namespace assent::tools
