#include "coordinator/client/call_link.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include "protocol/channel/address.h"
#include "protocol/channel/tcp.h"

namespace assent {
namespace {

Error not_understood() {
  return {.code = ErrorCode::kInvalid,
          .effect = Effect::kUnknown,
          .message = "the coordinator sent what this library does not understand"};
}

Error was_closed(Effect effect) {
  return Error{
      .code = ErrorCode::kConnectionLost, .effect = effect, .message = "the client was closed"};
}

}  // namespace

std::shared_ptr<CallLink> CallLink::make(boost::asio::io_context& io, ClientOptions options) {
  return std::shared_ptr<CallLink>(new CallLink(io, std::move(options)));
}

CallLink::CallLink(boost::asio::io_context& io, ClientOptions options)
    : io_(io), options_(std::move(options)), timer_(io) {}

void CallLink::connect(Instant deadline, OnConnected done) {
  if (closed_) {
    boost::asio::post(io_, [done = std::move(done)] { done(was_closed(Effect::kNone)); });
    return;
  }
  connecting_.push_back({deadline, std::move(done)});
  watch(deadline);
  if (phase_ == Phase::kClosed) begin_connecting();
}

void CallLink::begin_connecting() {
  phase_ = Phase::kConnecting;
  auto connected = [self = shared_from_this()](Result<std::unique_ptr<Transport>> transport) {
    self->on_transport(std::move(transport));
  };
  const auto address = parse_address(options_.coordinator);
  if (address.has_error()) {
    boost::asio::post(
        io_, [connected = std::move(connected), error = address.error()] { connected(error); });
    return;
  }
  assent::connect(io_.get_executor(), *address, options_.timeout, std::move(connected));
}

void CallLink::on_transport(Result<std::unique_ptr<Transport>> connected) {
  if (closed_) {
    phase_ = Phase::kClosed;
    return;
  }
  if (connected.has_error()) {
    Error error = connected.error();
    error.effect = Effect::kNone;
    error.message = fmt::format("the coordinator can't be reached: {}", error.message);
    phase_ = Phase::kClosed;
    tell_connected(error);
    return;
  }
  ChannelLimits limits;
  limits.hello_max = options_.timeout;
  phase_ = Phase::kGreeting;
  channel_ = Channel::make(io_.get_executor(), std::move(*connected), limits);
  channel_->start(weak_from_this(), &CallLink::on_body, &CallLink::on_closed);
  ClientHello hello;
  hello.application = options_.application;
  if (const auto sent = channel_->send(hello); sent.has_error()) channel_->close(sent.error());
}

void CallLink::call(ClientRequest request, Instant deadline, OnReply done) {
  if (!is_open()) {
    boost::asio::post(io_, [done = std::move(done)] {
      done(Error{.code = ErrorCode::kConnectionLost,
                 .effect = Effect::kNone,
                 .message = "there is no connection to the coordinator"});
    });
    return;
  }
  const std::uint64_t id = ++calls_;
  if (const auto sent = channel_->send(ClientCall{id, std::move(request)}); sent.has_error()) {
    boost::asio::post(io_, [done = std::move(done), error = sent.error()] { done(error); });
    return;
  }
  pending_.emplace(id, Pending{deadline, std::move(done)});
  watch(deadline);
}

void CallLink::close() {
  closed_ = true;
  timer_.cancel();
  timer_set_.reset();
  if (channel_) channel_->close(was_closed(Effect::kUnknown));
  // Not kept here until the loop's next turn: those who wait keep this link alive, and a loop that
  // never runs again would free neither.
  boost::asio::post(
      io_, [connecting = std::exchange(connecting_, {}), pending = std::exchange(pending_, {})] {
        for (const auto& waiting : connecting) waiting.done(was_closed(Effect::kNone));
        for (const auto& [id, call] : pending) call.done(was_closed(Effect::kUnknown));
      });
}

void CallLink::on_body(std::string_view body) {
  auto message = decode_to_client(body);
  if (message.has_error()) {
    channel_->close(message.error());
  } else if (const auto* refused = std::get_if<Refused>(&*message)) {
    channel_->close(refused->error);
  } else if (phase_ == Phase::kGreeting) {
    on_greeted(*message);
  } else {
    on_reply(std::move(*message));
  }
}

void CallLink::on_greeted(const ToClient& message) {
  const auto* welcome = std::get_if<ClientWelcome>(&message);
  if (welcome == nullptr) {
    channel_->close(not_understood());
    return;
  }
  channel_->established();
  phase_ = Phase::kOpen;
  ++connections_;
  log_id_ = welcome->log_id;
  tell_connected({});
}

void CallLink::on_reply(ToClient message) {
  auto* reply = std::get_if<ClientCallReply>(&message);
  if (reply == nullptr) {
    channel_->close(not_understood());
    return;
  }
  complete(reply->request_id, std::move(reply->reply));
}

void CallLink::on_closed(const Error& reason) {
  channel_.reset();
  const Phase before = std::exchange(phase_, Phase::kClosed);
  if (before == Phase::kGreeting) {
    Error error = reason;
    error.effect = Effect::kNone;
    tell_connected(error);
    return;
  }
  fail_pending(Error{.code = ErrorCode::kConnectionLost,
                     .effect = Effect::kUnknown,
                     .message = fmt::format(
                         "the connection to the coordinator at {} ended before the answer came: {}",
                         options_.coordinator, reason.message)});
}

void CallLink::tell_connected(const Result<>& result) {
  for (const auto& waiting : std::exchange(connecting_, {})) waiting.done(result);
}

void CallLink::fail_pending(const Error& reason) {
  for (const auto& [id, pending] : std::exchange(pending_, {})) pending.done(reason);
}

void CallLink::complete(std::uint64_t id, Result<ClientReply> reply) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;  // its deadline has passed
  const OnReply done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(reply));
}

// One timer for all who wait. It is set anew only for an earlier deadline, so that the usual call
// costs no system call for it.
void CallLink::watch(Instant deadline) {
  if (timer_set_ && *timer_set_ <= deadline) return;
  timer_set_ = deadline;
  timer_.expires_after(deadline - read_clocks().steady);
  timer_.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto alive = self.lock()) alive->on_timer();
  });
}

void CallLink::watch_earliest() {
  std::optional<Instant> earliest;
  const auto consider = [&earliest](Instant deadline) {
    if (!earliest || deadline < *earliest) earliest = deadline;
  };
  for (const auto& waiting : connecting_) consider(waiting.deadline);
  for (const auto& [id, pending] : pending_) consider(pending.deadline);
  if (earliest) watch(*earliest);
}

void CallLink::on_timer() {
  timer_set_.reset();
  const Instant now = read_clocks().steady;
  tell_late_connecting(now);
  tell_late_pending(now);
  watch_earliest();
}

void CallLink::tell_late_connecting(Instant now) {
  std::vector<Waiting> late;
  std::vector<Waiting> others;
  for (auto& waiting : std::exchange(connecting_, {}))
    (waiting.deadline <= now ? late : others).push_back(std::move(waiting));
  connecting_ = std::move(others);
  for (const auto& waiting : late)
    waiting.done(Error{.code = ErrorCode::kTimeout,
                       .effect = Effect::kNone,
                       .message = fmt::format("the coordinator at {} could not be reached in time",
                                              options_.coordinator)});
}

void CallLink::tell_late_pending(Instant now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, pending] : pending_) {
    if (pending.deadline <= now) late.push_back(id);
  }
  for (const std::uint64_t id : late)
    complete(id,
             Error{.code = ErrorCode::kTimeout,
                   .effect = Effect::kUnknown,
                   .message = "the coordinator did not answer in time; ask for the outcome later"});
}

}  // namespace assent
