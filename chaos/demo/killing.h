#pragma once

#include <cstdint>
#include <string>

#include "chaos/demo/screen.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/sandbox.h"

namespace assent::live {

// Kills and restarts part after part of the sandbox while the payers pay, and shows both. Returns
// when the payers have paid their `total` payments.
class Killing {
 public:
  Killing(Sandbox& sandbox, Payers& payers, Screen& screen, std::uint64_t total);

  void run();
  int kills() const { return kills_; }
  // Parts that ended without being killed: whatever the books say, the run has failed.
  int crashes() const { return crashes_; }

 private:
  void pay_until(std::uint64_t answered);
  void kill_and_restart(const std::string& name);
  void look_for_crashes();

  Sandbox& sandbox_;
  Payers& payers_;
  Screen& screen_;
  std::uint64_t total_;
  int kills_ = 0;
  int crashes_ = 0;
};

}  // namespace assent::live
