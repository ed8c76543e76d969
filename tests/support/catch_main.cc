#define CATCH_CONFIG_RUNNER
#include <cstdlib>

#include <catch2/catch.hpp>

#include "tests/support/skip.h"

/// Catch's own would end with the number of what failed, which may be ASSENT_SKIPPED.
int main(int argc, char** argv) {
  if (Catch::Session().run(argc, argv) != 0) return EXIT_FAILURE;
  return assent::testing::has_skipped() ? ASSENT_SKIPPED : EXIT_SUCCESS;
}
