#pragma once

#include <cstdint>

#include "protocol/base/time.h"

/// How the log keeps its own time where nobody appends (R15). Pure functions: any thread.

namespace assent::coordinator {

/// The coordinator begins at `now`: so long ago the newest record was written as only the host's
/// clock says. 0: it is too short to matter.
std::uint64_t unproved_ms(WallTime log_time, WallTime now);

/// Nothing was written for so long that the log has to write its time, so that what is old can go.
bool is_time_due(WallTime log_time, WallTime now, Duration retention);

}  // namespace assent::coordinator
