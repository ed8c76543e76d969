#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chaos/proxy/frames.h"
#include "chaos/proxy/mangler.h"
#include "protocol/base/xid.h"

// Stands between the two ends of TCP links on loopback and does to them what networks do. It has a
// thread of its own; everything here may be called from any other thread and has happened when the
// call returns. Whoever connects to a proxied server speaks to link.port() instead.
//
// Connections never end because of a conduct: a network that is down looks like silence, and what
// was sent meanwhile still arrives when it is up again, as TCP would send it again.
namespace assent::live {

using Clock = std::chrono::steady_clock;

// How an end is told that a connection is over: properly, or by a reset.
enum class Cut { kFin, kReset };

// The two ends of a link.
enum class End { kClient, kServer };

struct LinkCounts {
  std::uint64_t connections = 0;
  std::uint64_t frames = 0;  // or, of a database's link, reads
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t flipped = 0;
  std::uint64_t truncated = 0;
  std::uint64_t cut = 0;  // connections, by cut() and half_open() and behind a truncated frame
};

// Of one frame, and of all that comes behind it in its direction. Ended before its Proxy.
class Trap {
 public:
  struct State;

  explicit Trap(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Trap(Trap&&) = default;
  Trap& operator=(Trap&&) = delete;
  ~Trap() { release(); }

  // True when the frame has come and is held. It stays held until release().
  bool wait(std::chrono::milliseconds timeout);

  // The frame goes on. One that has not come yet will pass.
  void release();

 private:
  std::shared_ptr<State> state_;
};

class ProxyLink {
 public:
  class Impl;

  explicit ProxyLink(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  std::uint16_t port() const;  // 127.0.0.1
  Carries carries() const;

  // From now on, for connections that stand and new ones. What is under way keeps its time.
  void set(Direction direction, const Conduct& conduct);
  void set(const Conduct& conduct);  // both

  // Every connection that stands ends, on both sides; what was under way is lost.
  void cut(Cut how);

  // Until heal() nobody gets a connection: it is reset at once.
  void refuse();

  // Of every connection that stands one end is told that it is over. The other is not, and speaks
  // into the void until heal() resets it. New connections are not concerned.
  void half_open(End survivor);

  // As it was made: what was held arrives at once.
  void heal();

  // The next frame that is `wanted` is held when its turn comes to arrive; see brings<Commit>.
  Trap trap(std::function<bool(const Frame&)> wanted);

  LinkCounts counts() const;

 private:
  std::shared_ptr<Impl> impl_;
};

// When the messages around a decision came to the proxy.
struct Decided {
  // The last of its branches' first votes: the coordinator has had them all no sooner. The clock's
  // zero: they came by before this proxy, or not at all.
  Clock::time_point voted;
  Clock::time_point commit;  // the first commit message: not before it was sent
};

class Proxy {
 public:
  // What is drawn of delays and mangled frames depends on the seed, on the link and on which of its
  // connections it is.
  explicit Proxy(std::uint64_t seed);
  // Ends all connections.
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // A link to the server on this port of 127.0.0.1, who need not be there yet. Lives as long as the
  // proxy. Throws std::runtime_error.
  ProxyLink& add(const std::string& name, Carries carries, std::uint16_t server_port);

  // Throws std::runtime_error when there is none of that name.
  ProxyLink& link(const std::string& name);
  std::vector<std::string> names() const;

  void heal();

  // Of the transactions for which a commit message has come from the coordinator.
  std::map<Gtrid, Decided> decided() const;

 private:
  class Impl;

  std::unique_ptr<Impl> impl_;
  std::map<std::string, ProxyLink> links_;
};

}  // namespace assent::live
