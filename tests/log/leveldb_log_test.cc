#include "coordinator/log/leveldb_log.h"

#include <catch2/catch.hpp>

#include "tests/log/log_fixture.h"

namespace assent::coordinator {
namespace {

using assent::testing::LogFixture;

TEST_CASE("a new log has a random id, epoch 1 and nothing in it", "[log]") {
  LogFixture one;
  LogFixture other;
  one.open();
  other.open();
  CHECK(one.log().opening().log_id != LogId{});
  CHECK(one.log().opening().log_id != other.log().opening().log_id);
  CHECK(one.log().opening().nonce != other.log().opening().nonce);
  CHECK(one.log().opening().epoch == Epoch{1});
  CHECK(one.log().opening().unfinished.empty());
  CHECK(one.log().top() == 1);  // the opening itself
  CHECK(*one.log().find_key("never used") == std::nullopt);
}

TEST_CASE("what was reported durable is there after a clean close", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 100);
  CHECK(f.has_all(1, 100));
  f.close();
  f.open();
  CHECK(f.has_all(1, 100));
  CHECK(f.log().opening().unfinished.size() == 100);
}

TEST_CASE("what was reported durable is there after a kill", "[log]") {
  LogFixture f;
  f.open();
  f.commit_one_by_one(1, 20);
  f.commit_durably(21, 100);
  f.kill();
  f.open();
  CHECK(f.has_all(1, 100));
}

TEST_CASE("what was reported durable is there after a power cut", "[log]") {
  LogFixture f;
  f.open();
  f.commit_one_by_one(1, 20);
  f.commit_durably(21, 100);
  f.cut_power();
  f.open();
  CHECK(f.has_all(1, 100));
}

}  // namespace
}  // namespace assent::coordinator
