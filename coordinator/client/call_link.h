#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "coordinator/client/client_options.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/channel.h"
#include "protocol/message/client.h"
#include "protocol/wire/convert.h"

namespace assent {

/// The client's connection: says hello, sends calls, matches replies to them. Repeats nothing; that
/// is AsyncClient's. One thread.
class CallLink final : public std::enable_shared_from_this<CallLink> {
 public:
  using OnConnected = std::function<void(Result<>)>;
  using OnReply = std::function<void(Result<ClientReply>)>;

  static std::shared_ptr<CallLink> make(boost::asio::io_context& io, ClientOptions options);

  bool is_open() const { return phase_ == Phase::kOpen; }

  /// Unless open: connects, or waits for who does already. `done` from the loop. An error: no
  /// effect, nothing was sent but a hello.
  void connect(OnConnected done);

  /// While open. `done` from the loop. Errors: kTimeout at `deadline` and kConnectionLost, effect
  /// unknown; kInvalid, the request is too long, effect none.
  void call(ClientRequest request, Instant deadline, OnReply done);

  /// For good: calls under way are told kConnectionLost.
  void close();

 private:
  enum class Phase { kClosed, kConnecting, kGreeting, kOpen };
  struct Pending {
    Instant deadline;
    OnReply done;
  };

  CallLink(boost::asio::io_context& io, ClientOptions options);

  void begin_connecting();
  void on_transport(Result<std::unique_ptr<Transport>> connected);
  void on_body(std::string_view body);
  void on_greeted(const ToClient& message);
  void on_reply(ToClient message);
  void on_closed(const Error& reason);
  void tell_connected(const Result<>& result);
  void fail_pending(const Error& reason);
  void complete(std::uint64_t id, Result<ClientReply> reply);

  void watch(Instant deadline);
  void on_timer();

  boost::asio::io_context& io_;
  const ClientOptions options_;
  Phase phase_ = Phase::kClosed;
  std::shared_ptr<Channel> channel_;
  std::vector<OnConnected> connecting_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t calls_ = 0;
  boost::asio::steady_timer timer_;
  std::optional<Instant> timer_set_;  ///< not later than any pending deadline
};

}  // namespace assent
