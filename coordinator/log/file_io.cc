#include "coordinator/log/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace assent::coordinator {

Error io_error(const char* what, const std::filesystem::path& path) {
  const int code = errno;
  return {.code = ErrorCode::kIo,
          .effect = Effect::kUnknown,
          .message = fmt::format("cannot {} {}: {}", what, path.string(),
                                 std::generic_category().message(code)),
          .native = code};
}

std::filesystem::path as_folder(const std::filesystem::path& path) {
  const auto normal = std::filesystem::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

Result<> sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error("open", folder);
  const bool synced = ::fsync(fd) == 0;
  const auto error = synced ? Error{} : io_error("sync", folder);
  ::close(fd);
  if (!synced) return error;
  return {};
}

}  // namespace assent::coordinator
