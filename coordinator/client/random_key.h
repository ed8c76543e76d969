#pragma once

#include <string>

namespace assent {

/// A key that nobody else has: 128 bits from the system, as hex. Any thread.
std::string random_key();

}  // namespace assent
