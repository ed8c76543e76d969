#pragma once

#include "chaos/campaign/house.h"

namespace assent::live {

// A sandbox of three participants, a PostgreSQL more than MariaDBs, with what the faults of these
// names need: empty: all that there are. It is gone with this object. Throws SandboxError.
std::unique_ptr<House> make_sandbox_house(const std::vector<std::string>& faults);

}  // namespace assent::live
