#include "tests/support/skip.h"

#include <catch2/catch.hpp>

namespace assent::testing {
namespace {

bool skipped = false;

}  // namespace

void skip(const std::string& why) {
  WARN("skipped: " << why);
  skipped = true;
}

bool has_skipped() {
  return skipped;
}

}  // namespace assent::testing
