// The log's own time (R15). It follows the wall clock while that goes like the steady one, and goes
// on by the steady one alone when it does not: so no jump forgets a key or lets one expire.

#include <algorithm>
#include <cstdlib>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/wording.h"

namespace assent::coordinator {
namespace {

constexpr std::int64_t kJumpMs = 60'000;  // R15

std::int64_t ms_between(WallTime from, WallTime to) {
  return to.ms_since_epoch - from.ms_since_epoch;
}

std::string ms_text(std::int64_t ms) {
  return age_text(std::chrono::milliseconds(std::abs(ms)));
}

}  // namespace

/// The log's time is all that tells how long the coordinator was away: a clock that says less than
/// nothing, or more than outcomes are kept, may have jumped meanwhile. Any other is followed at
/// once: the log is told before the first event how much of its time nobody measured.
void Coordinator::open_clock(WallTime log_time) {
  log_time_ = log_time;
  trusted_ = now_;
  if (log_time == WallTime{}) return;  // a new log
  const std::int64_t away = ms_between(log_time, now_.wall);
  if (away < -kJumpMs) {
    trusted_.wall = log_time;
    doubt_clock("the host's clock is " + ms_text(away) +
                " behind the time of the log's last record");
  } else if (away >
             std::chrono::duration_cast<std::chrono::milliseconds>(config_.retention).count()) {
    trusted_.wall = log_time;
    doubt_clock("the host's clock is " + ms_text(away) +
                " ahead of the time of the log's last record, more than the retention");
  }
  keep_time();
}

void Coordinator::keep_time() {
  const WallTime expected = trusted_.wall + (now_.steady - trusted_.steady);
  const std::int64_t jump = ms_between(expected, now_.wall);
  if (std::abs(jump) <= kJumpMs) {
    if (clock_) note(Note::Level::kInfo, "clock: it is right again");
    clock_.reset();
  } else if (!clock_) {
    doubt_clock("the host's clock jumped " + ms_text(jump) + (jump > 0 ? " ahead" : " back"));
  }
  log_time_ = std::max(log_time_, clock_ ? expected : now_.wall);
}

void Coordinator::doubt_clock(const std::string& what) {
  clock_ = Error{.code = ErrorCode::kHazard,
                 .effect = assent::Effect::kNone,
                 .message = what +
                            "; no new transaction with an idempotency key is taken until the clock "
                            "is set right, or a person says that it is: " +
                            command_to(Allowance::kClock)};
  note(Note::Level::kError, "clock: " + clock_->message);
}

Result<std::vector<std::string>> Coordinator::plan_trusting_clock() const {
  if (!clock_) return nothing_to_allow("the clock is not doubted");
  const std::int64_t ahead = ms_between(log_time_, now_.wall);
  return std::vector<std::string>{
      clock_->message,
      ahead > 0
          ? "the log's time goes on " + ms_text(ahead) +
                " later: keys whose not_after lies before that expire, and outcomes that are "
                "older than the retention may be removed"
          : "the log's time stands still for " + ms_text(ahead) +
                ", until the clock has caught up: keys whose not_after lies before it expire"};
}

void Coordinator::trust_clock() {
  clock_.reset();
  trusted_ = now_;
  log_time_ = std::max(log_time_, now_.wall);
}

}  // namespace assent::coordinator
