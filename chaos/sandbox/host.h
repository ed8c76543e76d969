#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

// What processes see of their host, as far as we change it while they run: the clock that people
// set, and how the disk takes a sync. It holds for those that were started with environment(), from
// their next look on; everything else, the steady clock too, is as it is.
//
// A library of ours stands between them and the C library (host_preload.cc). For the clock
// libfaketime 0.9.10 will not do: it takes the absolute time of a timerfd for the faked one even if
// the timer is of the steady clock, so that the timer which Asio sets to "now" comes after ten days
// when the clock is set back by ten, or never when it is set forward (EINVAL).
namespace assent::live {

// What stands in the file that both sides share.
struct HostState {
  std::int64_t clock_off_ns = 0;
  std::int64_t sync_takes_ns = 0;  // longer than it would
  std::int64_t syncs_to_fail = 0;  // the next so many, with EIO
};

// From before it was asked for until it had returned, on the steady clock.
struct SyncOfLog {
  std::int64_t began_ns = 0;
  std::int64_t ended_ns = 0;
};

// Where they are noted, as they are in memory, beside the file of a Host.
inline constexpr const char* kSyncsSuffix = ".syncs";

class Host {
 public:
  // Its state is kept in `file`, made here. Throws SandboxError.
  explicit Host(std::filesystem::path file);

  // Throws SandboxError when the library is not built.
  std::map<std::string, std::string> environment() const;

  // Each at once. Throw SandboxError.
  void set_clock(std::chrono::nanoseconds off);
  void slow_syncs(std::chrono::nanoseconds by);
  void fail_syncs(int next);  // each of these is not synced

  // Of files named *.log, oldest first: those that have succeeded until now.
  std::vector<SyncOfLog> syncs_of_logs() const;

 private:
  void write(std::size_t offset, std::int64_t value) const;

  std::filesystem::path file_;
};

// "+10d", "-3h", "+90s", "+5m", "+0". Throws SandboxError for anything else, and for more than
// 100 years.
std::chrono::nanoseconds parse_clock_offset(const std::string& text);

}  // namespace assent::live
