#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "coordinator/server/driver.h"
#include "protocol/channel/address.h"
#include "protocol/channel/backoff.h"
#include "protocol/channel/channel.h"
#include "protocol/message/agent.h"

namespace assent::coordinator {

/// The one link to a participant's agent: connects, says hello, carries requests and replies, and
/// begins again with a capped backoff whenever it ends. On the executor, one thing at a time.
///
/// kWaiting -> kConnecting -> kGreeting -> kOpen; from each back to kWaiting when it fails.
class AgentLink final : public std::enable_shared_from_this<AgentLink> {
 public:
  /// Says the hello anew for each link: a person may give up what is missing.
  using MakeHello = std::function<Hello()>;

  /// The driver must outlive the link's last turn of the loop.
  static std::shared_ptr<AgentLink> make(const boost::asio::any_io_executor& executor,
                                         Driver& driver, std::string participant, Address address,
                                         MakeHello make_hello);

  void start();

  /// Dropped unless the link is open and its agent of that incarnation.
  void send(const AgentRequest& request);

  /// Ends the link that stands, if any; the driver is told, and the next try follows.
  void close(const Error& why);

 private:
  AgentLink(const boost::asio::any_io_executor& executor, Driver& driver, std::string participant,
            Address address, MakeHello make_hello);

  void connect();
  void on_connected(Result<std::unique_ptr<Transport>> connected);
  void on_body(std::string_view body);
  void on_greeted(FromAgent message);
  void on_reply(FromAgent message);
  void on_closed(const Error& reason);
  void lost(const Error& reason);
  void wait_and_connect();
  void watch_silence();
  void on_silence();
  void ping();

  const boost::asio::any_io_executor executor_;
  Driver& driver_;
  const std::string participant_;
  const Address address_;
  const MakeHello make_hello_;

  Backoff backoff_;
  boost::asio::steady_timer timer_;  ///< until the next try, or the next look at a silent link
  std::shared_ptr<Channel> channel_;
  std::optional<Incarnation> incarnation_;  ///< of the open link's agent
  Gtrid lowest_unfinished_;                 ///< as the core last said it: for pings
  Instant heard_;
  Instant welcomed_;
  std::string last_complaint_;
  FenceTold fence_;  ///< by the refusal that is ending the link
};

}  // namespace assent::coordinator
