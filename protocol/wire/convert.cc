#include "protocol/wire/convert.h"

#include <google/protobuf/arena.h>

#include <array>
#include <cstddef>

#include "protocol/proto/envelope.pb.h"
#include "protocol/wire/convert_agent.h"
#include "protocol/wire/convert_client.h"
#include "protocol/wire/convert_common.h"

namespace assent {
namespace {

/// One thread's memory for protobuf objects. A message of the usual size finds room in the first
/// block, which is never given back.
class Memory {
 public:
  Memory() : arena_(block_.data(), block_.size()) {}
  google::protobuf::Arena& arena() { return arena_; }

 private:
  alignas(std::max_align_t) std::array<char, std::size_t{32} * 1024> block_;
  google::protobuf::Arena arena_;
};

/// An empty envelope for the length of one call; one at a time on a thread.
class Scratch {
 public:
  Scratch() : envelope_(google::protobuf::Arena::CreateMessage<v1::Envelope>(&memory().arena())) {}
  ~Scratch() { memory().arena().Reset(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  v1::Envelope& operator*() { return *envelope_; }
  v1::Envelope* operator->() { return envelope_; }

 private:
  static Memory& memory() {
    thread_local Memory memory;
    return memory;
  }

  v1::Envelope* envelope_;
};

bool parse(std::string_view body, v1::Envelope& envelope) {
  return body.size() <= kFrameBytesMax &&
         envelope.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

void append(v1::Envelope& envelope, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + envelope.ByteSizeLong());
  envelope.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data()) +
                                           before);  // NOLINT: protobuf's word for a byte
}

/// What came is none of what may come over this link.
Error unexpected(const v1::Envelope& envelope) {
  if (envelope.of_case() == v1::Envelope::OF_NOT_SET) {
    return {.message = "The message is of no kind that this version knows."};
  }
  const auto* field =
      v1::Envelope::descriptor()->FindFieldByNumber(static_cast<int>(envelope.of_case()));
  return {.message = "A message of kind " + field->name() + " does not belong on this link."};
}

const Error& not_a_message() {
  static const Error error{.message = "The frame's body is not a message of this protocol."};
  return error;
}

/// Parses, lets `choose(envelope, refusal)` pick and convert what may come; nullopt from it: none
/// of that came.
template <typename Message, typename Choose>
Result<Message> decode(std::string_view body, const Choose& choose) {
  Scratch envelope;
  if (!parse(body, *envelope)) return not_a_message();
  wire::Refusal refusal;
  std::optional<Message> message = choose(*envelope, refusal);
  if (!message) return unexpected(*envelope);
  if (refusal.is_set()) return refusal.error();
  return std::move(*message);
}

}  // namespace

void encode(const Hello& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_hello());
  append(*envelope, out);
}

void encode(const AgentRequest& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_agent_request());
  append(*envelope, out);
}

void encode(const Welcome& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_welcome());
  append(*envelope, out);
}

void encode(const Refused& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_refused());
  append(*envelope, out);
}

void encode(const AgentReply& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_agent_reply());
  append(*envelope, out);
}

void encode(const ClientHello& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_client_hello());
  append(*envelope, out);
}

void encode(const ClientCall& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_client_call());
  append(*envelope, out);
}

void encode(const ClientWelcome& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_client_welcome());
  append(*envelope, out);
}

void encode(const ClientCallReply& message, std::string& out) {
  Scratch envelope;
  wire::put(message, *envelope->mutable_client_call_reply());
  append(*envelope, out);
}

Result<ToAgent> decode_to_agent(std::string_view body) {
  const auto choose = [](v1::Envelope& from, wire::Refusal& refusal) -> std::optional<ToAgent> {
    switch (from.of_case()) {
      case v1::Envelope::kHello:
        return wire::take(from.hello(), wire::Place(refusal, "hello"));
      case v1::Envelope::kAgentRequest:
        return wire::take(*from.mutable_agent_request(), wire::Place(refusal, "agent_request"));
      default:
        return std::nullopt;
    }
  };
  return decode<ToAgent>(body, choose);
}

Result<FromAgent> decode_from_agent(std::string_view body) {
  const auto choose = [](v1::Envelope& from, wire::Refusal& refusal) -> std::optional<FromAgent> {
    switch (from.of_case()) {
      case v1::Envelope::kWelcome:
        return wire::take(from.welcome(), wire::Place(refusal, "welcome"));
      case v1::Envelope::kRefused:
        return wire::take(from.refused(), wire::Place(refusal, "refused"));
      case v1::Envelope::kAgentReply:
        return wire::take(*from.mutable_agent_reply(), wire::Place(refusal, "agent_reply"));
      default:
        return std::nullopt;
    }
  };
  return decode<FromAgent>(body, choose);
}

Result<FromClient> decode_from_client(std::string_view body) {
  const auto choose = [](v1::Envelope& from, wire::Refusal& refusal) -> std::optional<FromClient> {
    switch (from.of_case()) {
      case v1::Envelope::kClientHello:
        return wire::take(from.client_hello(), wire::Place(refusal, "client_hello"));
      case v1::Envelope::kClientCall:
        return wire::take(*from.mutable_client_call(), wire::Place(refusal, "client_call"));
      default:
        return std::nullopt;
    }
  };
  return decode<FromClient>(body, choose);
}

Result<ToClient> decode_to_client(std::string_view body) {
  const auto choose = [](v1::Envelope& from, wire::Refusal& refusal) -> std::optional<ToClient> {
    switch (from.of_case()) {
      case v1::Envelope::kClientWelcome:
        return wire::take(from.client_welcome(), wire::Place(refusal, "client_welcome"));
      case v1::Envelope::kRefused:
        return wire::take(from.refused(), wire::Place(refusal, "refused"));
      case v1::Envelope::kClientCallReply:
        return wire::take(*from.mutable_client_call_reply(),
                          wire::Place(refusal, "client_call_reply"));
      default:
        return std::nullopt;
    }
  };
  return decode<ToClient>(body, choose);
}

std::optional<std::uint64_t> request_id_of(std::string_view body) {
  Scratch envelope;
  if (!parse(body, *envelope) || !envelope->has_client_call()) return std::nullopt;
  return envelope->client_call().request_id();
}

}  // namespace assent
