#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <variant>

#include "protocol/base/check.h"
#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"
#include "tests/protocol/encoded.h"

/// libFuzzer's door to what reads bytes of strangers: the input once as a frame's body, once as a
/// stream of frames that comes in pieces. What decode lets through must survive another journey.

namespace assent {
namespace {

template <typename Message>
void fuzz_decode(std::string_view body, Result<Message> (*decode)(std::string_view)) {
  const Result<Message> decoded = decode(body);
  if (!decoded) {
    ASSENT_CHECK(!decoded.error().message.empty());
    return;
  }
  const std::string again = encoded(*decoded);
  const Result<Message> twice = decode(again);
  ASSENT_CHECK(twice.has_value() && encoded(*twice) == again);
}

void fuzz_body(std::string_view body) {
  fuzz_decode(body, decode_to_agent);
  fuzz_decode(body, decode_from_agent);
  fuzz_decode(body, decode_from_client);
  fuzz_decode(body, decode_to_client);
  static_cast<void>(request_id_of(body));
}

void fuzz_frames(std::string_view stream, std::size_t piece) {
  FrameReader reader(kHelloBytesMax);
  while (!stream.empty()) {
    const auto room = reader.room();
    const std::size_t count = std::min({piece, room.size(), stream.size()});
    std::memcpy(room.data(), stream.data(), count);
    reader.filled(count);
    stream.remove_prefix(count);
    for (auto body = reader.next();; body = reader.next()) {
      if (!body) return;
      if (!*body) break;
      fuzz_body(**body);
    }
  }
}

}  // namespace
}  // namespace assent

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);  // NOLINT: bytes as text
  assent::fuzz_body(input);
  assent::fuzz_frames(input.substr(1), std::size_t{1} + *data);
  return 0;
}
