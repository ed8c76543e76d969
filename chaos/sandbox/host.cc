#include "chaos/sandbox/host.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "chaos/sandbox/process.h"
#include "chaos/sandbox/programs.h"

namespace assent::live {
namespace {

constexpr std::int64_t kDaysMax = 36'500;

std::chrono::seconds unit_of(char letter) {
  switch (letter) {
    case 'd':
      return std::chrono::days(1);
    case 'h':
      return std::chrono::hours(1);
    case 'm':
      return std::chrono::minutes(1);
    case 's':
      return std::chrono::seconds(1);
    default:
      return {};
  }
}

}  // namespace

Host::Host(std::filesystem::path file) : file_(std::move(file)) {
  std::ofstream made(file_, std::ios::binary);
  const HostState nothing;
  made.write(reinterpret_cast<const char*>(&nothing), sizeof nothing);
  if (!made.flush()) throw SandboxError("cannot write " + file_.string());
}

std::map<std::string, std::string> Host::environment() const {
  return {{"LD_PRELOAD", find_built("libassent_host.so", "chaos/sandbox").string()},
          {"ASSENT_HOST", file_.string()}};
}

void Host::set_clock(std::chrono::nanoseconds off) {
  write(offsetof(HostState, clock_off_ns), off.count());
}

void Host::slow_syncs(std::chrono::nanoseconds by) {
  write(offsetof(HostState, sync_takes_ns), by.count());
}

void Host::fail_syncs(int next) {
  write(offsetof(HostState, syncs_to_fail), next);
}

std::vector<SyncOfLog> Host::syncs_of_logs() const {
  std::vector<SyncOfLog> syncs;
  std::ifstream file(file_.string() + kSyncsSuffix, std::ios::binary);
  for (SyncOfLog sync; file.read(reinterpret_cast<char*>(&sync), sizeof sync);)
    syncs.push_back(sync);
  return syncs;
}

// In place: who has the file mapped sees the old or the new value.
void Host::write(std::size_t offset, std::int64_t value) const {
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
      fd >= 0 && ::pwrite(fd, &value, sizeof value, static_cast<off_t>(offset)) == sizeof value;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!written) throw SandboxError("cannot write " + file_.string() + ": " + std::strerror(error));
}

std::chrono::nanoseconds parse_clock_offset(const std::string& text) {
  const SandboxError wrong("'" + text +
                           "' is no clock offset: write +10d, -3h, +5m, +90s or +0, up to " +
                           std::to_string(kDaysMax) + " days");
  if (text.size() < 2 || (text.front() != '+' && text.front() != '-')) throw wrong;
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + 1, end, count);
  const std::chrono::days most(kDaysMax);
  if (error != std::errc() || count < 0 || count > std::chrono::seconds(most).count()) throw wrong;
  if (rest == end && count == 0) return {};
  const std::chrono::seconds unit = rest + 1 == end ? unit_of(*rest) : std::chrono::seconds(0);
  if (unit.count() == 0 || count > most / unit) throw wrong;
  return (text.front() == '-' ? -count : count) * unit;
}

}  // namespace assent::live
