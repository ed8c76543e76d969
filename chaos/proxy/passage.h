#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "chaos/proxy/proxy.h"

// One connection through a proxy. Everything but Trap::State belongs to the proxy's thread.
namespace assent::live {

struct Trap::State {
  explicit State(std::function<bool(const Frame&)> frame) : wanted(std::move(frame)) {}

  const std::function<bool(const Frame&)> wanted;
  std::function<void()> go_on;  // after `released`
  std::mutex mutex;
  std::condition_variable changed;
  bool caught = false;    // under the mutex
  bool released = false;  // under the mutex

  // False: the frame has to stay. Notes that it has come.
  bool let_pass();
};

// What all connections of a link have in common.
struct LinkState {
  Carries carries;
  std::array<Conduct, 2> conducts;                // by direction
  std::list<std::shared_ptr<Trap::State>> traps;  // in which nothing is yet
  LinkCounts counts;
  std::function<void(const Frame&)> see;

  const Conduct& conduct(Direction direction) const {
    return conducts.at(static_cast<std::size_t>(direction));
  }
};

class Passage;

// One direction of a connection.
class Flow {
 public:
  Flow(Passage& passage, LinkState& link, Direction direction, std::uint64_t seed);

  void read();

  // What may arrive arrives: to be called when the conduct has changed or a trap was opened.
  void go_on();

  // Whatever its delay, all that is under way may arrive now.
  void hurry();

  // Nothing arrives any more, and what comes is forgotten.
  void fall_silent();

  bool is_over() const { return over_; }

 private:
  enum class Then { kGoOn, kFinish, kReset };
  struct Piece {
    std::string bytes;
    Then then = Then::kGoOn;
    std::shared_ptr<Trap::State> trap;
  };
  using Pieces = std::multimap<Clock::time_point, Piece>;  // by when they may arrive

  void on_read(const boost::system::error_code& error, std::size_t count);
  void admit(Frame frame);
  std::shared_ptr<Trap::State> take_trap(const Frame& frame);
  void count(Mangled::Kind kind);
  void queue(Piece piece, Duration late, bool in_order);
  Clock::time_point arrival(std::size_t bytes, Duration late, bool in_order);
  void write();
  void on_written(const Piece& piece, const boost::system::error_code& error);
  void wake_at(Clock::time_point due);

  Passage& passage_;
  LinkState& link_;
  const Direction direction_;
  FrameCutter cutter_;
  Mangler mangler_;
  boost::asio::steady_timer timer_;
  std::array<char, 16 * 1024> buffer_{};
  Pieces under_way_;
  Pieces::node_type arriving_;  // what is being written; empty: nothing
  std::size_t bytes_under_way_ = 0;
  Clock::time_point last_arrival_;  // of those that keep their order
  bool reading_ = false;
  bool source_ended_ = false;
  bool silent_ = false;
  bool over_ = false;  // its end has arrived
};

class Passage : public std::enable_shared_from_this<Passage> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  Passage(Socket client, LinkState& link, std::uint64_t seed);

  void begin(const boost::asio::ip::tcp::endpoint& server);
  void go_on();
  void heal();
  void cut(Cut how);
  void half_open(End survivor);

  bool has_ended() const { return !client_.is_open() && !server_.is_open(); }

  Socket& source_of(Direction direction);
  Socket& sink_of(Direction direction);
  void flow_is_over();

 private:
  void close(Socket& socket, Cut how);

  LinkState& link_;
  Socket client_;
  Socket server_;
  bool half_open_ = false;
  Flow to_server_;
  Flow to_client_;
};

}  // namespace assent::live
