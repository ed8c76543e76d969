#pragma once

#include <string>
#include <string_view>

namespace assent::testing {

// Bytes of tests/log/testdata/<name>.hex: hex digits, with `#` beginning a comment. These files are
// the format; there is no switch that rewrites them.
std::string read_golden(std::string_view name);

// Lines of 16 bytes, as the files have them.
std::string to_hex(std::string_view bytes);

}  // namespace assent::testing
