#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "chaos/sim/world.h"
#include "protocol/base/result.h"

namespace assent::sim {

/// How messages travel; faults change it while a run goes on.
struct Weather {
  Duration delay_least = std::chrono::microseconds(50);
  Duration delay_most = std::chrono::milliseconds(2);
  std::uint64_t repeat_one_in = 0;   ///< messages that arrive again, up to seconds later; 0: none
  std::uint64_t reorder_one_in = 0;  ///< messages that others overtake; 0: none
};

/// A connection between two processes, as TCP gives it: in order, though the weather may repeat a
/// message or let others overtake it; each side is told once that it has ended, unless it ended it
/// itself.
class Link {
 public:
  enum class Side : std::uint8_t { kCaller = 0, kCallee = 1 };

  Link(World& world, const Weather& weather) : world_(world), weather_(weather) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// `closed` is called in the process. Until then what is sent to this side is kept.
  void attach(Side side, const Process& process, std::function<void(const Error&)> closed);

  /// `deliver` is called in the other side's process. Dropped when this side is closed.
  void send(Side from, std::function<void()> deliver);
  /// The other side is told after all that was sent before.
  void close(Side by);

  /// What the network does to it, or the end of a process: both sides hear of it, each in its time;
  /// of what is under way the last is lost, or all, or nothing.
  void cut();
  /// Nothing gets through from this side for so long; then all of it does.
  void hold(Side from, Duration how_long);
  void release(Side from);
  void hold_both(Duration how_long);
  void release_both();
  bool is_open() const { return open_[0] && open_[1]; }

 private:
  struct End {
    std::weak_ptr<const Process::State> process;
    std::function<void(const Error&)> closed;
  };

  /// From one side to the other.
  struct Way {
    Instant last_arrival;
    Instant held_until;
    std::vector<std::function<void()>> held;  ///< an empty one: the end
  };

  static std::size_t index(Side side) { return static_cast<std::size_t>(side); }
  static Side other(Side side) { return side == Side::kCaller ? Side::kCallee : Side::kCaller; }
  Duration arrival(Side from);
  void arrive(Side to, Duration after, const std::function<void()>& deliver);
  void pass(Side from, std::function<void()> deliver);
  void carry(Side from, const std::function<void()>& deliver);
  void end(Side side, Duration after, const char* why);

  World& world_;
  const Weather& weather_;
  std::array<End, 2> ends_;
  std::array<bool, 2> open_{true, true};
  std::array<Way, 2> ways_;
  std::weak_ptr<Link> self_;

  friend std::shared_ptr<Link> make_link(World& world, const Weather& weather);
};

std::shared_ptr<Link> make_link(World& world, const Weather& weather);

/// Every link that stands, for those who disturb them.
class Links {
 public:
  /// `place`: who is at the other end, for `part`.
  std::shared_ptr<Link> make(World& world, const Weather& weather, const std::string& place);
  std::vector<std::shared_ptr<Link>> standing();
  /// Nothing gets through to that place or from it, also on links that are made meanwhile.
  void part(const std::string& place);
  void mend(const std::string& place);
  /// Nothing is parted or held any more, also where a side has closed.
  void release_all();

 private:
  struct Known {
    std::weak_ptr<Link> link;
    std::string place;
  };
  std::vector<Known> links_;
  std::set<std::string> parted_;
};

}  // namespace assent::sim
