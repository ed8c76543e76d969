#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>

#include "coordinator/core/events.h"
#include "protocol/channel/channel.h"
#include "protocol/message/client.h"
#include "protocol/wire/convert.h"

namespace assent::coordinator {

/// One client connection: the hello, then requests in and replies out. On the executor, one thing
/// at a time.
class ClientSession final : public std::enable_shared_from_this<ClientSession> {
 public:
  /// What a session tells its owner, who must outlive it.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// `busy` as in ClientRequested. False: not taken, and nothing will be answered.
    virtual bool requested(ClientSessionId session, RequestId request, ClientRequest body,
                           std::optional<Error> busy) = 0;
    /// A request was answered or, when `count` is more, given up with the session.
    virtual void answered(std::size_t count) = 0;
    /// Last word of the session.
    virtual void closed(ClientSessionId session) = 0;
  };

  static std::shared_ptr<ClientSession> make(ClientSessionId id, const ClientWelcome& welcome,
                                             std::size_t requests_max, Owner& owner);

  void start(const boost::asio::any_io_executor& executor, std::unique_ptr<Transport> transport);
  void reply(RequestId request, ClientReply reply);
  void close(const Error& reason);

 private:
  ClientSession(ClientSessionId id, const ClientWelcome& welcome, std::size_t requests_max,
                Owner& owner);

  void on_body(std::string_view body);
  void on_refused_body(std::string_view body, const Error& error);
  void on_hello(const FromClient& message);
  void on_call(FromClient message);
  void on_closed(const Error& reason);
  bool is_next(std::uint64_t request_id);
  std::optional<Error> busy() const;
  void refuse(const Error& error);
  void send_reply(RequestId request, ClientReply reply);

  const ClientSessionId id_;
  const ClientWelcome welcome_;
  const std::size_t requests_max_;
  Owner& owner_;
  std::shared_ptr<Channel> channel_;
  bool greeted_ = false;
  std::uint64_t last_request_ = 0;  ///< ids rise
  std::size_t waiting_ = 0;         ///< requests not yet answered
};

}  // namespace assent::coordinator
