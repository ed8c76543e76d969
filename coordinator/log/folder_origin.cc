#include "coordinator/log/folder_origin.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "coordinator/log/file_io.h"
#include "coordinator/log/little_endian.h"
#include "protocol/base/crash_point.h"
#include "protocol/base/crc32c.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

// All numbers little-endian. docs/LOG_FORMAT.md.
constexpr std::string_view kMagic = "ASNTORIG";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kInodeAt = 12;
constexpr std::size_t kBornAt = 20;
constexpr std::size_t kChecksumAt = 28;
constexpr std::size_t kSize = 32;
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

using Bytes = std::array<char, kSize>;

/// What the file must hold to be the original; nullopt: errno says why it can't be told.
std::optional<Bytes> expected(int file) {
  struct statx about {};
  if (::statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &about) != 0) return std::nullopt;
  const bool has_birth = (about.stx_mask & STATX_BTIME) != 0;  // not every file system keeps it
  const std::uint64_t born =
      has_birth ? static_cast<std::uint64_t>(about.stx_btime.tv_sec) * kNsPerSecond +
                      about.stx_btime.tv_nsec
                : 0;
  Bytes bytes{};
  kMagic.copy(bytes.data(), kMagic.size());
  put(bytes.data() + kVersionAt, kVersion);
  put(bytes.data() + kInodeAt, static_cast<std::uint64_t>(about.stx_ino));
  put(bytes.data() + kBornAt, born);
  put(bytes.data() + kChecksumAt, crc32c({bytes.data(), kChecksumAt}));
  return bytes;
}

Result<> write_expected(int file, const fs::path& path) {
  const auto bytes = expected(file);
  if (!bytes) return io_error("look at", path);
  const auto written = ::write(file, bytes->data(), bytes->size());
  if (written >= 0 && written != static_cast<ssize_t>(bytes->size())) errno = EIO;
  if (written != static_cast<ssize_t>(bytes->size())) return io_error("write", path);
  if (::fsync(file) != 0) return io_error("sync", path);
  return {};
}

Result<Origin> compare(int file, const fs::path& path) {
  const auto bytes = expected(file);
  if (!bytes) return io_error("look at", path);
  std::array<char, kSize + 1> found{};
  const auto size = ::read(file, found.data(), found.size());
  if (size < 0) return io_error("read", path);
  const bool same = std::string_view(found.data(), static_cast<std::size_t>(size)) ==
                    std::string_view(bytes->data(), bytes->size());
  return same ? Origin::kOwn : Origin::kCopied;
}

}  // namespace

Result<Origin> look_at_origin(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return Origin::kUnmarked;
  if (file < 0) return io_error("open", path);
  auto origin = compare(file, path);
  ::close(file);
  return origin;
}

Result<> make_origin(const fs::path& path) {
  // Under another name until it is whole; a new file, since a copy has the old one's content.
  fs::path unfinished = path;
  unfinished += ".new";
  const int file = ::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return io_error("make", unfinished);
  auto written = write_expected(file, unfinished);
  ::close(file);
  if (!written) return written;
  crash_point("log.origin.written");
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return io_error("rename", unfinished);
  crash_point("log.origin.renamed");
  return sync_folder(path.parent_path());
}

}  // namespace assent::coordinator
