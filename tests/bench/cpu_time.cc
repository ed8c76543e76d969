#include "tests/bench/cpu_time.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "chaos/sandbox/process.h"

namespace assent::bench {
namespace {

/// utime, stime and those of children waited for: fields 14 to 17 of proc(5)'s /proc/PID/stat.
double ticks_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (!file || name_end == std::string::npos)
    throw std::runtime_error("no process " + std::to_string(process));
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

}  // namespace

double cpu_us_of_tree(pid_t process) {
  double us = ticks_of(process) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (const pid_t child : live::children_of(process)) us += cpu_us_of_tree(child);
  return us;
}

}  // namespace assent::bench
