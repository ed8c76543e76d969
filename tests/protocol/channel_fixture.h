#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "protocol/channel/channel.h"
#include "protocol/channel/tcp.h"

namespace assent {

/// One end of a link and what it was told.
struct End {
  std::shared_ptr<Channel> channel;
  std::vector<std::string> bodies;
  std::vector<Error> closed;

  /// Starts `channel`; every body is kept and then given to `on_body`.
  void start(std::function<void(std::string_view)> on_body = nullptr);
};

/// A real loopback listener in the test's own thread. Verbs run the loop until what they name has
/// happened and fail the test when it has not after ten seconds.
class Loopback {
 public:
  explicit Loopback(ChannelLimits limits = {}, std::size_t connections_max = 10);

  /// A channel at both ends; the server's is in server(). Neither is started.
  std::unique_ptr<End> connect(ChannelLimits limits = {});

  /// A bare socket as the client, for what no channel would send. The server's end is started.
  boost::asio::ip::tcp::socket connect_raw();

  End& server() { return *servers_.back(); }
  std::size_t accepted() const { return servers_.size(); }
  void drop_server() { servers_.pop_back(); }
  const Address& address() const { return listener_->address(); }
  boost::asio::io_context& io() { return io_; }

  void run_until(const std::function<bool()>& happened);
  void run_until_closed(const End& end);

 private:
  boost::asio::io_context io_;
  ChannelLimits limits_;
  std::vector<std::unique_ptr<End>> servers_;
  std::unique_ptr<Listener> listener_;
};

/// A whole frame.
std::string framed(std::string_view body);

}  // namespace assent
