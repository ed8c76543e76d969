#pragma once

#include <optional>
#include <string>

#include "coordinator/core/config.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/message/admin.h"
#include "protocol/message/client.h"

/// What is looked at before anything is done: who breaks a bound gets one sentence, no effect
/// (R14).

namespace assent::coordinator {

/// nullopt: nothing to complain of. Of a key that may be empty; all that may be said before the key
/// is looked up: what a key was answered stays its answer, whatever the configuration says now
/// (R15).
std::optional<Error> complaint_about_length(const std::string& key);
std::optional<Error> complaint_about(const Submit& submit, const Config& config, WallTime now);
std::optional<Error> complaint_about(const Begin& begin);
std::optional<Error> complaint_about(const Step& step, const Config& config);
/// Who acts says why, in words.
std::optional<Error> complaint_about(const ByHand& hand);
/// Of a request that is about a key, which can't do without one.
std::optional<Error> complaint_about_key(const std::string& key);

/// kInvalid, without effect.
Error invalid(std::string message);

/// What a caller's 0 means, and no more than the bound.
Duration timeout_or(Duration asked, Duration otherwise, Duration max);

}  // namespace assent::coordinator
