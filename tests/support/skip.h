#pragma once

#include <string>

namespace assent::testing {

/// The running test case, or a part of it, can't be run here, for want of a right or of something
/// that is not installed. Says why; the caller returns. When nothing fails, the whole program of
/// tests counts as skipped, so that nobody takes what was not run for passed.
void skip(const std::string& why);

bool has_skipped();

}  // namespace assent::testing
