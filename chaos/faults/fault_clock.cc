// The clock of the coordinator's host jumps: by little, which is followed, or by days (R15).

#include <vector>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"

namespace assent::live {
namespace {

class ClockJump : public SandboxFault {
  std::string name() const override { return "clock"; }

  void prepare(SandboxSpec& spec) override { spec.changes_host = true; }

  std::string aim(workload::Random& random, Site&) override {
    jump_ = random.one_of(std::vector<std::string>{"+10d", "-10d", "+40s", "-40s"});
    return "coordinator " + jump_;
  }
  std::vector<std::string> parts() const override { return {}; }

  void start(Scene&) override { sandbox().host().set_clock(parse_clock_offset(jump_)); }
  void heal(Scene&) override { sandbox().host().set_clock({}); }

  std::string jump_;
};

}  // namespace

std::unique_ptr<Fault> make_clock() {
  return std::make_unique<ClockJump>();
}

}  // namespace assent::live
