#pragma once

#include <string_view>

/// Named places where a test can make the process die as if by SIGKILL: no destructor, no flush.
/// The environment chooses: ASSENT_CRASH_POINT=name:count dies at the count-th passing (count from
/// 1). Costs a pointer compare when the variable is not set.

namespace assent {

/// Any thread.
void crash_point(std::string_view name);

}  // namespace assent
