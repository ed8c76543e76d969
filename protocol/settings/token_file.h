#pragma once

#include <filesystem>
#include <string>

#include "protocol/base/result.h"

namespace assent::settings {

/// The secret that a coordinator shows to an agent: 16 to 1,024 characters, white space around them
/// left out. kInvalid for another size, and for a file that can't be read, or that others than its
/// owner may read: says what to do.
Result<std::string> read_token(const std::filesystem::path& file);

}  // namespace assent::settings
