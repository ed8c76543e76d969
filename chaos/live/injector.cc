#include "chaos/live/injector.h"

#include <algorithm>
#include <utility>

namespace assent::live {
namespace {

Instant now() {
  return read_clocks().steady;
}

}  // namespace

Injector::Injector(Scene& scene, const std::vector<std::unique_ptr<Fault>>& faults,
                   std::vector<Planned> schedule)
    : scene_(scene), faults_(faults), schedule_(std::move(schedule)) {}

void Injector::turn(Duration since) {
  look_for_crashes();
  const auto due = std::partition(under_way_.begin(), under_way_.end(),
                                  [&](const UnderWay& each) { return each.until > since; });
  const std::vector<UnderWay> over(due, under_way_.end());
  under_way_.erase(due, under_way_.end());
  for (const UnderWay& each : over) heal(each);
  while (next_ < schedule_.size() && schedule_[next_].at <= since) begin(schedule_[next_++], since);
}

void Injector::begin(const Planned& planned, Duration since) {
  Fault& fault = *faults_[planned.fault];
  FaultEvent event{fault.name(), "", now(), {}, ""};
  const bool is_under_way = std::any_of(under_way_.begin(), under_way_.end(),
                                        [&](const UnderWay& each) { return each.fault == &fault; });
  if (is_under_way) {
    event.left_out = "it lasts already";
  } else {
    workload::Random random(planned.seed);
    event.target = fault.aim(random, scene_.sandbox);
    event.left_out = why_not(fault);
  }
  if (event.left_out.empty()) {
    fault.start(scene_);
    under_way_.push_back({&fault, events_.size(), since + planned.lasts});
  }
  events_.push_back(std::move(event));
}

std::string Injector::why_not(Fault& fault) const {
  for (const std::string& part : fault.parts()) {
    if (is_hit(part)) return "something else is wrong with " + part;
    // An agent whose database has been away is not yet there again, for instance.
    if (!scene_.sandbox.is_running(part)) return part + " does not run";
  }
  return "";
}

bool Injector::is_hit(const std::string& part) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [&](const UnderWay& each) {
    const auto parts = each.fault->parts();
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  });
}

void Injector::heal(const UnderWay& under_way) {
  under_way.fault->heal(scene_);
  events_[under_way.event].healed = now();
}

void Injector::look_for_crashes() {
  for (const std::string& part : scene_.sandbox.reap()) {
    if (is_hit(part)) continue;
    crashes_.push_back({"alive", part + " ended by itself"});
    scene_.sandbox.launch(part);
  }
}

void Injector::heal_all() {
  for (const UnderWay& each : std::exchange(under_way_, {})) heal(each);
  for (const std::string& part : scene_.sandbox.names()) {
    if (!scene_.sandbox.is_running(part)) scene_.sandbox.launch(part);
  }
}

}  // namespace assent::live
