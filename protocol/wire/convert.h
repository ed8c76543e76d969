#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/base/result.h"
#include "protocol/message/agent.h"
#include "protocol/message/client.h"

/// Messages to bytes and back: the one place that knows protobuf and the one that doubts what came
/// off the wire. What decode lets through keeps every limit of protocol/message/statement.h, has
/// names, gtrids and enumerators that exist, text that is UTF-8 and durations of 0 to a year; who
/// uses it need not look again. Any thread; nothing is kept between calls but memory.
///
/// Errors of decode: kInvalid with a sentence that names the field, or kUnsupportedVersion for a
/// hello or welcome of another protocol version. The message had no effect.

namespace assent {

/// A client's request. Ids are the client's choice; the reply repeats it.
struct ClientCall {
  std::uint64_t request_id = 0;
  ClientRequest request;

  friend bool operator==(const ClientCall&, const ClientCall&) = default;
};

struct ClientCallReply {
  std::uint64_t request_id = 0;
  ClientReply reply;

  friend bool operator==(const ClientCallReply&, const ClientCallReply&) = default;
};

/// What may come over a link, by who reads it. Refused has one form on both kinds of link.
using ToAgent = std::variant<Hello, AgentRequest>;
using FromAgent = std::variant<Welcome, Refused, AgentReply>;
using FromClient = std::variant<ClientHello, ClientCall>;
using ToClient = std::variant<ClientWelcome, Refused, ClientCallReply>;

/// Appends the bytes of one message to `out`: a frame's body. Never fails: text for people (error
/// messages, versions, names of applications) is made valid UTF-8 and cut to its limit, a text
/// value that is not UTF-8 travels as Bytes; everything else that breaks a limit is refused by the
/// reader.
void encode(const Hello& message, std::string& out);
void encode(const AgentRequest& message, std::string& out);
void encode(const Welcome& message, std::string& out);
void encode(const Refused& message, std::string& out);
void encode(const AgentReply& message, std::string& out);
void encode(const ClientHello& message, std::string& out);
void encode(const ClientCall& message, std::string& out);
void encode(const ClientWelcome& message, std::string& out);
void encode(const ClientCallReply& message, std::string& out);

Result<ToAgent> decode_to_agent(std::string_view body);
Result<FromAgent> decode_from_agent(std::string_view body);
Result<FromClient> decode_from_client(std::string_view body);
Result<ToClient> decode_to_client(std::string_view body);

/// The request id of a client's call that decode_from_client refused, so that the refusal can be
/// answered as an Answer; nullopt: not even that can be read, and the link is to be closed.
std::optional<std::uint64_t> request_id_of(std::string_view body);

}  // namespace assent
