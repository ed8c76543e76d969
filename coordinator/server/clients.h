#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "coordinator/server/client_session.h"
#include "coordinator/server/driver.h"
#include "coordinator/server/ports.h"
#include "protocol/channel/address.h"
#include "protocol/channel/tcp.h"

namespace assent::coordinator {

/// The listener for clients and their sessions. On the executor, one thing at a time.
///
/// A session takes a seat with its first work. When none is left, work is refused, but what is
/// asked is answered (R14): there are a few more connections than seats.
class Clients final : public ClientsPort, private ClientSession::Owner {
 public:
  struct Limits {
    std::size_t sessions_max = 0;  ///< seats
    std::size_t requests_max = 0;  ///< of one session, not yet answered
  };

  Clients(boost::asio::any_io_executor executor, Limits limits)
      : executor_(std::move(executor)), limits_(limits) {}

  /// Takes the port; connections wait in the system's queue until the loop runs. kIo: taken by
  /// another.
  Result<> listen(const Address& address);
  /// Once, before the loop runs. The driver must outlive the loop. `agents`: addresses by
  /// participant, for people; the core knows names only.
  void serve(Driver& driver, const ClientWelcome& welcome,
             std::map<std::string, std::string> agents);
  /// With the port that the system chose.
  const Address& address() const { return listener_->address(); }

  void reply(ClientSessionId session, RequestId request, ClientReply reply) override;

  /// New work is refused with this, after its key was looked up; nullopt: taken again.
  void refuse_work(std::optional<Error> why) { no_work_ = std::move(why); }

  /// No new connection; requests that arrive from now on are not looked at. When every request
  /// under way has been answered all sessions are closed; then `when_done`, from the loop.
  void drain(std::function<void()> when_done);

 private:
  void accept(std::unique_ptr<Transport> transport);
  bool requested(ClientSessionId session, RequestId request, ClientRequest body,
                 std::optional<Error> busy) override;
  void answered(std::size_t count) override;
  void closed(ClientSessionId session) override;
  bool take_seat(ClientSessionId session);
  void close_all();

  const boost::asio::any_io_executor executor_;
  const Limits limits_;
  Driver* driver_ = nullptr;
  ClientWelcome welcome_;
  std::map<std::string, std::string> agents_;
  std::unique_ptr<Listener> listener_;
  std::map<ClientSessionId, std::shared_ptr<ClientSession>> sessions_;
  std::set<ClientSessionId> seats_;
  std::uint64_t sessions_begun_ = 0;
  std::optional<Error> no_work_;
  std::size_t under_way_ = 0;           ///< requests not yet answered, of all sessions
  std::function<void()> when_drained_;  ///< set: draining
};

}  // namespace assent::coordinator
