#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/message/statement.h"

namespace assent {

using RequestHash = std::array<std::uint8_t, 32>;

/// What decides whether a repeat of an idempotency key is the same request: SHA-256 over the
/// canonical encoding of docs/PROTOCOL.md (R15). Kept in log records: the encoding never changes.
/// Any thread.
RequestHash request_hash(const std::vector<Step>& steps, std::optional<WallTime> not_after);

}  // namespace assent
