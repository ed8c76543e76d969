#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/message/statement.h"

/// Frames cut a byte stream into bodies (docs/PROTOCOL.md). A header is 12 bytes, numbers in
/// network byte order: "ASN", frame version, length of the body, CRC32C over the 8 bytes before it
/// and the body. Pure: no socket, no clock.

namespace assent {

inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::uint8_t kFrameVersion = 1;
/// Longest body before the hello is accepted: a stranger makes us hold no more than this (R14).
inline constexpr std::size_t kHelloBytesMax = 64 * 1024;

/// Appends room for a header to `out`; the body is then written behind it, without a copy. Returns
/// what end_frame must be given.
std::size_t begin_frame(std::string& out);

/// Fills in the header begun at `begun`; everything behind it is the body. Longer than
/// kFrameBytesMax: kInvalid, no effect, `out` is as it was before begin_frame.
Result<> end_frame(std::string& out, std::size_t begun);

/// Takes bytes as they come and gives whole, checked bodies. One per link. After an error the link
/// is finished: where the next frame begins can't be known.
class FrameReader {
 public:
  /// Bodies longer than `body_bytes_max` are an error, known from the header alone.
  explicit FrameReader(std::size_t body_bytes_max);

  /// From the next body on.
  void set_body_bytes_max(std::size_t body_bytes_max);

  /// Where to read into, never empty. Ends the life of every body given so far.
  std::span<char> room();

  /// The first `count` bytes of room() have been filled.
  void filled(std::size_t count);

  /// The next whole body, nullopt when there is none yet, or an error that is final: kInvalid
  /// "not an Assent link", a frame too long, a checksum that doesn't match. The body stays valid
  /// until room() is called.
  Result<std::optional<std::string_view>> next();

  /// A frame has begun and is not complete. Ask when next() has given nullopt.
  bool mid_frame() const;

 private:
  Result<std::size_t> body_bytes_of(std::string_view header) const;
  std::string_view held() const;
  void make_room(std::size_t wanted);

  std::size_t body_bytes_max_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  ///< of what has not been given out
  std::size_t end_ = 0;    ///< of what was filled
  std::unique_ptr<char[]> buffer_;
};

}  // namespace assent
