#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assent::tools {

/// RFC 4648, with padding.
std::string to_base64(std::string_view bytes);
/// nullopt: other characters, or a length or padding that no bytes have.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace assent::tools
