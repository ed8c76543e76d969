#pragma once

#include <map>
#include <string>
#include <vector>

#include "participant_agents/rm/link.h"
#include "protocol/base/result.h"
#include "protocol/message/admin.h"

namespace assent::rm {

/// Whom each prepared branch of this database holds up, by gid; branches that hold up nobody are
/// not there. A prepared transaction has no session, so pg_blocking_pids calls it 0 (F 4): its
/// locks are those that have the virtual transaction of its own id's lock, before and after a
/// restart of the server. What waits behind a session that waits counts too.
Result<std::map<std::string, std::vector<BlockedSession>>> find_blocked(Link& link);

}  // namespace assent::rm
