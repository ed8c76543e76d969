#include "coordinator/core/config.h"

#include <set>
#include <string_view>

#include "protocol/base/xid.h"

namespace assent::coordinator {
namespace {

/// Collects one sentence for each violated bound.
class Complaints {
 public:
  void unless(bool holds, std::string_view sentence) {
    if (holds) return;
    if (!text_.empty()) text_ += ' ';
    text_ += sentence;
  }

  Result<> result() const {
    if (text_.empty()) return {};
    return Error{.code = ErrorCode::kInvalid, .effect = assent::Effect::kNone, .message = text_};
  }

 private:
  std::string text_;
};

}  // namespace

Result<> Config::validate() const {
  Complaints complaints;
  complaints.unless(!name.empty(), "The coordinator needs a name.");
  complaints.unless(!participants.empty(), "At least one participant is needed.");
  std::set<std::string_view> seen;
  for (const auto& participant : participants) {
    complaints.unless(is_participant_name(participant),
                      "Participant '" + participant +
                          "': a name is 1 to 32 of [a-z0-9_-] and begins with a letter.");
    complaints.unless(seen.insert(participant).second,
                      "Participant '" + participant + "' is named twice.");
  }
  constexpr Duration kZero{0};
  complaints.unless(transactions_max > 0, "transactions_max is at least 1.");
  complaints.unless(branches_per_participant_max > 0,
                    "branches_per_participant_max is at least 1.");
  complaints.unless(default_timeout > kZero && default_timeout <= timeout_max,
                    "default_timeout is more than 0 and at most timeout_max.");
  complaints.unless(interactive_timeout > kZero && interactive_timeout <= timeout_max,
                    "interactive_timeout is more than 0 and at most timeout_max.");
  complaints.unless(optimistic_lock_wait >= kZero && optimistic_lock_wait <= ordered_lock_wait,
                    "optimistic_lock_wait is at least 0 and at most ordered_lock_wait.");
  complaints.unless(ordered_lock_wait < default_timeout,
                    "ordered_lock_wait is less than default_timeout, so that a lock that never "
                    "comes is told as a conflict.");
  complaints.unless(retry_min > kZero && retry_min <= retry_max,
                    "retry_min is more than 0 and at most retry_max.");
  complaints.unless(scan_interval > kZero, "scan_interval is more than 0.");
  complaints.unless(retention > timeout_max, "retention is more than timeout_max.");
  return complaints.result();
}

}  // namespace assent::coordinator
