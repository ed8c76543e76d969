#pragma once

#include <string>
#include <string_view>

#include "coordinator/core/effects.h"

/// Effects of the coordinator core as text, one line each, for stories. All transactions in a story
/// are of one log, so a gtrid is `epoch.sequence`, such as `1.7`; one of another log `~1.7`.

namespace assent::coordinator {

inline constexpr LogId kStoryLog{0xA};
inline constexpr LogId kOtherLog{0xB};

std::string text(const Gtrid& gtrid);
Gtrid gtrid_from(std::string_view text);

/// Ends with a newline; more than one line for lists.
std::string text(const Effect& effect);

}  // namespace assent::coordinator
