// For LD_PRELOAD, see host_clock.h: CLOCK_REALTIME of this process is off by the nanoseconds that
// stand in the file $ASSENT_HOST_CLOCK, which may change at any time.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr std::int64_t kNanosecondsMax = 1'000'000'000;

std::int64_t* map_offset() {
  static std::int64_t none = 0;
  const char* const file = std::getenv("ASSENT_HOST_CLOCK");
  if (file == nullptr) return &none;
  const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) std::abort();  // nobody is to believe that the clock is off when it is not
  void* const mapped = ::mmap(nullptr, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED) std::abort();
  return static_cast<std::int64_t*>(mapped);
}

std::int64_t offset() {
  static std::int64_t* const value = map_offset();
  return __atomic_load_n(value, __ATOMIC_RELAXED);
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
  return plus(at, offset());
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* at) noexcept {
  const auto failed = static_cast<int>(::syscall(SYS_clock_gettime, clock, at));
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *at = plus(*at, offset());
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

}  // extern "C"
