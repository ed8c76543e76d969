// Stories of the agent core (R6-R8, R10), in tests/core/testdata/agent.

#include <catch2/catch.hpp>

#include "tests/core/agent_teller.h"
#include "tests/core/story.h"

TEST_CASE("stories of the agent core") {
  assent::testing::check_stories(ASSENT_SOURCE_DIR "/tests/core/testdata/agent",
                                 assent::testing::make_agent_teller);
}
