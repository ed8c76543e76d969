#include "protocol/channel/backoff.h"

#include <random>

#include <catch2/catch.hpp>

namespace assent {
namespace {

using std::chrono::milliseconds;

TEST_CASE("waits double up to the longest, and begin again after success") {
  Backoff lowest(milliseconds(10), milliseconds(50), [] { return 0; });
  for (const int ms : {5, 10, 20, 25, 25}) CHECK(lowest.next() == milliseconds(ms));
  lowest.reset();
  CHECK(lowest.next() == milliseconds(5));
}

TEST_CASE("a wait is drawn from the upper half of its range, ends included") {
  std::mt19937_64 random(1);
  Backoff backoff(milliseconds(1000), milliseconds(1000), [&] { return random(); });
  Duration least = milliseconds(5000);
  Duration most{};
  for (int i = 0; i < 10000; ++i) {
    const Duration wait = backoff.next();
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  CHECK(least >= milliseconds(500));
  CHECK(least < milliseconds(510));
  CHECK(most <= milliseconds(1000));
  CHECK(most > milliseconds(990));
}

TEST_CASE("the shortest range still gives a wait") {
  Backoff backoff(Duration(1), Duration(1), [] { return ~std::uint64_t{0}; });
  CHECK(backoff.next() <= Duration(1));
}

}  // namespace
}  // namespace assent
