#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/address.h"
#include "protocol/channel/transport.h"

/// TCP links, loopback only until there is encryption (design section 3). All calls and callbacks
/// on the io_context's one thread, but what happens before it runs.

namespace assent {

/// Accepts connections until it is destroyed. Above `connections_max` of them a newcomer is told
/// Refused with kBusy and closed; a connection counts until its Transport is gone.
class Listener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Transport> transport)>;

  /// kInvalid: not a loopback address. kIo: the system refuses (port taken).
  static Result<std::unique_ptr<Listener>> open(boost::asio::io_context& io, const Address& address,
                                                std::size_t connections_max, OnAccept on_accept);
  virtual ~Listener() = default;

  /// Where it listens: with the port that the system chose.
  virtual const Address& address() const = 0;
};

/// Calls `done` exactly once, from the loop: a transport, or kConnectionLost with effect none
/// (nobody listens there), or kTimeout after `deadline`, or kInvalid (not loopback).
void connect(boost::asio::io_context& io, const Address& address, Duration deadline,
             std::function<void(Result<std::unique_ptr<Transport>> connected)> done);

}  // namespace assent
