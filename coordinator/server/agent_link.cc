#include "coordinator/server/agent_link.h"

#include <spdlog/spdlog.h>

#include <random>
#include <utility>
#include <variant>

#include "coordinator/server/crash_points.h"
#include "protocol/channel/tcp.h"
#include "protocol/wire/convert.h"

namespace assent::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kConnectMax = seconds(2);
constexpr Duration kRetryFirst = milliseconds(20);
constexpr Duration kRetryLongest = seconds(1);
/// An agent answers the hello when the sessions of older links are seen gone (R10).
constexpr Duration kHelloMax = seconds(30);
/// A link that stood so long is worth a quick try; one that ends at its welcome would be tried for
/// ever without a pause.
constexpr Duration kStood = seconds(1);
constexpr Duration kPingAfterSilence = seconds(2);
constexpr Duration kCutAfterSilence = seconds(6);

std::uint64_t random_bits() {
  static std::mt19937_64 source{std::random_device{}()};
  return source();
}

Error not_understood(std::string message) {
  return {.code = ErrorCode::kInvalid,
          .effect = assent::Effect::kUnknown,
          .message = std::move(message)};
}

Error silent() {
  return {.code = ErrorCode::kTimeout,
          .effect = assent::Effect::kUnknown,
          .message = "the agent has been silent for 6 seconds"};
}

Gtrid lowest_of(LogId log_id) {
  return {log_id, Epoch{1}, Sequence{1}};
}

}  // namespace

std::shared_ptr<AgentLink> AgentLink::make(const boost::asio::any_io_executor& executor,
                                           Driver& driver, std::string participant, Address address,
                                           MakeHello make_hello) {
  return std::shared_ptr<AgentLink>(new AgentLink(executor, driver, std::move(participant),
                                                  std::move(address), std::move(make_hello)));
}

AgentLink::AgentLink(const boost::asio::any_io_executor& executor, Driver& driver,
                     std::string participant, Address address, MakeHello make_hello)
    : executor_(executor),
      driver_(driver),
      participant_(std::move(participant)),
      address_(std::move(address)),
      make_hello_(std::move(make_hello)),
      backoff_(kRetryFirst, kRetryLongest, random_bits),
      timer_(executor) {}

void AgentLink::start() {
  connect();
}

void AgentLink::send(const AgentRequest& request) {
  if (incarnation_ != request.incarnation) return;
  lowest_unfinished_ = request.lowest_unfinished;
  const PointsAround points = points_around(request);
  crash_point(points.before);
  if (const auto sent = channel_->send(request); sent.has_error()) channel_->close(sent.error());
  channel_->crash_point_when_sent(points.after);
}

void AgentLink::close(const Error& why) {
  if (channel_) channel_->close(why);
}

void AgentLink::connect() {
  assent::connect(executor_, address_, kConnectMax,
                  [self = shared_from_this()](Result<std::unique_ptr<Transport>> connected) {
                    self->on_connected(std::move(connected));
                  });
}

void AgentLink::on_connected(Result<std::unique_ptr<Transport>> connected) {
  if (connected.has_error()) {
    lost(connected.error());
    return;
  }
  ChannelLimits limits;
  limits.hello_max = kHelloMax;
  channel_ = Channel::make(executor_, std::move(*connected), limits);
  channel_->start(weak_from_this(), &AgentLink::on_body, &AgentLink::on_closed);
  crash_point("coordinator.hello.before_send");
  if (const auto sent = channel_->send(make_hello_()); sent.has_error())
    channel_->close(sent.error());
  channel_->crash_point_when_sent("coordinator.hello.sent");
}

void AgentLink::on_body(std::string_view body) {
  auto message = decode_from_agent(body);
  if (message.has_error()) {
    channel_->close(message.error());
    return;
  }
  if (incarnation_) {
    on_reply(std::move(*message));
  } else {
    on_greeted(std::move(*message));
  }
}

void AgentLink::on_greeted(FromAgent message) {
  if (const auto* refused = std::get_if<Refused>(&message)) {
    fence_ = {refused->fence_top, refused->fence_epoch};
    channel_->close(refused->error);
    return;
  }
  auto* welcome = std::get_if<Welcome>(&message);
  if (welcome == nullptr) {
    channel_->close(not_understood("the agent answered the hello with something else"));
    return;
  }
  channel_->established();
  welcomed_ = read_clocks().steady;
  last_complaint_.clear();
  incarnation_ = welcome->incarnation;
  lowest_unfinished_ = lowest_of(make_hello_().log_id);
  heard_ = read_clocks().steady;
  watch_silence();
  spdlog::info("participant={} agent={} connected kind={} database={}", participant_,
               to_string(address_), welcome->kind, welcome->database.id);
  driver_.agent_connected(participant_, std::move(*welcome));
}

void AgentLink::on_reply(FromAgent message) {
  auto* reply = std::get_if<AgentReply>(&message);
  if (reply == nullptr || reply->incarnation != *incarnation_) {
    channel_->close(not_understood("the agent sent what is no reply of its incarnation"));
    return;
  }
  heard_ = read_clocks().steady;
  if (std::holds_alternative<Pong>(reply->body)) return;
  driver_.agent_replied(participant_, std::move(*reply));
}

void AgentLink::on_closed(const Error& reason) {
  channel_.reset();
  if (incarnation_ && read_clocks().steady - welcomed_ >= kStood) backoff_.reset();
  incarnation_.reset();
  lost(reason);
}

void AgentLink::lost(const Error& reason) {
  // The same reason again and again, while an agent is down, is told once.
  if (reason.message != last_complaint_) {
    last_complaint_ = reason.message;
    spdlog::warn("participant={} agent={} no link: {}", participant_, to_string(address_),
                 reason.message);
  }
  wait_and_connect();
  driver_.agent_disconnected(participant_, reason, std::exchange(fence_, {}));
}

void AgentLink::wait_and_connect() {
  timer_.expires_after(backoff_.next());
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->connect();
  });
}

void AgentLink::watch_silence() {
  const Duration silence = read_clocks().steady - heard_;
  timer_.expires_after(silence < kPingAfterSilence ? kPingAfterSilence - silence
                                                   : kPingAfterSilence);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->on_silence();
  });
}

void AgentLink::on_silence() {
  if (!incarnation_) return;
  const Duration silence = read_clocks().steady - heard_;
  if (silence >= kCutAfterSilence) {
    channel_->close(silent());
    return;
  }
  if (silence >= kPingAfterSilence) ping();
  watch_silence();
}

void AgentLink::ping() {
  send(AgentRequest{*incarnation_, lowest_unfinished_, Ping{}});
}

}  // namespace assent::coordinator
