#pragma once

#include <sys/types.h>

namespace assent::bench {

/// CPU microseconds that a process, its living children and the children it has waited for have
/// used so far, from /proc (in steps of one clock tick, 10 ms). Throws std::runtime_error when
/// there is no such process.
double cpu_us_of_tree(pid_t process);

}  // namespace assent::bench
