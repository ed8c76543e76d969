#pragma once

#include <optional>
#include <vector>

#include "coordinator/core/config.h"
#include "coordinator/core/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// What the core must know of its log's past before it serves.
struct Past {
  LogId log_id{};
  Epoch epoch{};
  std::optional<Gtrid> low_water;
  WallTime log_time;
  std::vector<CommitRecord> unfinished;
};

/// A configuration that drops a participant with unfinished branches is refused (section 6): nobody
/// would ever tell them. One sentence that names each; no effect.
Result<> check_past(const Config& config, const Past& past);

}  // namespace assent::coordinator
