#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>

/// The seam under a channel: a byte stream to one peer. TCP over Asio stands behind it (tcp.h);
/// encryption and the simulator can. All calls and all answers one at a time.

namespace assent {

/// Who uses a transport. Told at most once for each operation begun, never from within the call
/// that began it.
class TransportUser {
 public:
  virtual ~TransportUser() = default;

  /// `count` bytes were read, at least one; an error (end of file included) is final.
  virtual void on_read(const boost::system::error_code& error, std::size_t count) = 0;

  /// The rest was written, or an error that is final.
  virtual void on_written(const boost::system::error_code& error) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Reads what there is, up to `room`. One read at a time. The transport holds `user` (and with it
  /// the memory) until it has been told or the thread's loop is gone.
  virtual void read(std::span<char> room, std::shared_ptr<TransportUser> user) = 0;

  /// Writes what the system takes at once. True: that was all of `bytes`, and nothing is told.
  /// False: the rest is under way, and the user is told of its end. One write at a time; otherwise
  /// as read.
  virtual bool write(std::string_view bytes, std::shared_ptr<TransportUser> user) = 0;

  /// Tells the peer that nothing more will be written. After the last write.
  virtual void finish_writing() = 0;

  /// Ends the link at once; operations under way end with an error. May be called again.
  virtual void close() = 0;

  /// "127.0.0.1:40312", for logs and people.
  virtual std::string peer() const = 0;
};

}  // namespace assent
