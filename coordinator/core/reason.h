#pragma once

#include <optional>

#include "coordinator/core/record.h"
#include "protocol/base/outcome.h"
#include "protocol/base/result.h"

/// What a rollback means to its caller (R15). One table, so that "refused" and "rolled back" can't
/// drift apart.

namespace assent::coordinator {

/// kRolledBack: the transaction itself was at fault, or somebody asked for it; final for its key.
/// kRefused: this attempt had no effect (presumed abort makes its rollback certain), the key stays
/// free.
Outcome outcome_of_rollback(ErrorCode reason);

/// What the key of a durable record is answered: kRolledBack, or kExpired of a submit that came too
/// late.
Outcome outcome_of(const RollbackRecord& record);

/// The reason of a vote or answer that was not a yes: never without one, and always saying where.
Error reason_of(std::optional<Error> told, const std::string& participant);

/// Why an agent refuses a hello, or is not taken, that will not be better the next time.
bool needs_a_person(ErrorCode why);

}  // namespace assent::coordinator
