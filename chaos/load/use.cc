#include "chaos/load/use.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace assent::live {
namespace {

// 0: not there.
long status_value(pid_t pid, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stol(line.substr(key.size() + 1));
  }
  return 0;
}

}  // namespace

std::optional<workload::Use> use_of(pid_t pid) {
  std::error_code gone;
  long descriptors = 0;
  std::filesystem::directory_iterator at("/proc/" + std::to_string(pid) + "/fd", gone);
  for (; !gone && at != std::filesystem::directory_iterator(); at.increment(gone)) ++descriptors;
  const workload::Use use{status_value(pid, "VmRSS"), descriptors, status_value(pid, "Threads")};
  if (gone || use.memory_kb == 0) return std::nullopt;
  return use;
}

}  // namespace assent::live
