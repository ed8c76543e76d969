// For LD_PRELOAD, see host.h: what this process sees of its host is what stands in the file
// $ASSENT_HOST, which may change at any time.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "chaos/sandbox/host.h"

namespace {

using assent::live::HostState;
using assent::live::kSyncsSuffix;
using assent::live::SyncOfLog;

constexpr std::int64_t kNanosecondsMax = 1'000'000'000;

HostState* map_state() {
  static HostState nothing;
  const char* const file = std::getenv("ASSENT_HOST");
  if (file == nullptr) return &nothing;
  const int fd = ::open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) std::abort();  // nobody is to believe that the host is changed when it is not
  void* const mapped =
      ::mmap(nullptr, sizeof(HostState), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED) std::abort();
  return static_cast<HostState*>(mapped);
}

HostState& state() {
  static HostState* const mapped = map_state();
  return *mapped;
}

std::int64_t load(const std::int64_t& value) {
  return __atomic_load_n(&value, __ATOMIC_RELAXED);
}

/// True for as many callers as are asked for, whatever thread they are.
bool takes_one_of(std::int64_t& left) {
  std::int64_t seen = load(left);
  while (seen > 0) {
    if (__atomic_compare_exchange_n(&left, &seen, seen - 1, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      return true;
    }
  }
  return false;
}

std::int64_t steady_ns() {
  timespec at{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
  return at.tv_sec * kNanosecondsMax + at.tv_nsec;
}

bool is_log(int fd) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return size > 0 &&
         std::string_view(path.data(), static_cast<std::size_t>(size)).ends_with(".log");
}

/// One write each: threads and processes do not mix.
void note(const SyncOfLog& sync) {
  static const int notes = [] {
    const char* const file = std::getenv("ASSENT_HOST");
    return file == nullptr ? -1
                           : ::open((std::string(file) + kSyncsSuffix).c_str(),
                                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  }();
  if (notes >= 0 && ::write(notes, &sync, sizeof sync) != sizeof sync) std::abort();
}

int sync(long call, int fd) {
  const std::int64_t began = steady_ns();
  const std::int64_t takes = load(state().sync_takes_ns);
  if (takes > 0) {
    timespec left = {takes / kNanosecondsMax, takes % kNanosecondsMax};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) continue;
  }
  if (takes_one_of(state().syncs_to_fail)) {
    errno = EIO;
    return -1;
  }
  const auto failed = static_cast<int>(::syscall(call, fd));
  if (failed == 0 && is_log(fd)) note({began, steady_ns()});
  return failed;
}

timespec plus(timespec at, std::int64_t nanoseconds) {
  at.tv_sec += nanoseconds / kNanosecondsMax;
  at.tv_nsec += nanoseconds % kNanosecondsMax;
  if (at.tv_nsec < 0) {
    at.tv_nsec += kNanosecondsMax;
    --at.tv_sec;
  } else if (at.tv_nsec >= kNanosecondsMax) {
    at.tv_nsec -= kNanosecondsMax;
    ++at.tv_sec;
  }
  return at;
}

timespec now() {
  timespec at{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &at);
  return plus(at, load(state().clock_off_ns));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* at) noexcept {
  const auto failed = static_cast<int>(::syscall(SYS_clock_gettime, clock, at));
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *at = plus(*at, load(state().clock_off_ns));
  return failed;
}

time_t time(time_t* at) noexcept {
  const time_t seconds = now().tv_sec;
  if (at != nullptr) *at = seconds;
  return seconds;
}

int gettimeofday(timeval* at, void* zone) noexcept {
  if (zone != nullptr) {
    errno = EINVAL;  // nobody of ours asks for one
    return -1;
  }
  const timespec fine = now();
  *at = {fine.tv_sec, fine.tv_nsec / 1000};
  return 0;
}

int fsync(int fd) {
  return sync(SYS_fsync, fd);
}

int fdatasync(int fd) {
  return sync(SYS_fdatasync, fd);
}

}  // extern "C"
