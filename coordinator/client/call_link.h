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
#include "protocol/base/xid.h"
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
  bool is_closed_for_good() const { return closed_; }

  /// Number of the connection that is open, or was last; a transaction lives on one only.
  std::uint64_t connection() const { return connections_; }
  /// Which decision log is behind it, as its welcome says.
  LogId log_id() const { return log_id_; }

  /// Unless open: connects, or waits for who does already. `done` from the loop. An error: no
  /// effect, nothing was sent but a hello; kTimeout at `deadline`, while the connecting goes on for
  /// others.
  void connect(Instant deadline, OnConnected done);

  /// `done` from the loop. Errors: kTimeout at `deadline` and kConnectionLost, effect unknown;
  /// kInvalid, the request is too long, and kConnectionLost when the link was not open, effect
  /// none.
  void call(ClientRequest request, Instant deadline, OnReply done);

  /// For good: whoever waits is told kConnectionLost, from the loop, and so is whoever calls later.
  void close();

 private:
  enum class Phase { kClosed, kConnecting, kGreeting, kOpen };
  struct Waiting {
    Instant deadline;
    OnConnected done;
  };
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
  void tell_late_connecting(Instant now);
  void tell_late_pending(Instant now);
  void fail_pending(const Error& reason);
  void complete(std::uint64_t id, Result<ClientReply> reply);

  void watch(Instant deadline);
  void watch_earliest();
  void on_timer();

  boost::asio::io_context& io_;
  const ClientOptions options_;
  Phase phase_ = Phase::kClosed;
  std::shared_ptr<Channel> channel_;
  std::vector<Waiting> connecting_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t calls_ = 0;
  std::uint64_t connections_ = 0;
  LogId log_id_{};
  bool closed_ = false;
  boost::asio::steady_timer timer_;
  std::optional<Instant> timer_set_;  ///< not later than any deadline
};

}  // namespace assent
