#include "protocol/wire/frame.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/base/check.h"
#include "protocol/base/crc32c.h"

namespace assent {
namespace {

constexpr std::string_view kMagic = "ASN";
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kChecksumAt = 8;
constexpr std::size_t kReadBytes = 16 * 1024;  ///< smallest room offered at the start
constexpr std::size_t kKeptBytesMax = 256 * 1024;

void store_u32(char* to, std::uint32_t value) {
  for (int i = 3; i >= 0; --i, value >>= 8U) to[i] = static_cast<char>(value & 0xFFU);
}

std::uint32_t load_u32(const char* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(from[i]);
  return value;
}

/// Over the header before the checksum and the body: a damaged length is found too.
std::uint32_t checksum_of(std::string_view header, std::string_view body) {
  return crc32c(body, crc32c(header.substr(0, kChecksumAt)));
}

Error too_long(std::size_t bytes, std::size_t bytes_max) {
  return {.message = "A message of " + std::to_string(bytes) + " bytes is longer than the " +
                     std::to_string(bytes_max) +
                     " allowed here; return fewer rows or send fewer statements at once."};
}

}  // namespace

std::size_t begin_frame(std::string& out) {
  const std::size_t begun = out.size();
  out.append(kFrameHeaderBytes, '\0');
  return begun;
}

Result<> end_frame(std::string& out, std::size_t begun) {
  ASSENT_CHECK(out.size() >= begun + kFrameHeaderBytes);
  const std::size_t body_bytes = out.size() - begun - kFrameHeaderBytes;
  if (body_bytes > kFrameBytesMax) {
    out.resize(begun);
    return too_long(body_bytes, kFrameBytesMax);
  }
  char* const header = out.data() + begun;
  std::memcpy(header, kMagic.data(), kMagic.size());
  header[kMagic.size()] = static_cast<char>(kFrameVersion);
  store_u32(header + kLengthAt, static_cast<std::uint32_t>(body_bytes));
  const std::string_view frame = std::string_view(out).substr(begun);
  store_u32(header + kChecksumAt, checksum_of(frame, frame.substr(kFrameHeaderBytes)));
  return {};
}

FrameReader::FrameReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

void FrameReader::set_body_bytes_max(std::size_t body_bytes_max) {
  body_bytes_max_ = body_bytes_max;
}

std::string_view FrameReader::held() const {
  return {buffer_.get() + begin_, end_ - begin_};
}

bool FrameReader::mid_frame() const {
  return begin_ != end_;
}

std::span<char> FrameReader::room() {
  const std::string_view unread = held();
  std::size_t wanted = std::max(kReadBytes, unread.size() + 1);
  if (unread.size() >= kFrameHeaderBytes) {
    const std::size_t told = load_u32(unread.data() + kLengthAt);
    const std::size_t frame_bytes = kFrameHeaderBytes + std::min(told, body_bytes_max_);
    wanted = std::max(wanted, frame_bytes);
  }
  make_room(wanted);
  return {buffer_.get() + end_, capacity_ - end_};
}

/// Moves what is held to the front, in a buffer with space for `wanted` bytes in all and at least
/// one more to read.
void FrameReader::make_room(std::size_t wanted) {
  const std::string_view unread = held();
  const bool too_small = capacity_ < wanted;
  const bool too_big = capacity_ > kKeptBytesMax && wanted <= kReadBytes;
  if (too_small || too_big) {
    std::unique_ptr<char[]> bigger(new char[wanted]);  // NOLINT: make_unique would zero it
    if (!unread.empty()) std::memcpy(bigger.get(), unread.data(), unread.size());
    end_ = unread.size();
    buffer_ = std::move(bigger);
    capacity_ = wanted;
  } else if (begin_ != 0) {
    std::memmove(buffer_.get(), unread.data(), unread.size());
    end_ = unread.size();
  }
  begin_ = 0;
  ASSENT_CHECK(end_ < capacity_);
}

void FrameReader::filled(std::size_t count) {
  ASSENT_CHECK(count <= capacity_ - end_);
  end_ += count;
}

Result<std::size_t> FrameReader::body_bytes_of(std::string_view header) const {
  if (!header.starts_with(kMagic)) {
    return Error{.message =
                     "What came is not a frame of Assent: who connects here must speak its "
                     "protocol."};
  }
  const auto version = static_cast<std::uint8_t>(header[kMagic.size()]);
  if (version != kFrameVersion) {
    return Error{.code = ErrorCode::kUnsupportedVersion,
                 .message = "The frame is of version " + std::to_string(version) +
                            ", this process knows " + std::to_string(kFrameVersion) + "."};
  }
  const std::size_t body_bytes = load_u32(header.data() + kLengthAt);
  if (body_bytes > body_bytes_max_) return too_long(body_bytes, body_bytes_max_);
  return body_bytes;
}

Result<std::optional<std::string_view>> FrameReader::next() {
  const std::string_view unread = held();
  if (unread.size() < kFrameHeaderBytes) return std::nullopt;
  const Result<std::size_t> body_bytes = body_bytes_of(unread);
  if (!body_bytes) return body_bytes.error();
  if (unread.size() - kFrameHeaderBytes < *body_bytes) return std::nullopt;
  const std::string_view body = unread.substr(kFrameHeaderBytes, *body_bytes);
  if (checksum_of(unread, body) != load_u32(unread.data() + kChecksumAt)) {
    return Error{.message =
                     "A frame's checksum does not match: its bytes were damaged on the way."};
  }
  begin_ += kFrameHeaderBytes + *body_bytes;
  return body;
}

}  // namespace assent
