#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assent {

/// Well-formed UTF-8 (RFC 3629: shortest forms only, no surrogates, up to U+10FFFF). Any thread.
bool is_utf8(std::string_view text);

/// For text that only people read, such as a database's error message cut in the middle of a
/// character: ill-formed bytes become `?`, and what is longer than `bytes_max` ends at the last
/// whole character before it.
std::string made_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace assent
