#include "chaos/faults/injector.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace assent::live {
namespace {

constexpr std::size_t kAtOnce = 3;

Instant now() {
  return read_clocks().steady;
}

}  // namespace

Injector::Injector(Scene& scene, const std::vector<std::unique_ptr<Fault>>& faults,
                   std::vector<Planned> schedule)
    : scene_(scene), faults_(faults), schedule_(schedule.begin(), schedule.end()) {}

void Injector::turn(Duration since) {
  look_for_crashes();
  const auto lasting = std::partition(under_way_.begin(), under_way_.end(),
                                      [&](const UnderWay& each) { return each.until <= since; });
  for (auto over = lasting - under_way_.begin(); over > 0; --over) heal_first();
  for (Waiting& each : std::exchange(waiting_, {})) {
    each.why = begin(each.planned, since);
    if (!each.why.empty()) waiting_.push_back(std::move(each));
  }
  // Starting and healing take their time: what is due meanwhile must not come all at once.
  if (schedule_.empty() || since < last_began_ + schedule_.front().after) return;
  const std::string why = begin(schedule_.front(), since);
  if (!why.empty()) waiting_.push_back({schedule_.front(), why});
  schedule_.pop_front();
  last_began_ = since;
}

std::string Injector::begin(const Planned& planned, Duration since) {
  Fault& fault = *faults_[planned.fault];
  const bool is_under_way = std::any_of(under_way_.begin(), under_way_.end(),
                                        [&](const UnderWay& each) { return each.fault == &fault; });
  if (is_under_way) return "it lasts already";
  if (under_way_.size() >= kAtOnce) return "enough else is wrong";
  workload::Random random(planned.seed);
  FaultEvent event{fault.name(), fault.aim(random, scene_.site), now(), {}, ""};
  std::string why = why_not(fault);
  if (!why.empty()) return why;
  // First: what has begun and failed has to be healed, too.
  under_way_.push_back({&fault, events_.size(), since + planned.lasts});
  events_.push_back(std::move(event));
  fault.start(scene_);
  return why;
}

std::string Injector::why_not(const Fault& fault) const {
  for (const std::string& part : fault.parts()) {
    if (hitting(part) != nullptr) return "something else is wrong with " + part;
    if (!scene_.site.is_running(part)) return part + " does not run";
  }
  return "";
}

const Fault* Injector::hitting(const std::string& part) const {
  for (const UnderWay& each : under_way_) {
    const auto parts = each.fault->parts();
    if (std::find(parts.begin(), parts.end(), part) != parts.end()) return each.fault;
  }
  return nullptr;
}

void Injector::heal_first() {
  const UnderWay first = under_way_.front();
  under_way_.erase(under_way_.begin());
  first.fault->heal(scene_);
  events_[first.event].healed = now();
}

void Injector::look_for_crashes() {
  for (const std::string& part : scene_.site.reap()) {
    const Fault* fault = hitting(part);
    if (fault != nullptr && fault->ends_parts()) continue;
    crashes_.push_back({"alive", part + " ended by itself"});
    scene_.site.launch(part);
  }
}

void Injector::heal_all() {
  std::exception_ptr failed;
  while (!under_way_.empty()) {
    try {
      heal_first();
    } catch (const SandboxError&) {  // told when the others are healed
      failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
  for (const Waiting& each : waiting_)
    events_.push_back({faults_[each.planned.fault]->name(), "", now(), {}, each.why});
  for (const std::string& part : scene_.site.parts()) {
    if (!scene_.site.is_running(part)) scene_.site.launch(part);
  }
}

}  // namespace assent::live
