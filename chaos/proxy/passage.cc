#include "chaos/proxy/passage.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

namespace assent::live {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// Above that a link takes nothing more in, as the buffers of a real one.
constexpr std::size_t kUnderWayMax = std::size_t{1024} * 1024;

}  // namespace

bool Trap::State::let_pass() {
  const std::lock_guard lock(mutex);
  if (!caught) {
    caught = true;
    changed.notify_all();
  }
  return released;
}

// ---- one direction

Flow::Flow(Passage& passage, LinkState& link, Direction direction, std::uint64_t seed)
    : passage_(passage),
      link_(link),
      direction_(direction),
      cutter_(link.carries, direction),
      mangler_(seed),
      timer_(passage.source_of(direction).get_executor()) {}

void Flow::read() {
  const bool full = !silent_ && bytes_under_way_ >= kUnderWayMax;
  if (reading_ || source_ended_ || full) return;
  reading_ = true;
  passage_.source_of(direction_)
      .async_read_some(boost::asio::buffer(buffer_),
                       [this, alive = passage_.shared_from_this()](
                           const error_code& error, std::size_t count) { on_read(error, count); });
}

void Flow::on_read(const error_code& error, std::size_t count) {
  reading_ = false;
  if (!passage_.source_of(direction_).is_open()) return;
  if (error) {
    source_ended_ = true;
    if (silent_) return passage_.cut(Cut::kReset);
    queue({cutter_.take_rest(), Then::kGoOn, nullptr}, {}, true);
    const bool orderly = error == boost::asio::error::eof;
    queue({{}, orderly ? Then::kFinish : Then::kReset, nullptr}, {}, true);
  } else if (!silent_) {
    for (Frame& frame : cutter_.take({buffer_.data(), count})) admit(std::move(frame));
  }
  go_on();
  read();
}

void Flow::admit(Frame frame) {
  ++link_.counts.frames;
  link_.see(frame);
  auto trap = take_trap(frame);
  if (frame.message.index() == 0)  // not to be mangled
    return queue({std::move(frame.bytes), Then::kGoOn, std::move(trap)}, {}, true);
  for (Mangled& each : mangler_.pass(std::move(frame.bytes), link_.conduct(direction_))) {
    count(each.kind);
    const bool late =
        each.kind == Mangled::Kind::kDuplicate || each.kind == Mangled::Kind::kReordered;
    const bool last = each.kind == Mangled::Kind::kTruncatedLast;
    const bool copy = each.kind == Mangled::Kind::kDuplicate;
    queue({std::move(each.bytes), last ? Then::kReset : Then::kGoOn, copy ? nullptr : trap},
          each.late, !late);
  }
}

std::shared_ptr<Trap::State> Flow::take_trap(const Frame& frame) {
  const auto found = std::find_if(link_.traps.begin(), link_.traps.end(),
                                  [&](const auto& trap) { return trap->wanted(frame); });
  if (found == link_.traps.end()) return nullptr;
  auto trap = *found;
  link_.traps.erase(found);
  return trap;
}

void Flow::count(Mangled::Kind kind) {
  LinkCounts& counts = link_.counts;
  counts.duplicated += kind == Mangled::Kind::kDuplicate ? 1 : 0;
  counts.reordered += kind == Mangled::Kind::kReordered ? 1 : 0;
  counts.flipped += kind == Mangled::Kind::kFlipped ? 1 : 0;
  counts.truncated +=
      kind == Mangled::Kind::kTruncated || kind == Mangled::Kind::kTruncatedLast ? 1 : 0;
}

void Flow::queue(Piece piece, Duration late, bool in_order) {
  bytes_under_way_ += piece.bytes.size();
  const auto due = arrival(piece.bytes.size(), late, in_order);
  under_way_.emplace(due, std::move(piece));
}

Clock::time_point Flow::arrival(std::size_t bytes, Duration late, bool in_order) {
  const Conduct& conduct = link_.conduct(direction_);
  auto due = Clock::now() + conduct.delay + late;
  if (conduct.jitter > Duration{}) due += mangler_.draw_up_to(conduct.jitter);
  if (!in_order) return due;
  due = std::max(due, last_arrival_);
  if (conduct.bytes_per_second != 0)
    due += Duration(bytes * std::uint64_t{1'000'000} / conduct.bytes_per_second);
  last_arrival_ = due;
  return due;
}

void Flow::go_on() {
  const bool nothing_may = silent_ || over_ || link_.conduct(direction_).stands_still;
  if (nothing_may || arriving_ || under_way_.empty()) return;
  const auto& [due, piece] = *under_way_.begin();
  if (due > Clock::now()) return wake_at(due);
  if (piece.trap && !piece.trap->let_pass()) return;
  write();
}

void Flow::write() {
  arriving_ = under_way_.extract(under_way_.begin());
  boost::asio::async_write(
      passage_.sink_of(direction_), boost::asio::buffer(arriving_.mapped().bytes),
      [this, alive = passage_.shared_from_this()](const error_code& error, std::size_t) {
        const auto written = std::move(arriving_);
        if (!silent_) on_written(written.mapped(), error);
      });
}

void Flow::on_written(const Piece& piece, const error_code& error) {
  if (error) return passage_.cut(Cut::kReset);
  bytes_under_way_ -= piece.bytes.size();
  over_ = piece.then != Then::kGoOn;
  if (piece.then == Then::kReset) return passage_.cut(Cut::kReset);
  if (piece.then == Then::kFinish) {
    error_code ignored;  // it may be gone already
    passage_.sink_of(direction_).shutdown(tcp::socket::shutdown_send, ignored);
    return passage_.flow_is_over();
  }
  go_on();
  read();
}

void Flow::wake_at(Clock::time_point due) {
  timer_.expires_at(due);
  timer_.async_wait([this, alive = passage_.shared_from_this()](const error_code& error) {
    if (!error) go_on();
  });
}

void Flow::hurry() {
  Pieces now;
  last_arrival_ = Clock::now();
  while (!under_way_.empty()) {
    auto piece = under_way_.extract(under_way_.begin());
    piece.key() = last_arrival_;
    now.insert(std::move(piece));
  }
  under_way_.swap(now);
}

void Flow::fall_silent() {
  silent_ = true;
  timer_.cancel();
}

// ---- a connection

Passage::Passage(Socket client, LinkState& link, std::uint64_t seed)
    : link_(link),
      client_(std::move(client)),
      server_(client_.get_executor()),
      to_server_(*this, link, Direction::kToServer, seed),
      to_client_(*this, link, Direction::kToClient, ~seed) {}

void Passage::begin(const tcp::endpoint& server) {
  server_.async_connect(server, [this, alive = shared_from_this()](const error_code& error) {
    if (!server_.is_open()) return;  // cut meanwhile
    if (error) return cut(Cut::kReset);
    error_code ignored;  // without it the link is slower, not wrong
    client_.set_option(tcp::no_delay(true), ignored);
    server_.set_option(tcp::no_delay(true), ignored);
    to_server_.read();
    to_client_.read();
  });
}

Passage::Socket& Passage::source_of(Direction direction) {
  return direction == Direction::kToServer ? client_ : server_;
}

Passage::Socket& Passage::sink_of(Direction direction) {
  return direction == Direction::kToServer ? server_ : client_;
}

void Passage::go_on() {
  to_server_.go_on();
  to_client_.go_on();
}

void Passage::heal() {
  if (half_open_) return cut(Cut::kReset);
  to_server_.hurry();
  to_client_.hurry();
  go_on();
}

void Passage::cut(Cut how) {
  to_server_.fall_silent();
  to_client_.fall_silent();
  close(client_, how);
  close(server_, how);
}

void Passage::half_open(End survivor) {
  half_open_ = true;
  to_server_.fall_silent();
  to_client_.fall_silent();
  close(survivor == End::kClient ? server_ : client_, Cut::kReset);
  (survivor == End::kClient ? to_server_ : to_client_).read();
}

void Passage::flow_is_over() {
  if (to_server_.is_over() && to_client_.is_over()) cut(Cut::kFin);
}

void Passage::close(Socket& socket, Cut how) {
  error_code ignored;  // the descriptor is released whatever close reports (close(2))
  if (how == Cut::kReset) socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace assent::live
