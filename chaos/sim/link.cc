#include "chaos/sim/link.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace assent::sim {
namespace {

constexpr Duration kForEver = std::chrono::hours(24);
constexpr Duration kOvertakenMax = std::chrono::milliseconds(200);
constexpr Duration kRepeatedMax = std::chrono::seconds(5);

Duration soon_or_late(Random& random) {
  return random.one_in(2) ? kOvertakenMax : kRepeatedMax;
}

}  // namespace

std::shared_ptr<Link> make_link(World& world, const Weather& weather) {
  auto link = std::make_shared<Link>(world, weather);
  link->self_ = link;
  return link;
}

void Link::attach(Side side, const Process& process, std::function<void(const Error&)> closed) {
  ends_[index(side)] = {process.state(), std::move(closed)};
}

Duration Link::arrival(Side from) {
  Instant& last = ways_[index(from)].last_arrival;
  last = std::max(world_.now() + world_.random().between(weather_.delay_least, weather_.delay_most),
                  last + Duration(1));
  return last - world_.now();
}

void Link::send(Side from, std::function<void()> deliver) {
  if (open_[index(from)]) pass(from, std::move(deliver));
}

void Link::close(Side by) {
  if (std::exchange(open_[index(by)], false)) pass(by, nullptr);
}

void Link::pass(Side from, std::function<void()> deliver) {
  Way& way = ways_[index(from)];
  if (way.held_until > world_.now()) return way.held.push_back(std::move(deliver));
  carry(from, deliver);
}

void Link::carry(Side from, const std::function<void()>& deliver) {
  const Side to = other(from);
  if (!deliver) return end(to, arrival(from), "the other side has closed the connection");
  Random& random = world_.random();
  const auto strikes = [&random](std::uint64_t one_in) {
    return one_in != 0 && random.one_in(one_in);
  };
  const bool overtaken = strikes(weather_.reorder_one_in);
  arrive(to, overtaken ? random.between(Duration(0), kOvertakenMax) : arrival(from), deliver);
  if (strikes(weather_.repeat_one_in))
    arrive(to, arrival(from) + random.between(Duration(0), soon_or_late(random)), deliver);
}

void Link::arrive(Side to, Duration after, const std::function<void()>& deliver) {
  world_.in(after, ends_[index(to)].process, [self = self_.lock(), to, deliver] {
    if (self->open_[index(to)]) deliver();
  });
}

void Link::end(Side side, Duration after, const char* why) {
  world_.in(after, ends_[index(side)].process, [self = self_.lock(), side, why] {
    if (!std::exchange(self->open_[index(side)], false)) return;
    self->ends_[index(side)].closed(
        {.code = ErrorCode::kConnectionLost, .effect = Effect::kUnknown, .message = why});
  });
}

void Link::cut() {
  for (const Side side : {Side::kCaller, Side::kCallee}) {
    end(side, world_.random().between(Duration(0), std::chrono::milliseconds(20)),
        "the connection was cut");
  }
}

void Link::hold(Side from, Duration how_long) {
  Way& way = ways_[index(from)];
  way.held_until = std::max(way.held_until, world_.now() + how_long);
  world_.in(how_long, [self = self_, from] {
    const auto link = self.lock();
    if (link && link->ways_[index(from)].held_until <= link->world_.now()) link->release(from);
  });
}

void Link::release(Side from) {
  Way& way = ways_[index(from)];
  way.held_until = world_.now();
  for (const auto& deliver : std::exchange(way.held, {})) carry(from, deliver);
}

void Link::hold_both(Duration how_long) {
  hold(Side::kCaller, how_long);
  hold(Side::kCallee, how_long);
}

void Link::release_both() {
  release(Side::kCaller);
  release(Side::kCallee);
}

// ---------------------------------------------------------------- all of them

std::shared_ptr<Link> Links::make(World& world, const Weather& weather, const std::string& place) {
  std::erase_if(links_, [](const Known& known) { return known.link.expired(); });
  auto link = make_link(world, weather);
  if (parted_.contains(place)) link->hold_both(kForEver);
  links_.push_back({link, place});
  return link;
}

void Links::part(const std::string& place) {
  parted_.insert(place);
  for (const Known& known : links_) {
    const auto link = known.link.lock();
    if (link && known.place == place) link->hold_both(kForEver);
  }
}

void Links::mend(const std::string& place) {
  parted_.erase(place);
  for (const Known& known : links_) {
    const auto link = known.link.lock();
    if (link && known.place == place) link->release_both();
  }
}

void Links::release_all() {
  parted_.clear();
  for (const Known& known : links_) {
    if (const auto link = known.link.lock()) link->release_both();
  }
}

std::vector<std::shared_ptr<Link>> Links::standing() {
  std::vector<std::shared_ptr<Link>> standing;
  for (const Known& known : links_) {
    auto link = known.link.lock();
    if (link && link->is_open()) standing.push_back(std::move(link));
  }
  return standing;
}

}  // namespace assent::sim
