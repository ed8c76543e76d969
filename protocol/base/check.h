#pragma once

/// ASSENT_CHECK(condition): for what cannot be false in a correct program. It stays on in release
/// builds: a coordinator that has lost its own invariant must stop before it answers anybody (style
/// guide 7). Prints file, line and condition to standard error and aborts.

namespace assent {

[[noreturn]] void check_failed(const char* file, int line, const char* condition);

}  // namespace assent

#define ASSENT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::assent::check_failed(__FILE__, __LINE__, #condition))
