#include "chaos/faults/faults.h"

#include <algorithm>
#include <utility>

namespace assent::live {
namespace {

Faults make_all() {
  Faults all;
  all.push_back(make_kill());
  all.push_back(make_pause());
  all.push_back(make_restart());
  all.push_back(make_clock());
  all.push_back(make_foreign());
  all.push_back(make_exhausted());
  all.push_back(make_hand());
  all.push_back(make_old_log());
  all.push_back(make_old_database());
  all.push_back(make_no_connections());
  all.push_back(make_no_descriptors());
  all.push_back(make_power_cut());
  all.push_back(make_full_disk());
  all.push_back(make_slow_sync());
  all.push_back(make_failed_sync());
  for (auto& fault : make_faults_for_any_site()) all.push_back(std::move(fault));
  return all;
}

std::string names_of(const Faults& faults) {
  std::string names;
  for (const auto& each : faults) names += " " + each->name();
  return names;
}

}  // namespace

Faults choose_faults(Faults all, const std::vector<std::string>& names) {
  const std::string known = names_of(all);
  Faults chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const auto& each) { return each && each->name() == name; });
    if (found == all.end())
      throw SandboxError("there is no fault '" + name +
                         "', or it is named twice; there are:" + known);
    chosen.push_back(std::move(*found));
  }
  return chosen;
}

Faults make_faults(const std::vector<std::string>& names) {
  return names.empty() ? make_all() : choose_faults(make_all(), names);
}

Faults make_faults_for_any_site() {
  Faults all;
  all.push_back(make_idle());
  all.push_back(make_malformed());
  for (auto& fault : make_link_faults()) all.push_back(std::move(fault));
  return all;
}

}  // namespace assent::live
