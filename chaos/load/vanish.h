#pragma once

#include <chrono>
#include <string>

#include "chaos/workload/history.h"

namespace assent::live {

// A client that connects, begins to ask for the transaction, and is gone `after` so long: its
// connection is dropped before it asked for the commit, or after, with the answer under way. The
// history gets one unknown outcome.
void vanish(const std::string& coordinator, const workload::Transaction& transaction,
            std::chrono::milliseconds after, workload::History& history);

}  // namespace assent::live
