#include "coordinator/server/client_session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "coordinator/server/crash_points.h"

namespace assent::coordinator {
namespace {

/// False: there is nothing left to leave out.
template <typename List>
bool halve(List& list) {
  auto& transactions = list.transactions;
  if (transactions.empty()) return false;
  const std::size_t keep = transactions.size() / 2;
  list.more += transactions.size() - keep;
  transactions.resize(keep);
  return true;
}

/// Leaves out what the answer is still true without. False: nothing of that kind is left.
bool shorten(ClientReply& reply) {
  if (auto* answer = std::get_if<Answer>(&reply)) {
    return !std::exchange(answer->results, {}).empty();
  }
  if (auto* list = std::get_if<TransactionList>(&reply)) return halve(*list);
  if (auto* list = std::get_if<InDoubtList>(&reply)) {
    const bool foreign = !list->foreign.empty();
    list->foreign.resize(list->foreign.size() / 2);
    return halve(*list) || foreign;
  }
  return false;
}

}  // namespace

std::shared_ptr<ClientSession> ClientSession::make(ClientSessionId id, const ClientWelcome& welcome,
                                                   std::size_t requests_max, Owner& owner) {
  return std::shared_ptr<ClientSession>(new ClientSession(id, welcome, requests_max, owner));
}

ClientSession::ClientSession(ClientSessionId id, const ClientWelcome& welcome,
                             std::size_t requests_max, Owner& owner)
    : id_(id), welcome_(welcome), requests_max_(requests_max), owner_(owner) {}

void ClientSession::start(const boost::asio::any_io_executor& executor,
                          std::unique_ptr<Transport> transport) {
  channel_ = Channel::make(executor, std::move(transport));
  channel_->start(weak_from_this(), &ClientSession::on_body, &ClientSession::on_closed);
}

void ClientSession::reply(RequestId request, ClientReply reply) {
  --waiting_;
  send_reply(request, std::move(reply));
  // Last: after the last answer of a stop the owner closes, and nothing can be sent any more.
  owner_.answered(1);
}

void ClientSession::close(const Error& reason) {
  channel_->close_when_sent(reason);
}

void ClientSession::on_body(std::string_view body) {
  auto message = decode_from_client(body);
  if (message.has_error()) {
    on_refused_body(body, message.error());
  } else if (greeted_) {
    on_call(std::move(*message));
  } else {
    on_hello(*message);
  }
}

void ClientSession::on_refused_body(std::string_view body, const Error& error) {
  const auto request = greeted_ ? request_id_of(body) : std::nullopt;
  if (!request) {
    refuse(error);
    return;
  }
  if (!is_next(*request)) return;
  send_reply(RequestId{*request}, Answer{.outcome = Outcome::kRefused, .error = error});
}

void ClientSession::on_hello(const FromClient& message) {
  if (!std::holds_alternative<ClientHello>(message)) {
    refuse(Error{.code = ErrorCode::kInvalid,
                 .message = "the first message of a client must be its hello"});
    return;
  }
  greeted_ = true;
  channel_->established();
  if (const auto sent = channel_->send(welcome_); sent.has_error()) channel_->close(sent.error());
}

void ClientSession::on_call(FromClient message) {
  auto* call = std::get_if<ClientCall>(&message);
  if (call == nullptr) {
    refuse(Error{.code = ErrorCode::kInvalid, .message = "a client says hello only once"});
    return;
  }
  if (!is_next(call->request_id)) return;
  const RequestId request{call->request_id};
  if (waiting_ >= 2 * requests_max_) {
    refuse(Error{.code = ErrorCode::kBusy,
                 .message = fmt::format("this connection has {} requests under way", waiting_)});
    return;
  }
  auto too_many = busy();
  ++waiting_;
  if (!owner_.requested(id_, request, std::move(call->request), std::move(too_many))) --waiting_;
}

/// A statement that is done twice, or a request behind a later one, was not asked for. What repeats
/// or reorders requests is not to be trusted with another.
bool ClientSession::is_next(std::uint64_t request_id) {
  if (request_id > last_request_) {
    last_request_ = request_id;
    return true;
  }
  refuse(Error{.code = ErrorCode::kInvalid,
               .message = fmt::format("request {} came behind request {} on one connection: ids "
                                      "must rise, so it is a copy or out of order; connect again",
                                      request_id, last_request_)});
  return false;
}

std::optional<Error> ClientSession::busy() const {
  if (waiting_ < requests_max_) return std::nullopt;
  return Error{
      .code = ErrorCode::kBusy,
      .message = fmt::format("this connection has {} requests under way, the most allowed; "
                             "wait for an answer, then send again",
                             waiting_)};
}

void ClientSession::on_closed(const Error& reason) {
  // A client that leaves is nothing to talk about.
  if (reason.code != ErrorCode::kConnectionLost && reason.code != ErrorCode::kStopping)
    spdlog::warn("client={} closed: {}", channel_->peer(), reason.message);
  owner_.answered(std::exchange(waiting_, 0));
  owner_.closed(id_);
}

void ClientSession::refuse(const Error& error) {
  if (const auto sent = channel_->send(Refused{error}); sent.has_error()) {
    channel_->close(sent.error());
    return;
  }
  channel_->close_when_sent(error);
}

void ClientSession::send_reply(RequestId request, ClientReply reply) {
  const PointsAround points = points_around(reply);
  crash_point(points.before);
  ClientCallReply message{static_cast<std::uint64_t>(request), std::move(reply)};
  auto sent = channel_->send(message);
  // Longer than a frame.
  while (sent.has_error() && shorten(message.reply)) sent = channel_->send(message);
  if (sent.has_error()) channel_->close(sent.error());
  channel_->crash_point_when_sent(points.after);
}

}  // namespace assent::coordinator
