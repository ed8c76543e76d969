#pragma once

#include <string_view>

/// Planted bugs. `if (mutant("no rollback record"))` says what would be wrong with the program, and
/// is constant false but in a build with ASSENT_MUTANTS, where chaos/sim/mutants switches one on at
/// a time to see whether the simulator catches it (docs/TESTING.md).

namespace assent {

#ifdef ASSENT_MUTANTS
bool mutant(std::string_view name);
/// One at a time; empty: none.
void choose_mutant(std::string_view name);
#else
constexpr bool mutant(std::string_view /*name*/) {
  return false;
}
#endif

}  // namespace assent
