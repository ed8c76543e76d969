#pragma once

#include "coordinator/core/recovery.h"
#include "protocol/message/admin.h"

namespace assent::coordinator {

/// What a record of the log says, in a plain sentence.
StoryLine line_of(const ToldRecord& told);

}  // namespace assent::coordinator
