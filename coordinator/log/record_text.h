#pragma once

#include <string>

#include "coordinator/log/record.h"

namespace assent::coordinator {

/// One line for people and grep: number, time, epoch, whether forced, what it is, the transaction,
/// and the rest as name=value. Text of callers and databases is quoted, and control characters in
/// it are escaped. No line break at its end.
std::string to_line(const StoredRecord& record);

}  // namespace assent::coordinator
