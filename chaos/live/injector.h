#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/live/fault.h"
#include "chaos/live/schedule.h"
#include "chaos/workload/checker.h"

namespace assent::live {

// What was done to the sandbox, for the time line.
struct FaultEvent {
  std::string name;
  std::string target;
  Instant at;
  Instant healed;
  std::string left_out;  // why it was not done after all; empty: it was
};

// Carries out a schedule: starts and heals, and sees to it that no part is hit twice at a time and
// that nothing ends by itself. Of the thread that has the sandbox.
class Injector {
 public:
  // `scene` and the faults outlive it.
  Injector(Scene& scene, const std::vector<std::unique_ptr<Fault>>& faults,
           std::vector<Planned> schedule);

  // Does what is due `since` the beginning. Every few milliseconds.
  void turn(Duration since);
  bool is_done() const { return next_ == schedule_.size() && under_way_.empty(); }

  // Heals what is under way, and starts what does not run.
  void heal_all();

  const std::vector<FaultEvent>& events() const { return events_; }
  // Parts that ended by themselves and that nothing was done to.
  const std::vector<workload::Violation>& crashes() const { return crashes_; }

 private:
  struct UnderWay {
    Fault* fault;
    std::size_t event;
    Duration until;
  };

  void begin(const Planned& planned, Duration since);
  std::string why_not(Fault& fault) const;
  void heal(const UnderWay& under_way);
  void look_for_crashes();
  bool is_hit(const std::string& part) const;

  Scene& scene_;
  const std::vector<std::unique_ptr<Fault>>& faults_;
  const std::vector<Planned> schedule_;
  std::size_t next_ = 0;
  std::vector<UnderWay> under_way_;
  std::vector<FaultEvent> events_;
  std::vector<workload::Violation> crashes_;
};

}  // namespace assent::live
