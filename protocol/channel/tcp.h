#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/address.h"
#include "protocol/channel/transport.h"

/// TCP links, loopback only until there is encryption (design section 3). All calls and callbacks
/// on the executor that is given, which runs one thing at a time: an io_context with one thread, or
/// a turn. What is called before that runs may be called from elsewhere.

namespace assent {

/// Accepts connections until it is destroyed. Above `connections_max` of them a newcomer is told
/// Refused with kBusy and closed; a connection counts until its Transport is gone.
class Listener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Transport> transport)>;

  /// kInvalid: not a loopback address. kIo: the system refuses (port taken).
  static Result<std::unique_ptr<Listener>> open(const boost::asio::any_io_executor& executor,
                                                const Address& address, std::size_t connections_max,
                                                OnAccept on_accept);
  virtual ~Listener() = default;

  /// Where it listens: with the port that the system chose.
  virtual const Address& address() const = 0;
};

/// Calls `done` exactly once, from the executor: a transport, or kConnectionLost with effect none
/// (nobody listens there), or kTimeout after `deadline`, or kInvalid (not loopback).
void connect(const boost::asio::any_io_executor& executor, const Address& address,
             Duration deadline,
             std::function<void(Result<std::unique_ptr<Transport>> connected)> done);

}  // namespace assent
