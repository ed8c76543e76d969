#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/base/check.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/transport.h"
#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"

namespace assent {

class CrashPoint;

/// Limits of one link (R14).
struct ChannelLimits {
  /// What may wait to be sent. More means that the peer does not read: the link is closed with
  /// kBusy.
  std::size_t outgoing_bytes_max = 16 * 1024 * 1024;
  /// From start() to established(); then the link is closed with kTimeout. 0: for ever.
  Duration hello_max = std::chrono::seconds(5);
  /// How long a frame may take from its first byte to its last, and a write until the system has
  /// taken it; then the link is closed with kTimeout.
  Duration stall_max = std::chrono::seconds(10);
};

/// One framed link. Reads go on from start() to the end; whatever is sent during one turn of the
/// loop, or while a write is under way, leaves in one write.
///
/// Calls and callbacks run on the executor, which runs one thing at a time. A channel that
/// was started keeps itself alive until it is closed; then it lets both callbacks go, so they may
/// hold its owner.
class Channel final : public std::enable_shared_from_this<Channel>, private TransportUser {
 public:
  /// A whole, checked body, valid during the call; the owner decodes it (convert.h). May send and
  /// close.
  using OnBody = std::function<void(std::string_view body)>;
  /// Exactly once, however the link ended, and from the loop: never from within close() or send().
  /// Nothing is called after it. With kConnectionLost what was sent may or may not have arrived.
  using OnClosed = std::function<void(const Error& reason)>;

  static std::shared_ptr<Channel> make(const boost::asio::any_io_executor& executor,
                                       std::unique_ptr<Transport> transport,
                                       ChannelLimits limits = {});
  ~Channel() override = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Once, and before anything is sent.
  void start(OnBody on_body, OnClosed on_closed);

  /// The same for an owner that holds the channel: it is only held weakly, since when the loop ends
  /// before the channel is closed, the two would hold each other for ever.
  template <typename Owner>
  void start(std::weak_ptr<Owner> owner, void (Owner::*on_body)(std::string_view),
             void (Owner::*on_closed)(const Error&)) {
    start(
        [owner, on_body](std::string_view body) {
          if (const auto held = owner.lock()) ((*held).*on_body)(body);
        },
        [owner, on_closed](const Error& reason) {
          if (const auto held = owner.lock()) ((*held).*on_closed)(reason);
        });
  }

  /// The hello (or its answer) was accepted: frames up to kFrameBytesMax from now on, no deadline.
  void established();

  /// Queues a message of convert.h. On a link that is closed or closing it is dropped: on_closed
  /// says so. The only error: longer than kFrameBytesMax, kInvalid, nothing of it was sent and the
  /// link goes on.
  template <typename Message>
  [[nodiscard]] Result<> send(const Message& message) {
    if (!accepts_sends()) return {};
    const std::size_t begun = begin_frame(outgoing_);
    encode(message, outgoing_);
    return end_send(begun);
  }

  /// The same for bytes that are a body already.
  [[nodiscard]] Result<> send_body(std::string_view body);

  /// A crash point that is passed when all that was sent until now has left, as far as the system
  /// takes it.
  void crash_point_when_sent(CrashPoint point);

  /// At once: what is queued is dropped, no body is given from here on (R6).
  void close(Error reason);

  /// After what is queued has been sent, or `stall_max`; no body is given from here on. For
  /// refusals.
  void close_when_sent(Error reason);

  bool is_open() const { return phase_ == Phase::kOpen; }

  /// "127.0.0.1:40312", for logs and people.
  const std::string& peer() const { return peer_; }

 private:
  /// kIdle -> kOpen -> kDraining (what is queued leaves, what comes is thrown away) -> kClosed
  enum class Phase { kIdle, kOpen, kDraining, kClosed };

  Channel(const boost::asio::any_io_executor& executor, std::unique_ptr<Transport> transport,
          ChannelLimits limits);

  bool accepts_sends() const {
    ASSENT_CHECK(phase_ != Phase::kIdle);
    return phase_ == Phase::kOpen;
  }
  Result<> end_send(std::size_t begun);
  void schedule_flush();
  void flush();
  void clear_written();

  void read_more();
  void on_read(const boost::system::error_code& error, std::size_t count) override;
  void on_written(const boost::system::error_code& error) override;
  void deliver();
  void finish_draining();

  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;
  Deadline nearest_deadline() const;
  void watch();
  void on_timer();
  void close_for_slowness();

  std::shared_ptr<TransportUser> self();

  const boost::asio::any_io_executor executor_;
  std::unique_ptr<Transport> transport_;
  const ChannelLimits limits_;
  const std::string peer_;
  Phase phase_ = Phase::kIdle;
  OnBody on_body_;
  OnClosed on_closed_;
  std::optional<Error> drain_reason_;

  FrameReader reader_;
  std::string outgoing_;  ///< waits for the next write
  std::string writing_;   ///< is being written; empty: no write under way
  bool flush_scheduled_ = false;

  boost::asio::steady_timer timer_;
  Deadline timer_set_;  ///< when it will go off
  Deadline hello_deadline_;
  Deadline frame_deadline_;
  Deadline write_deadline_;
};

}  // namespace assent
