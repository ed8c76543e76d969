#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

// The clock of a host, the one that people set: for a process that was started with environment()
// it is off by as much as is asked, from the next look on. The steady clock goes on as it does.
//
// A library of ours stands between that process and the C library (host_clock_preload.cc).
// libfaketime 0.9.10 will not do: it takes the absolute time of a timerfd for the faked one even if
// the timer is of the steady clock, so that the timer which Asio sets to "now" comes after ten days
// when the clock is set back by ten, or never when it is set forward (EINVAL).
namespace assent::live {

class HostClock {
 public:
  // It is kept in `file`, which set() makes.
  explicit HostClock(std::filesystem::path file) : file_(std::move(file)) {}

  // For all processes that have its environment. Throws SandboxError.
  void set(std::chrono::nanoseconds off) const;

  // After the first set(). Throws SandboxError when the library is not built.
  std::map<std::string, std::string> environment() const;

 private:
  std::filesystem::path file_;
};

// "+10d", "-3h", "+90s", "+5m", "+0". Throws SandboxError for anything else, and for more than
// 100 years.
std::chrono::nanoseconds parse_clock_offset(const std::string& text);

}  // namespace assent::live
