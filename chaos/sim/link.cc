#include "chaos/sim/link.h"

#include <algorithm>
#include <utility>

namespace assent::sim {

std::shared_ptr<Link> make_link(World& world, const Weather& weather) {
  auto link = std::make_shared<Link>(world, weather);
  link->self_ = link;
  return link;
}

void Link::attach(Side side, const Process& process, std::function<void(const Error&)> closed) {
  ends_[index(side)] = {process.state(), std::move(closed)};
}

Duration Link::arrival(Side from) {
  Instant& last = last_arrival_[index(from)];
  const Instant sent = std::max(world_.now(), held_until_[index(from)]);
  last = std::max(sent + world_.random().between(weather_.delay_least, weather_.delay_most),
                  last + Duration(1));
  return last - world_.now();
}

void Link::send(Side from, std::function<void()> deliver) {
  if (!open_[index(from)]) return;
  const Side to = other(from);
  const bool twice = weather_.repeat_one_in != 0 && world_.random().one_in(weather_.repeat_one_in);
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    world_.in(arrival(from), ends_[index(to)].process, [self = self_.lock(), to, deliver] {
      if (self->open_[index(to)]) deliver();
    });
  }
}

void Link::end(Side side, Duration after, const char* why) {
  world_.in(after, ends_[index(side)].process, [self = self_.lock(), side, why] {
    if (!std::exchange(self->open_[index(side)], false)) return;
    self->ends_[index(side)].closed(
        {.code = ErrorCode::kConnectionLost, .effect = Effect::kUnknown, .message = why});
  });
}

void Link::close(Side by) {
  if (!std::exchange(open_[index(by)], false)) return;
  end(other(by), arrival(by), "the other side has closed the connection");
}

void Link::cut() {
  for (const Side side : {Side::kCaller, Side::kCallee}) {
    end(side, world_.random().between(Duration(0), std::chrono::milliseconds(20)),
        "the connection was cut");
  }
}

void Link::hold(Side from, Duration how_long) {
  held_until_[index(from)] = std::max(held_until_[index(from)], world_.now() + how_long);
}

std::shared_ptr<Link> Links::make(World& world, const Weather& weather) {
  std::erase_if(links_, [](const auto& link) { return link.expired(); });
  auto link = make_link(world, weather);
  links_.push_back(link);
  return link;
}

std::vector<std::shared_ptr<Link>> Links::standing() {
  std::vector<std::shared_ptr<Link>> standing;
  for (const auto& each : links_) {
    auto link = each.lock();
    if (link && link->is_open()) standing.push_back(std::move(link));
  }
  return standing;
}

}  // namespace assent::sim
