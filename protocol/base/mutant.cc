#include "protocol/base/mutant.h"

#ifdef ASSENT_MUTANTS

#include <string>

namespace assent {
namespace {

std::string& chosen() {
  static std::string name;
  return name;
}

}  // namespace

bool mutant(std::string_view name) {
  return name == chosen();
}

void choose_mutant(std::string_view name) {
  chosen() = name;
}

}  // namespace assent

#endif
