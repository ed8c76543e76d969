#include "protocol/channel/tcp.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"

namespace assent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class TcpTransport final : public Transport {
 public:
  /// `seat`: what the transport holds of its listener's limit; nullptr when it holds nothing.
  TcpTransport(tcp::socket socket, std::shared_ptr<void> seat)
      : socket_(std::move(socket)), seat_(std::move(seat)) {
    error_code ignored;  // without it the link is slower, not wrong
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    error_code gone;
    const tcp::endpoint peer = socket_.remote_endpoint(gone);
    peer_ =
        gone ? "a peer that is gone" : to_string(Address{peer.address().to_string(), peer.port()});
  }

  void read(std::span<char> room, std::shared_ptr<TransportUser> user) override {
    socket_.async_read_some(asio::buffer(room.data(), room.size()),
                            [user = std::move(user)](const error_code& error, std::size_t count) {
                              user->on_read(error, count);
                            });
  }

  bool write(std::string_view bytes, std::shared_ptr<TransportUser> user) override {
    error_code error;  // met again by the rest, which tells it
    bytes.remove_prefix(socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error));
    if (bytes.empty()) return true;
    asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                      [user = std::move(user)](const error_code& failure, std::size_t) {
                        user->on_written(failure);
                      });
    return false;
  }

  void finish_writing() override {
    error_code ignored;  // the peer may be gone already
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;  // the descriptor is released whatever close reports (close(2))
    socket_.close(ignored);
    seat_.reset();
  }

  std::string peer() const override { return peer_; }

 private:
  tcp::socket socket_;
  std::shared_ptr<void> seat_;
  std::string peer_;
};

Result<tcp::endpoint> loopback_endpoint(const Address& address) {
  error_code error;
  const auto ip = asio::ip::make_address(address.host, error);
  if (error) return Error{.message = "\"" + address.host + "\" is not an IP address."};
  if (!ip.is_loopback()) {
    return Error{.message = to_string(address) +
                            " is not a loopback address: links are not encrypted yet, so only "
                            "127.0.0.1 and ::1 are allowed."};
  }
  return tcp::endpoint(ip, address.port);
}

// ---- listening

/// How long to leave a listener alone that the system gives no more descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

Error failed_to(std::string_view what, const Address& address, const error_code& error) {
  return {.code = ErrorCode::kIo,
          .message = "Can't " + std::string(what) + " " + to_string(address) + ": " +
                     error.message() + "."};
}

/// One accepting socket; lives as long as it waits for a connection, which close() ends.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(const asio::any_io_executor& executor, std::size_t connections_max,
           Listener::OnAccept on_accept)
      : acceptor_(executor),
        pause_(executor),
        connections_max_(connections_max),
        on_accept_(std::move(on_accept)) {}

  Result<Address> listen(const Address& address) {
    const Result<tcp::endpoint> endpoint = loopback_endpoint(address);
    if (!endpoint) return endpoint.error();
    error_code error;
    acceptor_.open(endpoint->protocol(), error);
    // A restarted process takes its port back while old connections still linger (socket(7)).
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failed_to("listen on", address, error);
    return Address{address.host, acceptor_.local_endpoint().port()};
  }

  void accept_next() {
    acceptor_.async_accept(
        [self = shared_from_this()](const error_code& error, tcp::socket socket) {
          if (!self->acceptor_.is_open()) return;
          if (error) return self->pause();
          self->welcome(std::move(socket));
          self->accept_next();
        });
  }

  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    on_accept_ = nullptr;
  }

 private:
  void pause() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](const error_code&) {
      if (self->acceptor_.is_open()) self->accept_next();
    });
  }

  void welcome(tcp::socket socket) {
    if (static_cast<std::size_t>(seats_.use_count()) > connections_max_) {
      return turn_away(std::move(socket));
    }
    on_accept_(std::make_unique<TcpTransport>(std::move(socket), seats_));
  }

  /// One attempt, without waiting: the newcomer's first window takes these few bytes.
  void turn_away(tcp::socket socket) {
    std::string frame;
    const std::size_t begun = begin_frame(frame);
    encode(Refused{{.code = ErrorCode::kBusy,
                    .message = "There are " + std::to_string(connections_max_) +
                               " connections already, which is the limit; try again later."}},
           frame);
    if (!end_frame(frame, begun)) return;
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(frame), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  const std::size_t connections_max_;
  Listener::OnAccept on_accept_;
  /// Each open connection holds one copy; ours is one more.
  std::shared_ptr<void> seats_ = std::make_shared<char>();
};

class TcpListener final : public Listener {
 public:
  TcpListener(std::shared_ptr<Acceptor> acceptor, Address address)
      : acceptor_(std::move(acceptor)), address_(std::move(address)) {}
  ~TcpListener() override { acceptor_->close(); }

  const Address& address() const override { return address_; }

 private:
  std::shared_ptr<Acceptor> acceptor_;
  Address address_;
};

// ---- connecting

using OnConnected = std::function<void(Result<std::unique_ptr<Transport>>)>;

/// One attempt; the socket's answer and the timer race, the first of them tells.
class Connecting : public std::enable_shared_from_this<Connecting> {
 public:
  Connecting(const asio::any_io_executor& executor, Address address, OnConnected done)
      : socket_(executor), timer_(executor), address_(std::move(address)), done_(std::move(done)) {}

  void begin(const tcp::endpoint& endpoint, Duration deadline) {
    timer_.expires_after(deadline);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->time_out();
    });
    socket_.async_connect(
        endpoint, [self = shared_from_this()](const error_code& error) { self->connected(error); });
  }

 private:
  void time_out() {
    tell(Error{.code = ErrorCode::kTimeout,
               .message = "No answer from " + to_string(address_) + " in time."});
    error_code ignored;
    socket_.close(ignored);
  }

  void connected(const error_code& error) {
    timer_.cancel();
    if (error) {
      return tell(Error{
          .code = ErrorCode::kConnectionLost,
          .message = "Can't connect to " + to_string(address_) + ": " + error.message() + "."});
    }
    if (!done_) return;  // the timer was first
    tell(std::unique_ptr<Transport>(
        std::make_unique<TcpTransport>(std::move(socket_), std::shared_ptr<void>())));
  }

  void tell(Result<std::unique_ptr<Transport>> connected) {
    if (!done_) return;
    std::exchange(done_, nullptr)(std::move(connected));
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  const Address address_;
  OnConnected done_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(const asio::any_io_executor& executor,
                                                 const Address& address,
                                                 std::size_t connections_max, OnAccept on_accept) {
  auto acceptor = std::make_shared<Acceptor>(executor, connections_max, std::move(on_accept));
  Result<Address> bound = acceptor->listen(address);
  if (!bound) return bound.error();
  acceptor->accept_next();
  return std::unique_ptr<Listener>(
      std::make_unique<TcpListener>(std::move(acceptor), std::move(*bound)));
}

void connect(const asio::any_io_executor& executor, const Address& address, Duration deadline,
             std::function<void(Result<std::unique_ptr<Transport>> connected)> done) {
  const Result<tcp::endpoint> endpoint = loopback_endpoint(address);
  if (!endpoint) {
    asio::post(executor, [done = std::move(done), error = endpoint.error()] { done(error); });
    return;
  }
  std::make_shared<Connecting>(executor, address, std::move(done))->begin(*endpoint, deadline);
}

}  // namespace assent
