#pragma once

#include <string>
#include <vector>

#include "chaos/faults/fault.h"

namespace assent::live {

// A fault that needs what only a sandbox has: its processes, databases, disks or clock.
class SandboxFault : public Fault {
 public:
  void enter(Sandbox& sandbox) override { sandbox_ = &sandbox; }

 protected:
  Sandbox& sandbox() const { return *sandbox_; }

 private:
  Sandbox* sandbox_ = nullptr;
};

// One of one part at a time.
class OfOnePart : public SandboxFault {
 public:
  std::string aim(workload::Random& random, Site&) override {
    part_ = random.one_of(candidates());
    return part_;
  }
  std::vector<std::string> parts() const override { return {part_}; }

 protected:
  // Those that it can befall, in an order that does not change.
  virtual std::vector<std::string> candidates() const = 0;

  const std::string& part() const { return part_; }

 private:
  std::string part_;
};

}  // namespace assent::live
