#include "tests/bench/cpu_time.h"

#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "chaos/sandbox/process.h"

namespace assent::bench {
namespace {

/// utime, stime and those of children waited for: fields 14 to 17 of proc(5)'s /proc/PID/stat.
/// nullopt: it has ended.
std::optional<double> ticks_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (!file || name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double sum = 0;
  for (int field = 14; field <= 17; ++field) {
    double ticks = 0;
    fields >> ticks;
    sum += ticks;
  }
  return sum;
}

/// A child that ends meanwhile counts with its parent from then on.
double ticks_below(pid_t process) {
  double sum = 0;
  for (const pid_t child : live::children_of(process))
    sum += ticks_of(child).value_or(0) + ticks_below(child);
  return sum;
}

}  // namespace

double cpu_us_of_tree(pid_t process) {
  const auto ticks = ticks_of(process);
  if (!ticks) throw std::runtime_error("no process " + std::to_string(process));
  return (*ticks + ticks_below(process)) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace assent::bench
