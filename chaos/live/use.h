#pragma once

#include <sys/types.h>

#include <optional>

#include "chaos/workload/health.h"

namespace assent::live {

// What a process holds, by /proc; empty when it is not there, or ends just now.
std::optional<workload::Use> use_of(pid_t pid);

}  // namespace assent::live
