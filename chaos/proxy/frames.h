#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"

// What passes over a link of ours, frame by frame. Pure: bytes in, frames out.
namespace assent::live {

// What a link carries: messages of a client, of a coordinator and its agent, or what a database
// understands.
enum class Carries { kClientFrames, kAgentFrames, kBytes };

// The server is who listens: the coordinator, the agent, the database.
enum class Direction { kToServer, kToClient };

// Nothing, of bytes that are no frame or of a message that can't be read.
using FrameMessage = std::variant<std::monostate, ToAgent, FromAgent, FromClient, ToClient>;

// With its header, exactly as it came.
struct Frame {
  std::string bytes;
  FrameMessage message;
};

// Cuts one direction of a link. What can't be a frame goes on as it comes, and so does everything
// behind it.
class FrameCutter {
 public:
  FrameCutter(Carries carries, Direction direction);

  // The frames that are whole now.
  std::vector<Frame> take(std::string_view bytes);

  // What came of a frame that never will be whole.
  std::string take_rest();

 private:
  void cut(std::string_view bytes, std::vector<Frame>& frames);
  FrameMessage read(std::string_view body) const;

  const Carries carries_;
  const Direction direction_;
  FrameReader reader_{kFrameBytesMax};
  std::string pending_;  // what the reader holds
  bool raw_;
};

// The message of type T, such as Commit or Submit, that the frame brings; nullptr: another.
template <typename T>
const T* message_in(const Frame& frame);

// For ProxyLink::trap.
template <typename T>
bool brings(const Frame& frame) {
  return message_in<T>(frame) != nullptr;
}

// ---- the rest is how message_in finds it

namespace frame_detail {

template <typename T, typename... Alternatives>
const T* find(const std::variant<Alternatives...>& message);
template <typename T>
const T* find(const AgentRequest& message);
template <typename T>
const T* find(const AgentReply& message);
template <typename T>
const T* find(const ClientCall& message);
template <typename T>
const T* find(const ClientCallReply& message);

template <typename T, typename Message>
const T* find(const Message& message) {
  if constexpr (std::is_same_v<T, Message>) return &message;
  return nullptr;
}
template <typename T, typename... Alternatives>
const T* find(const std::variant<Alternatives...>& message) {
  return std::visit([](const auto& it) { return find<T>(it); }, message);
}
template <typename T>
const T* find(const AgentRequest& message) {
  return find<T>(message.body);
}
template <typename T>
const T* find(const AgentReply& message) {
  return find<T>(message.body);
}
template <typename T>
const T* find(const ClientCall& message) {
  return find<T>(message.request);
}
template <typename T>
const T* find(const ClientCallReply& message) {
  return find<T>(message.reply);
}

}  // namespace frame_detail

template <typename T>
const T* message_in(const Frame& frame) {
  return frame_detail::find<T>(frame.message);
}

}  // namespace assent::live
