#include "protocol/settings/token_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

namespace assent::settings {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 1024;

Error invalid(std::string message) {
  Error error;
  error.code = ErrorCode::kInvalid;
  error.message = std::move(message);
  return error;
}

std::string_view without_space_around(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Result<std::string> read_token(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    return invalid(
        fmt::format("token file {} can't be read: {}", file.string(), std::strerror(errno)));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return invalid(fmt::format("token file {} may be read by others than its owner: chmod 600 {}",
                               file.string(), file.string()));
  std::ifstream stream(file, std::ios::binary);
  std::string text(kTokenBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    return invalid(
        fmt::format("token file {} can't be read: {}", file.string(), std::strerror(errno)));
  const auto token = without_space_around(
      std::string_view(text.data(), static_cast<std::size_t>(stream.gcount())));
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax)
    return invalid(fmt::format("token file {} must hold {} to {} characters", file.string(),
                               kTokenBytesMin, kTokenBytesMax));
  return std::string(token);
}

}  // namespace assent::settings
