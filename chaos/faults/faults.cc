#include "chaos/faults/faults.h"

#include <algorithm>
#include <utility>

namespace assent::live {
namespace {

std::vector<std::unique_ptr<Fault>> make_all() {
  std::vector<std::unique_ptr<Fault>> all;
  all.push_back(make_kill());
  all.push_back(make_pause());
  all.push_back(make_restart());
  all.push_back(make_clock());
  all.push_back(make_idle());
  all.push_back(make_malformed());
  all.push_back(make_foreign());
  all.push_back(make_exhausted());
  all.push_back(make_hand());
  for (auto& fault : make_link_faults()) all.push_back(std::move(fault));
  all.push_back(make_power_cut());
  all.push_back(make_full_disk());
  all.push_back(make_slow_sync());
  all.push_back(make_failed_sync());
  return all;
}

}  // namespace

std::vector<std::unique_ptr<Fault>> make_faults(const std::vector<std::string>& names) {
  auto all = make_all();
  if (names.empty()) return all;
  std::vector<std::unique_ptr<Fault>> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const auto& each) { return each && each->name() == name; });
    if (found == all.end()) {
      std::string text = "there is no fault '" + name + "', or it is named twice; there are:";
      for (const auto& each : make_all()) text += " " + each->name();
      throw SandboxError(text);
    }
    chosen.push_back(std::move(*found));
  }
  return chosen;
}

}  // namespace assent::live
