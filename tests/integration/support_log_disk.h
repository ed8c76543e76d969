#pragma once

#include <memory>

#include "chaos/live/loop_disk.h"
#include "tests/integration/support_assentctl.h"
#include "tests/integration/support_house.h"

/// The coordinator's decision log on a disk of its own, which can be full or lose its power.

namespace assent::testing {

/// Files moved to another disk are a copy to the log, and a copy may lack something, so a person
/// has to say that it may go on: done here.
inline std::unique_ptr<live::LoopDisk> put_log_on_disk(House& house, int mib) {
  house.sandbox().stop("coordinator");
  auto disk =
      std::make_unique<live::LoopDisk>(house.sandbox().spec().directory / "coordinator", mib);
  house.sandbox().start("coordinator");
  if (!house.wait_until_linked())
    throw live::SandboxError("the coordinator is not linked to every agent");
  const bool allowed = comes_true([&] {
    return assentctl(house, {"allow", "presume", "--reason", "moved in good order", "--yes"})
               .end.exit_code == kDone;
  });
  if (!allowed) throw live::SandboxError("assentctl allow presume was refused");
  return disk;
}

}  // namespace assent::testing
