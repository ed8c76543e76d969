#pragma once

#include <string_view>

/// The places in a session where a test can make an agent die as if by SIGKILL
/// (protocol/base/crash_point.h).

namespace assent::rm::crash {

/// The database has prepared a branch whose guard was not met or whose results are unfit: nobody
/// was told, and it is not undone yet.
inline constexpr std::string_view kBeforeUndoPrepared = "rm.before_undo_prepared";

}  // namespace assent::rm::crash
