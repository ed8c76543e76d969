#include "coordinator/log/high_water_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "coordinator/log/file_io.h"
#include "coordinator/log/little_endian.h"
#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"
#include "protocol/base/crc32c.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr int kSlots = 3;
constexpr off_t kSlotDistance = 4096;  // own pages: writing one slot never waits for another's sync
constexpr auto kSyncInterval = std::chrono::milliseconds(50);

// A slot; all numbers little-endian. docs/LOG_FORMAT.md.
constexpr std::string_view kMagic = "ASNTMARK";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kLogIdAt = 12;
constexpr std::size_t kNumberAt = 20;
constexpr std::size_t kChecksumAt = 28;
constexpr std::size_t kSlotSize = 32;
constexpr std::uint32_t kVersion = 1;

using Slot = std::array<char, kSlotSize>;

std::uint32_t checksum_of(const Slot& slot) {
  return crc32c({slot.data(), kChecksumAt});
}

Slot encode(const HighWaterMark::Content& content) {
  Slot slot{};
  kMagic.copy(slot.data(), kMagic.size());
  put(slot.data() + kVersionAt, kVersion);
  put(slot.data() + kLogIdAt, static_cast<std::uint64_t>(content.log_id));
  put(slot.data() + kNumberAt, content.number);
  put(slot.data() + kChecksumAt, checksum_of(slot));
  return slot;
}

std::optional<HighWaterMark::Content> decode(const Slot& slot) {
  const bool intact = std::string_view(slot.data(), kMagic.size()) == kMagic &&
                      get<std::uint32_t>(slot.data() + kVersionAt) == kVersion &&
                      get<std::uint32_t>(slot.data() + kChecksumAt) == checksum_of(slot);
  if (!intact) return std::nullopt;
  return HighWaterMark::Content{LogId{get<std::uint64_t>(slot.data() + kLogIdAt)},
                                get<std::uint64_t>(slot.data() + kNumberAt)};
}

bool write_slot(int file, int slot, const HighWaterMark::Content& content) {
  const Slot bytes = encode(content);
  const auto written = ::pwrite(file, bytes.data(), bytes.size(), slot * kSlotDistance);
  if (written == static_cast<ssize_t>(bytes.size())) return true;
  if (written >= 0) errno = EIO;
  return false;
}

/// Closes what it holds unless it was released.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct Newest {
  HighWaterMark::Content content;
  int slot = 0;
};

Error unusable(const fs::path& path, std::string_view what) {
  return {.code = ErrorCode::kLogUnavailable,
          .message = fmt::format(
              "the high-water mark {} {}, so nobody can tell whether the decision log is complete. "
              "Put the file back as it was; nothing was changed.",
              path.string(), what)};
}

Result<Newest> read_newest(int file, const fs::path& path) {
  std::optional<Newest> newest;
  for (int i = 0; i < kSlots; ++i) {
    Slot slot{};
    const auto size = ::pread(file, slot.data(), slot.size(), i * kSlotDistance);
    if (size < 0) return io_error("read", path);
    const auto content = decode(slot);
    if (!content) continue;  // torn by a power cut; the other slots are there for this
    if (newest && newest->content.log_id != content->log_id) {
      return unusable(path, "has slots of two logs");
    }
    if (!newest || content->number > newest->content.number) newest = Newest{*content, i};
  }
  if (!newest) return unusable(path, "has no intact slot");
  return *newest;
}

Result<> write_new_file(const fs::path& path, LogId log_id) {
  const File file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return io_error("make", path);
  for (int i = 0; i < kSlots; ++i) {
    if (!write_slot(file.get(), i, {log_id, 0})) return io_error("write", path);
  }
  if (::fsync(file.get()) != 0) return io_error("sync", path);
  return {};
}

}  // namespace

Result<std::optional<HighWaterMark::Content>> HighWaterMark::read(const fs::path& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return std::optional<Content>{};
    return io_error("open", path);
  }
  auto newest = read_newest(file.get(), path);
  if (!newest) return std::move(newest).error();
  return std::optional<Content>(newest->content);
}

Result<> HighWaterMark::create(const fs::path& path, LogId log_id) {
  // Under another name until it is whole: a file that is there has three intact slots.
  fs::path unfinished = path;
  unfinished += ".new";
  auto made = write_new_file(unfinished, log_id);
  if (!made) return made;
  crash_point("log.new_mark.written");
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return io_error("rename", unfinished);
  crash_point("log.new_mark.renamed");
  return sync_folder(path.parent_path());
}

Result<std::unique_ptr<HighWaterMark>> HighWaterMark::open(const fs::path& path,
                                                           std::function<void(Error)> failed) {
  File file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) return io_error("open", path);
  auto newest = read_newest(file.get(), path);
  if (!newest) return std::move(newest).error();
  // The newest slot may be the one that is on the disk: leave it until the next sync.
  const int next_slot = (newest->slot + 1) % kSlots;
  return std::unique_ptr<HighWaterMark>(
      new HighWaterMark(file.release(), newest->content.log_id, next_slot, std::move(failed)));
}

HighWaterMark::HighWaterMark(int file, LogId log_id, int next_slot,
                             std::function<void(Error)> failed)
    : file_(file), log_id_(log_id), failed_(std::move(failed)), slot_(next_slot) {
  syncer_ = std::thread([this] { run(); });
}

HighWaterMark::~HighWaterMark() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  syncer_.join();
  ::close(file_);
}

Result<> HighWaterMark::write(std::uint64_t number) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (!write_slot(file_, slot_, {log_id_, number})) {
      return io_error("write", "the high-water mark");
    }
    first = !std::exchange(unsynced_, true);
  }
  if (first) changed_.notify_all();
  return {};
}

Result<> HighWaterMark::sync() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !syncing_; });
  if (!unsynced_) return {};
  unsynced_ = false;
  syncing_ = true;
  // What is written meanwhile goes elsewhere: not into the slot being synced, nor into the one that
  // was synced before it.
  slot_ = (slot_ + 1) % kSlots;
  lock.unlock();
  const bool synced = ::fdatasync(file_) == 0;
  const Error error = synced ? Error{} : io_error("sync", "the high-water mark");
  lock.lock();
  syncing_ = false;
  lock.unlock();
  changed_.notify_all();
  if (!synced) return error;
  return {};
}

void HighWaterMark::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return unsynced_ || stopping_; });
    changed_.wait_for(lock, kSyncInterval, [this] { return stopping_; });
    const bool last = stopping_;
    lock.unlock();
    crash_point("log.mark.before_sync");
    const auto synced = sync();
    crash_point("log.mark.synced");
    if (!synced) {
      failed_(synced.error());
      return;
    }
    if (last) return;
    lock.lock();
  }
}

}  // namespace assent::coordinator
