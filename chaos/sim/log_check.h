#pragma once

#include <set>
#include <string>
#include <vector>

#include "chaos/sim/database.h"
#include "chaos/sim/log.h"
#include "chaos/workload/checker.h"

namespace assent::sim {

/// Judges the log against the databases, when a run is over:
///   I5 no branch took effect twice
///   I7 the log's numbers are dense, unless it has lost some, and its epochs rise; there is one
///   decision for each gtrid and
///      one for each key; a branch took effect if and only if a commit in the log has it; its
///      witness row has gone only with the end in the log, that of the newest commit never
///   R15 nothing went before its end and its not_after were older than the retention, and the next
///   opening finds all that it should
///   I12 no heuristic outcome was recorded, but for branches in databases that were put back
std::vector<workload::Violation> check_log(LogDisk& disk,
                                           const std::vector<const Database*>& databases,
                                           const std::set<std::string>& put_back);

}  // namespace assent::sim
