#pragma once

#include <string>
#include <vector>

#include "chaos/faults/fault.h"

namespace assent::live {

// A fault of one part of the sandbox at a time.
class OfOnePart : public Fault {
 public:
  std::string aim(workload::Random& random, const Sandbox& sandbox) override {
    part_ = random.one_of(candidates(sandbox));
    return part_;
  }
  std::vector<std::string> parts() const override { return {part_}; }

 protected:
  // Those that it can befall, in an order that does not change.
  virtual std::vector<std::string> candidates(const Sandbox& sandbox) const = 0;

  const std::string& part() const { return part_; }

 private:
  std::string part_;
};

}  // namespace assent::live
