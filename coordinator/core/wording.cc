#include "coordinator/core/wording.h"

#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kStakesMax = 100;  // of a Finding

}  // namespace

std::string command_to(Allowance what, const std::string& participant) {
  std::string command = "assentctl allow " + std::string(to_string(what));
  if (!participant.empty()) command += " --participant " + participant;
  return with_reason(std::move(command));
}

std::string with_reason(std::string command) {
  return std::move(command) + " --reason \"WHY\"";
}

std::string command_to_resolve(const Gtrid& gtrid) {
  return with_reason("assentctl resolve " + to_string(gtrid) + " --rollback") + "  # or --commit";
}

std::string other_log_text(LogId log_id) {
  return "log " + to_string(log_id) + ", a lost log of this coordinator";
}

std::string_view to_string(HandAction action) {
  switch (action) {
    case HandAction::kResolve:
      return "resolve";
    case HandAction::kFinish:
      return "finish";
    case HandAction::kForget:
      return "forget";
    case HandAction::kAllow:
      return "allow";
  }
  check_failed(__FILE__, __LINE__, "a HandAction");
}

std::string age_text(Duration age) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  const auto count_of = [seconds](std::int64_t unit, const char* name) {
    return std::to_string(seconds / unit) + " " + name;
  };
  if (seconds < 120) return count_of(1, "s");
  if (seconds < 120 * 60) return count_of(60, "min");
  if (seconds < 48 * 3600) return count_of(3600, "h");
  return count_of(24 * 3600, "days");
}

std::string prepared_text(const PreparedBranch& listed, Duration since_listed) {
  std::string text = "xid=" + to_string(listed.xid) + " prepared";
  if (listed.age > Duration{0}) text += " " + age_text(listed.age + since_listed) + " ago";
  return text;
}

void add_stake(std::vector<std::string>& at_stake, std::string sentence) {
  if (at_stake.size() < kStakesMax) at_stake.push_back(std::move(sentence));
}

}  // namespace assent::coordinator
