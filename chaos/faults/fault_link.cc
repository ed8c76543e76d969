// What befalls a link: a proxy stands on it.

#include "chaos/faults/fault_link.h"

#include "chaos/faults/faults.h"

namespace assent::live {
namespace {

using std::chrono::milliseconds;

class OnLink : public Fault {
 public:
  explicit OnLink(const LinkFault& what) : what_(what) {}

  std::string name() const override { return what_.name; }

  void prepare(SandboxSpec& spec) override {
    if (!spec.proxy_seed) spec.proxy_seed = 1;
  }

  std::string aim(workload::Random& random, Site& site) override {
    link_ = random.one_of(links_of(site.proxy()));
    other_way_ = random.one_in(2);
    return "link to " + link_;
  }

  // The server's: a link whose end is gone has nothing to suffer.
  std::vector<std::string> parts() const override { return {link_}; }

  void start(Scene& scene) override { what_.inject(scene.site.proxy().link(link_), other_way_); }
  void heal(Scene& scene) override { scene.site.proxy().link(link_).heal(); }

 private:
  std::vector<std::string> links_of(Proxy& proxy) const {
    std::vector<std::string> links = proxy.names();
    if (what_.of_frames) {
      std::erase_if(
          links, [&](const auto& name) { return proxy.link(name).carries() == Carries::kBytes; });
    }
    return links;
  }

  const LinkFault& what_;
  std::string link_;
  bool other_way_ = false;
};

void cut(ProxyLink& link, bool other_way) {
  link.cut(other_way ? Cut::kFin : Cut::kReset);
}

void one_way(ProxyLink& link, bool other_way) {
  link.set(other_way ? Direction::kToServer : Direction::kToClient, {.stands_still = true});
}

void half_open(ProxyLink& link, bool other_way) {
  link.half_open(other_way ? End::kServer : End::kClient);
}

void unreachable(ProxyLink& link, bool other_way) {
  link.refuse();
  cut(link, other_way);
}

void delay(ProxyLink& link, bool other_way) {
  link.set({.delay = milliseconds(other_way ? 50 : 2), .jitter = milliseconds(50)});
}

}  // namespace

const std::vector<LinkFault>& link_faults() {
  static const std::vector<LinkFault> faults = {
      {"delay", false, delay},
      {"throttle", false, [](ProxyLink& link, bool) { link.set({.bytes_per_second = 20'000}); }},
      {"cut", false, cut},
      {"unreachable", false, unreachable},
      {"black-hole", false, [](ProxyLink& link, bool) { link.set({.stands_still = true}); }},
      {"one-way", false, one_way},
      {"half-open", false, half_open},
      {"duplicate", true, [](ProxyLink& link, bool) { link.set({.duplicate = 0.3}); }},
      {"reorder", true, [](ProxyLink& link, bool) { link.set({.reorder = 0.3}); }},
      {"flip", true, [](ProxyLink& link, bool) { link.set({.flip = 0.05}); }},
      {"truncate", true, [](ProxyLink& link, bool) { link.set({.truncate = 0.05}); }},
  };
  return faults;
}

std::vector<std::unique_ptr<Fault>> make_link_faults() {
  std::vector<std::unique_ptr<Fault>> all;
  for (const LinkFault& each : link_faults()) all.push_back(std::make_unique<OnLink>(each));
  return all;
}

}  // namespace assent::live
