#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assent::sim {

struct Hunt {
  bool caught = false;
  std::uint64_t seed = 0;   ///< that caught it
  std::uint64_t seeds = 0;  ///< it took
  std::string by;           ///< the invariant, or "check", "hang"
  std::string what;         ///< a sentence
};

/// Runs one seed after another with that planted bug, in a process of its own, until one is judged
/// wrong: `hint` first, if it is not 0, then `most` from 1 on. Needs a build with ASSENT_MUTANTS.
Hunt hunt(std::string_view mutant, std::uint64_t hint, std::uint64_t most);

}  // namespace assent::sim
