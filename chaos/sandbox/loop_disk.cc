#include "chaos/sandbox/loop_disk.h"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "chaos/sandbox/process.h"

namespace assent::live {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kLettingGo{5};
constexpr off_t kMib = off_t{1024} * 1024;
constexpr off_t kBlock = 1024;  // no ext4 has smaller ones

// Of fs/ext4/ext4.h; linux/fs.h of Debian 12 does not have it.
constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t kNoLogFlush = 2;

[[noreturn]] void throw_errno(const std::string& what) {
  throw SandboxError(what + ": " + std::strerror(errno));
}

void run(const std::vector<std::string>& argv) {
  ProcessSpec spec;
  spec.argv = argv;
  const CommandResult result = run_command(spec, "", kPatience);
  if (result.end.succeeded()) return;
  throw SandboxError(argv.front() + ", " + result.end.describe() + ": " + result.standard_error);
}

void unmount(const std::filesystem::path& folder) {
  int error = 0;
  wait_until(
      [&] {
        error = ::umount2(folder.c_str(), 0) == 0 ? 0 : errno;
        return error != EBUSY;
      },
      kLettingGo);
  errno = error;
  if (error != 0) throw_errno("cannot unmount " + folder.string());
}

class Folder {
 public:
  explicit Folder(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ < 0) throw_errno("cannot open " + path.string());
  }
  ~Folder() { ::close(fd_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::optional<std::string> LoopDisk::why_not() {
  if (::geteuid() != 0) return "mounting a disk needs root";
  if (::access("/dev/loop-control", R_OK | W_OK) != 0) return "there are no loop devices here";
  return std::nullopt;
}

LoopDisk::LoopDisk(std::filesystem::path folder, int mib)
    : folder_(std::move(folder)), image_(folder_.string() + ".disk") {
  std::ofstream(image_, std::ios::binary).close();
  std::filesystem::resize_file(image_, static_cast<std::uintmax_t>(mib) * 1024 * 1024);
  const std::filesystem::path filling = folder_.string() + ".filling";
  try {
    run({"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,nodiscard", image_});
    std::filesystem::create_directory(filling);
    run({"mount", "-o", "loop", image_, filling});
    std::filesystem::remove(filling / "lost+found");
    run({"cp", "-a", folder_ / ".", filling});
    unmount(filling);
    std::filesystem::remove(filling);
    mount();
  } catch (const SandboxError&) {
    ::umount2(filling.c_str(), MNT_DETACH);
    std::filesystem::remove(filling);
    std::filesystem::remove(image_);
    throw;
  }
}

LoopDisk::~LoopDisk() {
  ::umount2(folder_.c_str(), MNT_DETACH);
  std::error_code gone;
  std::filesystem::remove(image_, gone);
}

void LoopDisk::mount() const {
  run({"mount", "-o", "loop", image_, folder_});
}

void LoopDisk::sync() {
  const Folder folder(folder_);
  if (::syncfs(folder.fd()) != 0) throw_errno("cannot sync " + folder_.string());
}

void LoopDisk::cut_power() {
  const Folder folder(folder_);
  if (::ioctl(folder.fd(), kShutdown, &kNoLogFlush) != 0)
    throw_errno("cannot cut the power of " + folder_.string());
}

void LoopDisk::restore_power() {
  unmount(folder_);
  mount();
}

void LoopDisk::fill() {
  const int fd = ::open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) throw_errno("cannot fill " + folder_.string());
  off_t end = 0;
  for (off_t some = kMib * 1024; some >= kBlock;) {
    if (::fallocate(fd, 0, end, some) == 0) {
      end += some;
    } else {
      some /= 2;
    }
  }
  ::close(fd);
}

void LoopDisk::free() {
  std::filesystem::remove(filler());
}

}  // namespace assent::live
