#pragma once

#include <string>
#include <string_view>

#include "coordinator/client/submission.h"
#include "protocol/base/result.h"

namespace assent::tools {

/// A submit file (README): {"key":.., "wait":"decided|applied", "timeout_ms":..,
/// "not_after_ms":.., "steps":[{"participant":.., "sql":.., "params":[..], "expect_rows":..,
/// "read_only":.., "shared_reads":..}]}. Parameters are null, true, 5, 1.5, "text" and
/// {"bytes":"<base64>"}. kInvalid: names line and column of what is no JSON, or the key that is
/// wrong; unknown keys are wrong.
Result<Submission> read_submission(std::string_view json);

}  // namespace assent::tools
