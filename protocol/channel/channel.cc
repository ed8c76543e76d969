#include "protocol/channel/channel.h"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent {
namespace {

using boost::system::error_code;

constexpr std::size_t kKeptBytesMax = 256 * 1024;

Error lost(const std::string& peer, const error_code& error) {
  const bool by_peer = error == boost::asio::error::eof;
  return {.code = ErrorCode::kConnectionLost,
          .effect = Effect::kUnknown,
          .message = by_peer ? peer + " closed the link."
                             : "The link to " + peer + " broke: " + error.message() + "."};
}

Error with_peer(Error error, const std::string& peer) {
  error.message = "Link to " + peer + ": " + error.message;
  return error;
}

}  // namespace

Channel::Channel(const boost::asio::any_io_executor& executor, std::unique_ptr<Transport> transport,
                 ChannelLimits limits)
    : executor_(executor),
      transport_(std::move(transport)),
      limits_(limits),
      peer_(transport_->peer()),
      reader_(kHelloBytesMax),
      timer_(executor) {}

std::shared_ptr<Channel> Channel::make(const boost::asio::any_io_executor& executor,
                                       std::unique_ptr<Transport> transport, ChannelLimits limits) {
  return std::shared_ptr<Channel>(new Channel(executor, std::move(transport), limits));
}

std::shared_ptr<TransportUser> Channel::self() {
  return {shared_from_this(), static_cast<TransportUser*>(this)};
}

void Channel::start(OnBody on_body, OnClosed on_closed) {
  ASSENT_CHECK(phase_ == Phase::kIdle);
  phase_ = Phase::kOpen;
  on_body_ = std::move(on_body);
  on_closed_ = std::move(on_closed);
  if (limits_.hello_max > Duration::zero()) hello_deadline_ = Clock::now() + limits_.hello_max;
  watch();
  read_more();
}

void Channel::established() {
  hello_deadline_.reset();
  reader_.set_body_bytes_max(kFrameBytesMax);
}

// ---- sending

Result<> Channel::send_body(std::string_view body) {
  if (!accepts_sends()) return {};
  const std::size_t begun = begin_frame(outgoing_);
  outgoing_ += body;
  return end_send(begun);
}

Result<> Channel::end_send(std::size_t begun) {
  if (Result<> ended = end_frame(outgoing_, begun); !ended) return ended;
  if (outgoing_.size() + writing_.size() > limits_.outgoing_bytes_max) {
    close({.code = ErrorCode::kBusy,
           .effect = Effect::kUnknown,
           .message = peer_ + " does not read what is sent to it: more than " +
                      std::to_string(limits_.outgoing_bytes_max) + " bytes were waiting."});
    return {};
  }
  schedule_flush();
  return {};
}

/// At the end of the loop's turn, so that everything sent during it leaves in one write.
void Channel::schedule_flush() {
  if (flush_scheduled_ || !writing_.empty()) return;
  flush_scheduled_ = true;
  boost::asio::post(executor_, [this, alive = shared_from_this()] {
    flush_scheduled_ = false;
    flush();
  });
}

void Channel::crash_point_when_sent(CrashPoint point) {
  if (!crash_points_armed()) return;
  boost::asio::post(executor_, [this, alive = shared_from_this(), point] {
    flush();
    crash_point(point);
  });
}

void Channel::flush() {
  if (phase_ != Phase::kOpen && phase_ != Phase::kDraining) return;
  if (!writing_.empty() || outgoing_.empty()) return;
  std::swap(writing_, outgoing_);
  if (transport_->write(writing_, self())) return clear_written();
  write_deadline_ = Clock::now() + limits_.stall_max;
  watch();
}

void Channel::clear_written() {
  writing_.clear();
  if (writing_.capacity() > kKeptBytesMax) writing_.shrink_to_fit();
}

void Channel::on_written(const error_code& error) {
  if (phase_ == Phase::kClosed) return;
  if (error) return close(lost(peer_, error));
  write_deadline_.reset();
  clear_written();
  flush();
  finish_draining();
}

// ---- reading

void Channel::read_more() {
  transport_->read(reader_.room(), self());
}

void Channel::on_read(const error_code& error, std::size_t count) {
  if (phase_ == Phase::kClosed) return;
  if (error) return close(drain_reason_ ? std::move(*drain_reason_) : lost(peer_, error));
  if (phase_ == Phase::kOpen) {
    reader_.filled(count);
    deliver();
  }
  if (phase_ != Phase::kClosed) read_more();
}

void Channel::deliver() {
  while (phase_ == Phase::kOpen) {
    const auto body = reader_.next();
    if (!body) return close(with_peer(body.error(), peer_));
    if (!*body) break;
    frame_deadline_.reset();
    on_body_(**body);
  }
  if (phase_ != Phase::kOpen) return;
  if (!reader_.mid_frame()) {
    frame_deadline_.reset();
  } else if (!frame_deadline_) {
    frame_deadline_ = Clock::now() + limits_.stall_max;
    watch();
  }
}

// ---- ending

void Channel::close(Error reason) {
  if (phase_ == Phase::kClosed) return;
  const bool started = phase_ != Phase::kIdle;
  phase_ = Phase::kClosed;
  timer_.cancel();
  transport_->close();
  outgoing_.clear();
  if (!started) return;
  // Posted: the owner may be in the middle of a call to us, or of a body's delivery.
  boost::asio::post(executor_, [alive = shared_from_this(), why = std::move(reason)] {
    const OnClosed on_closed = std::exchange(alive->on_closed_, nullptr);
    alive->on_body_ = nullptr;
    on_closed(why);
  });
}

void Channel::close_when_sent(Error reason) {
  ASSENT_CHECK(phase_ != Phase::kIdle);
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kDraining;
  drain_reason_ = std::move(reason);
  hello_deadline_.reset();
  frame_deadline_ = Clock::now() + limits_.stall_max;
  watch();
  flush();
  finish_draining();
}

/// A socket closed with unread bytes resets the link, and the reset may overtake what was sent: so
/// end our half and read on until the peer has ended its own, or the deadline.
void Channel::finish_draining() {
  if (phase_ != Phase::kDraining || !writing_.empty() || !outgoing_.empty()) return;
  transport_->finish_writing();
}

// ---- deadlines

/// The timer is set only for what is being waited for and is left to run when that has come: a
/// frame or write in the usual time costs no call of the timer's.
void Channel::watch() {
  const auto nearest = nearest_deadline();
  if (!nearest || (timer_set_ && *timer_set_ <= *nearest)) return;
  timer_set_ = nearest;
  timer_.expires_at(*nearest);
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto channel = weak.lock();
    if (!error && channel != nullptr) channel->on_timer();
  });
}

Channel::Deadline Channel::nearest_deadline() const {
  Deadline nearest;
  for (const auto& deadline : {hello_deadline_, frame_deadline_, write_deadline_}) {
    if (deadline && (!nearest || *deadline < *nearest)) nearest = deadline;
  }
  return nearest;
}

void Channel::on_timer() {
  timer_set_.reset();
  if (phase_ == Phase::kClosed) return;
  const auto nearest = nearest_deadline();
  if (nearest && *nearest <= Clock::now()) return close_for_slowness();
  watch();
}

void Channel::close_for_slowness() {
  if (drain_reason_) return close(std::move(*drain_reason_));
  const auto now = Clock::now();
  Error error{.code = ErrorCode::kTimeout, .effect = Effect::kUnknown};
  if (hello_deadline_ && *hello_deadline_ <= now) {
    error.message = "no hello, or no answer to it, in time.";
  } else if (frame_deadline_ && *frame_deadline_ <= now) {
    error.message = "a frame that had begun did not end in time.";
  } else {
    error.message = "the peer did not take what was sent to it in time.";
  }
  close(with_peer(std::move(error), peer_));
}

}  // namespace assent
