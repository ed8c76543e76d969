#pragma once

#include <memory>

#include "participant_agents/rm/resource_manager.h"

/// PostgreSQL 14 or later through psqlODBC: branches are prepared transactions, the proof of a
/// commit is the status of their transaction id (design section 6; F 1 to F 4).

namespace assent::rm {

std::unique_ptr<ResourceManager> make_postgres(const Settings& settings);

}  // namespace assent::rm
