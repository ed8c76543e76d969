#include "chaos/proxy/frames.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace assent::live {
namespace {

template <typename Decoded>
FrameMessage if_readable(Decoded decoded) {
  if (!decoded) return {};
  return std::move(*decoded);
}

}  // namespace

FrameCutter::FrameCutter(Carries carries, Direction direction)
    : carries_(carries), direction_(direction), raw_(carries == Carries::kBytes) {}

std::vector<Frame> FrameCutter::take(std::string_view bytes) {
  std::vector<Frame> frames;
  while (!raw_ && !bytes.empty()) {
    const auto room = reader_.room();
    const std::string_view piece = bytes.substr(0, room.size());
    std::memcpy(room.data(), piece.data(), piece.size());
    reader_.filled(piece.size());
    bytes.remove_prefix(piece.size());
    cut(piece, frames);
  }
  if (!bytes.empty()) frames.push_back({std::string(bytes), {}});
  return frames;
}

void FrameCutter::cut(std::string_view bytes, std::vector<Frame>& frames) {
  pending_ += bytes;
  for (;;) {
    const auto body = reader_.next();
    if (!body) {
      raw_ = true;
      frames.push_back({take_rest(), {}});
      return;
    }
    if (!*body) return;
    const std::size_t size = kFrameHeaderBytes + (*body)->size();
    frames.push_back({pending_.substr(0, size), read(**body)});
    pending_.erase(0, size);
  }
}

std::string FrameCutter::take_rest() {
  return std::exchange(pending_, {});
}

FrameMessage FrameCutter::read(std::string_view body) const {
  const bool to_server = direction_ == Direction::kToServer;
  if (carries_ == Carries::kAgentFrames) {
    return to_server ? if_readable(decode_to_agent(body)) : if_readable(decode_from_agent(body));
  }
  return to_server ? if_readable(decode_from_client(body)) : if_readable(decode_to_client(body));
}

}  // namespace assent::live
