#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "participant_agents/rm/link.h"
#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/base/xid.h"

namespace assent::rm {

/// Of so many branches at most the transaction is looked for in one inspection.
inline constexpr std::size_t kWitnessProbes = 8;

/// Fills in whom the listed branches hold up and how old they are, as far as MariaDB lets it be
/// told (Session::inspect); why it does not, into each of our branches. `listed` is how many names
/// XA RECOVER gave, ours are in their order of age. `open_second` opens a connection of the same
/// account; `say_wait` gives the statement that waits for a branch's witness row.
void tell_waits(Link& link, const std::function<Result<std::unique_ptr<Link>>()>& open_second,
                const std::function<std::string(const Xid&)>& say_wait, std::size_t listed,
                Inspection& found);

}  // namespace assent::rm
