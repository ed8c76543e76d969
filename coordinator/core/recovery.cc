#include "coordinator/core/recovery.h"

#include <algorithm>
#include <map>
#include <string>

namespace assent::coordinator {

Epoch given_up_by(const HandRecord& allowed, Epoch opening) {
  return std::max(allowed.above, Epoch{static_cast<std::uint32_t>(opening) - 1});
}

Result<> check_past(const Config& config, const Past& past) {
  std::map<std::string, std::size_t> dropped;
  for (const CommitRecord& record : past.unfinished) {
    for (const DecidedBranch& branch : record.branches) {
      const auto& known = config.participants;
      if (std::find(known.begin(), known.end(), branch.xid.bqual) == known.end()) {
        ++dropped[branch.xid.bqual];
      }
    }
  }
  if (dropped.empty()) return {};
  std::string message =
      "committed branches are unfinished at participants that are not configured:";
  for (const auto& [name, count] : dropped) {
    message += " " + name + " (" + std::to_string(count) + ")";
  }
  message += "; configure them again until `assentctl list` is empty";
  return Error{.code = ErrorCode::kInvalid, .effect = assent::Effect::kNone, .message = message};
}

}  // namespace assent::coordinator
