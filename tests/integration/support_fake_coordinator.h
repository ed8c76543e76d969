#pragma once

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "protocol/channel/channel.h"
#include "protocol/channel/tcp.h"
#include "protocol/message/client.h"
#include "protocol/wire/convert.h"

namespace assent::testing {

/// A coordinator that follows a script, on a thread of its own: what a client does when the real
/// one answers badly, late or not at all.
class FakeCoordinator {
 public:
  /// What happens to the n-th request, whichever connection brings it.
  using Act = std::function<void(Channel& channel, std::uint64_t request_id)>;

  static Act answer(Outcome outcome, ErrorCode code = ErrorCode::kBusy) {
    return [outcome, code](Channel& channel, std::uint64_t request_id) {
      Answer made;
      made.outcome = outcome;
      if (outcome != Outcome::kCommitted) made.error = Error{.code = code, .message = "script"};
      (void)channel.send(ClientCallReply{request_id, made});
    };
  }
  /// To a begin; a gtrid of the log that the first connection is told.
  static Act begun() {
    return [](Channel& channel, std::uint64_t request_id) {
      (void)channel.send(
          ClientCallReply{request_id, Begun{Gtrid{LogId{1}, Epoch{1}, Sequence{1}}}});
    };
  }
  static Act hang_up() {
    return [](Channel& channel, std::uint64_t) {
      channel.close(Error{.code = ErrorCode::kConnectionLost, .message = "script"});
    };
  }
  static Act say_nothing() {
    return [](Channel&, std::uint64_t) {};
  }

  /// `logs`: what the n-th connection is told to be behind it; the last is for all that follow.
  explicit FakeCoordinator(std::vector<Act> script, std::vector<LogId> logs = {LogId{1}})
      : script_(std::move(script)), logs_(std::move(logs)) {
    auto accept = [this](std::unique_ptr<Transport> transport) { serve(std::move(transport)); };
    auto opened =
        Listener::open(io_.get_executor(), Address{"127.0.0.1", 0}, 10, std::move(accept));
    if (opened.has_error()) throw std::runtime_error(opened.error().message);
    listener_ = std::move(*opened);
    thread_ = std::thread([this] { io_.run(); });
  }

  ~FakeCoordinator() {
    boost::asio::post(io_, [this] {
      listener_.reset();
      for (const auto& channel : channels_)
        channel->close(Error{.code = ErrorCode::kStopping, .message = "script"});
    });
    thread_.join();
  }
  FakeCoordinator(const FakeCoordinator&) = delete;
  FakeCoordinator& operator=(const FakeCoordinator&) = delete;

  std::string address() const { return to_string(listener_->address()); }

  /// What was asked, in order. After the client's call has returned.
  std::vector<ClientRequest> requests() {
    std::vector<ClientRequest> seen;
    run_there([&] { seen = requests_; });
    return seen;
  }

 private:
  void serve(std::unique_ptr<Transport> transport) {
    auto channel = Channel::make(io_.get_executor(), std::move(transport));
    channels_.push_back(channel);
    auto on_body = [this, raw = channel.get()](std::string_view body) { take(*raw, body); };
    channel->start(std::move(on_body), [](const Error&) {});
  }

  void take(Channel& channel, std::string_view body) {
    auto message = decode_from_client(body);
    if (message.has_error()) return channel.close(message.error());
    if (std::holds_alternative<ClientHello>(*message)) {
      channel.established();
      const LogId log = logs_.at(std::min(hellos_++, logs_.size() - 1));
      (void)channel.send(ClientWelcome{1, "pay", log, Epoch{1}});
      return;
    }
    auto& call = std::get<ClientCall>(*message);
    const std::size_t at = requests_.size();
    requests_.push_back(std::move(call.request));
    script_.at(std::min(at, script_.size() - 1))(channel, call.request_id);
  }

  void run_there(const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  const std::vector<Act> script_;
  const std::vector<LogId> logs_;
  std::size_t hellos_ = 0;
  boost::asio::io_context io_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::shared_ptr<Channel>> channels_;
  std::vector<ClientRequest> requests_;
  std::thread thread_;
};

}  // namespace assent::testing
