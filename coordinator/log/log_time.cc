#include "coordinator/log/log_time.h"

namespace assent::coordinator {
namespace {

constexpr int kRecordsPerRetention = 8;  // at least, where nothing else is written
// Shorter than that is no jump (R15), and every start would cost a checkpoint.
constexpr std::int64_t kAwayMs = 60'000;

}  // namespace

std::uint64_t unproved_ms(WallTime log_time, WallTime now) {
  const std::int64_t away = now.ms_since_epoch - log_time.ms_since_epoch;
  return away < kAwayMs ? 0 : static_cast<std::uint64_t>(away);
}

bool is_time_due(WallTime log_time, WallTime now, Duration retention) {
  return now >= log_time + retention / kRecordsPerRetention;
}

}  // namespace assent::coordinator
