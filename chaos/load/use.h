#pragma once

#include <sys/types.h>

#include <optional>

#include "chaos/workload/health.h"

namespace assent::live {

// Whether the memory of a process of ours says what it holds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kMemoryTells = false;  // a sanitizer keeps freed memory back on purpose
#else
inline constexpr bool kMemoryTells = true;
#endif

// What a process holds, by /proc; empty when it is not there, or ends just now.
std::optional<workload::Use> use_of(pid_t pid);

}  // namespace assent::live
