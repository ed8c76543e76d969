#pragma once

#include <optional>

#include "coordinator/log/decision_log.h"
#include "coordinator/log/log_state.h"

/// What the records say of an opening of the log. Pure functions: any thread.

namespace assent::coordinator {

/// The epoch that the log is opened with. `lost`: this opening has found that records are missing;
/// they may have been openings. nullopt: it has been opened too often.
std::optional<Epoch> next_epoch(const LogState& state, bool lost);

/// After its record. The nonce, and the records that `unfinished` and `damaged` name, are left to
/// who can read them.
LogOpening opening_of(LogId log_id, const LogState& state);

}  // namespace assent::coordinator
