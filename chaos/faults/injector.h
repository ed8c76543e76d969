#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "chaos/faults/fault.h"
#include "chaos/faults/schedule.h"
#include "chaos/workload/checker.h"

namespace assent::live {

// What was done to the site, for the time line.
struct FaultEvent {
  std::string name;
  std::string target;
  Instant at;
  Instant healed;
  std::string left_out;  // why it was not done after all; empty: it was
};

// Carries out a schedule: starts and heals, and sees to it that no part is hit twice at a time,
// which may make a fault wait, and that nothing ends by itself. Of the thread that has the site.
class Injector {
 public:
  // `scene` and the faults outlive it.
  Injector(Scene& scene, const std::vector<std::unique_ptr<Fault>>& faults,
           std::vector<Planned> schedule);

  // Does what is due `since` the beginning. Every few milliseconds.
  void turn(Duration since);
  // Heals what is under way, and starts what does not run. What could not be done at all until now
  // is among the events, as left out. Where healing one fails, the others are healed before that is
  // thrown.
  void heal_all();

  const std::vector<FaultEvent>& events() const { return events_; }
  // Parts that ended by themselves and that nothing was done to.
  const std::vector<workload::Violation>& crashes() const { return crashes_; }

 private:
  struct Waiting {
    Planned planned;
    std::string why;
  };
  struct UnderWay {
    Fault* fault;
    std::size_t event;
    Duration until;
  };

  // Empty: it is under way; otherwise why it can't be now.
  std::string begin(const Planned& planned, Duration since);
  std::string why_not(const Fault& fault) const;
  // It is under way no more, even if that throws.
  void heal_first();
  void look_for_crashes();
  // What is wrong with it now; nullptr: nothing.
  const Fault* hitting(const std::string& part) const;

  Scene& scene_;
  const std::vector<std::unique_ptr<Fault>>& faults_;
  std::deque<Planned> schedule_;  // what is still to come
  Duration last_began_{};
  std::vector<Waiting> waiting_;  // was due, and could not be
  std::vector<UnderWay> under_way_;
  std::vector<FaultEvent> events_;
  std::vector<workload::Violation> crashes_;
};

}  // namespace assent::live
