#include "coordinator/log/leveldb_log.h"

#include <chrono>

#include <catch2/catch.hpp>

#include "coordinator/log/high_water_mark.h"
#include "coordinator/log/leveldb_keys.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

using assent::testing::end_of;
using assent::testing::example_key;
using assent::testing::example_rollback;
using assent::testing::kExampleTime;
using assent::testing::LogFixture;
using assent::testing::RawDatabase;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::optional<Decided> find_key(LogFixture& f, std::uint64_t i) {
  const auto found = f.log().find_key(example_key(i));
  REQUIRE(found.has_value());
  return *found;
}

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

TEST_CASE("R1: nobody hears of a decision before its sync", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 1);
  f.disk().hold_sync();
  f.commit(2, 2);
  f.disk().wait_until_held();
  CHECK(f.reports().durable() == std::vector<LogToken>{LogToken{1}});
  CHECK(!find_key(f, 2));
  CHECK(f.log().top() == 2);  // the opening is 1, the first commit 2
  SECTION("and a power cut in between leaves nothing of it") {
    const auto copy = f.take_copy();
    f.disk().cut_power(f.dir(), copy);
    f.disk().release_sync();
    f.restore(copy);
    f.open();
    CHECK(f.has(1));
    CHECK(!find_key(f, 2));
  }
  SECTION("and afterwards everybody does") {
    f.disk().release_sync();
    REQUIRE(f.reports().wait_for(2));
    CHECK(f.has(2));
    CHECK(f.log().top() == 3);
  }
}

TEST_CASE("all that wait go with one sync, reported once and in their order", "[log]") {
  LogFixture f;
  f.open();
  f.disk().hold_sync();
  f.commit(1, 1);
  f.disk().wait_until_held();
  const auto syncs = f.disk().syncs();
  f.commit(2, 33);
  f.disk().release_sync();
  REQUIRE(f.reports().wait_for(33));
  CHECK(f.disk().syncs() == syncs + 2);  // the one that was held, and one for the 32
  CHECK(f.reports().batches() == 2);
  std::vector<LogToken> expected;
  for (std::uint64_t i = 1; i <= 33; ++i) expected.push_back(LogToken{i});
  CHECK(f.reports().durable() == expected);
  CHECK(f.has_all(1, 33));
}

TEST_CASE("a record that is not forced costs no sync when a forced one follows", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 1);
  const auto syncs = f.disk().syncs();
  f.log().append(end_of(f.commit_record(1)), kExampleTime);
  f.commit_durably(2, 2);
  CHECK(f.disk().syncs() == syncs + 1);
  f.close();
  f.open();
  CHECK(f.log().opening().unfinished == std::vector{f.commit_record(2)});
}

TEST_CASE("a record that is not forced is durable within a second all the same", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 1);
  f.disk().hold_sync();
  f.log().append(end_of(f.commit_record(1)), kExampleTime);
  f.disk().wait_until_held();  // for ever, if nobody wrote it
  f.disk().release_sync();
}

TEST_CASE("closing writes what is queued", "[log]") {
  LogFixture f;
  f.open();
  f.commit(1, 10);
  f.log().append(end_of(f.commit_record(3)), kExampleTime);
  f.close();
  CHECK(f.reports().durable().size() == 10);
  f.open();
  CHECK(f.has_all(1, 10));
  CHECK(f.log().opening().unfinished.size() == 9);
}

TEST_CASE("an opening tells which commits have no end, oldest first", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 6);
  for (const std::uint64_t i : {1U, 4U, 6U}) {
    f.log().append(end_of(f.commit_record(i)), kExampleTime);
  }
  f.close();
  f.open();
  const std::vector<CommitRecord> expected{f.commit_record(2), f.commit_record(3),
                                           f.commit_record(5)};
  CHECK(f.log().opening().unfinished == expected);
}

TEST_CASE("R13: a commit of no branch is found, and has ended as it is written", "[log]") {
  LogFixture f;
  f.open();
  CommitRecord commit = testing::example_commit(f.log().opening().log_id, Epoch{1}, 1);
  commit.branches.clear();
  f.log().append_forced(commit, kExampleTime, LogToken{1});
  REQUIRE(f.reports().wait_for(1));
  CHECK(find_key(f, 1) == Decided{commit});
  f.open();
  CHECK(find_key(f, 1) == Decided{commit});
  CHECK(f.log().opening().unfinished.empty());
}

TEST_CASE("R2: every opening raises the epoch and draws a new nonce", "[log]") {
  LogFixture f;
  f.open();
  const auto first = f.log().opening();
  f.open();
  CHECK(f.log().opening().epoch == Epoch{2});
  CHECK(f.log().opening().log_id == first.log_id);
  CHECK(f.log().opening().nonce != first.nonce);
  f.commit_durably(1, 1);
  f.cut_power();
  f.open();
  CHECK(f.log().opening().epoch == Epoch{3});
  CHECK(f.has(1));
}

TEST_CASE("R15: a rollback is found by key and by gtrid", "[log]") {
  LogFixture f;
  f.open();
  const auto rollback = example_rollback(f.log().opening().log_id, Epoch{1}, 5);
  RollbackRecord settled = rollback;
  settled.gtrid.sequence = Sequence{0};
  settled.key = "settled";
  f.log().append_forced(rollback, kExampleTime, LogToken{1});
  f.log().append_forced(settled, kExampleTime, LogToken{2});
  REQUIRE(f.reports().wait_for(2));
  f.open();
  CHECK(find_key(f, 5) == Decided{rollback});
  CHECK(*f.log().find_gtrid(rollback.gtrid) == Decided{rollback});
  CHECK(*f.log().find_key("settled") == Decided{settled});
  CHECK(*f.log().find_gtrid(settled.gtrid) == std::nullopt);
  CHECK(f.log().opening().unfinished.empty());
}

TEST_CASE("R3: a gtrid of another log is not found", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 1);
  Gtrid foreign = f.commit_record(1).gtrid;
  REQUIRE(*f.log().find_gtrid(foreign) != std::nullopt);
  foreign.log_id = LogId{static_cast<std::uint64_t>(foreign.log_id) ^ 1};
  CHECK(*f.log().find_gtrid(foreign) == std::nullopt);
}

TEST_CASE("R15: the time of the log never goes backwards", "[log]") {
  LogFixture f;
  f.open();
  const WallTime opened = f.log().opening().log_time;
  const WallTime future{opened.ms_since_epoch + 3'600'000};
  f.log().append_forced(example_rollback(f.log().opening().log_id, Epoch{1}, 1), future,
                        LogToken{1});
  f.log().append_forced(example_rollback(f.log().opening().log_id, Epoch{1}, 2), WallTime{5},
                        LogToken{2});
  REQUIRE(f.reports().wait_for(2));
  f.open();  // at the host's time, an hour before
  CHECK(f.log().opening().log_time == future);
}

TEST_CASE("two keys with one hash are told apart", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 2);
  const LogId log_id = f.log().opening().log_id;
  const auto entry = [&](std::uint64_t i) {
    return idempotency_index_key(idempotency_hash(log_id, example_key(i)));
  };
  f.close();
  {
    // Keys that really collide would take years to find: give 3 and 4 the entries that they would
    // have if their hash were that of 1.
    RawDatabase db(f.dir());
    db.put(entry(3), db.get(entry(1)));
    db.put(entry(4), db.get(entry(1)));
  }
  f.open();
  CHECK(f.has(1));
  CHECK(!find_key(f, 3));
  CHECK(!find_key(f, 4));
  f.commit_durably(3, 3);
  CHECK(f.has_all(1, 3));
  CHECK(!find_key(f, 4));
  f.close();
  std::string numbers;
  append_number(2, numbers);  // record 2 is the first commit,
  append_number(5, numbers);  // record 4 the second opening
  CHECK(RawDatabase(f.dir()).get(entry(3)) == numbers);
}

const std::string kStartAgain =
    ". Start the coordinator again: it then presumes nothing, and says what is at stake and how to "
    "go on";

TEST_CASE("a checkpoint carries what is unfinished", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 10'500);
  for (std::uint64_t i = 1; i <= 10'500; ++i) {
    if (i != 17 && i != 10'400) f.log().append(end_of(f.commit_record(i)), kExampleTime);
  }
  f.commit_durably(10'501, 10'502);
  f.close();
  f.open();
  const std::vector<CommitRecord> expected{f.commit_record(17), f.commit_record(10'400),
                                           f.commit_record(10'501), f.commit_record(10'502)};
  CHECK(f.log().opening().unfinished == expected);
  const auto record = [](std::uint64_t i) { return i + 1; };  // the opening is record 1
  f.close();

  SECTION("and an opening looks at each of them") {
    {
      RawDatabase db(f.dir());
      db.put(record_key(record(17)), db.get(record_key(record(18))));
    }
    f.open();
    CHECK(f.log().opening().missing == std::vector<std::string>{"record 18 is damaged"});
  }
  SECTION("and what is finished is looked at in the background") {
    SECTION("a missing record") {
      RawDatabase(f.dir()).remove(record_key(record(300)));
      f.open();
      REQUIRE(f.reports().wait_for_failure());
      CHECK(f.reports().failures().front().message == "record 301 is missing" + kStartAgain);
    }
    SECTION("a record of another place") {
      {
        RawDatabase db(f.dir());
        db.put(record_key(record(300)), db.get(record_key(record(301))));
      }
      f.open();
      REQUIRE(f.reports().wait_for_failure());
      CHECK(f.reports().failures().front().message ==
            "the chain is broken: records 300 to 301 may be of another history" + kStartAgain);
    }
    SECTION("a missing entry of the index of keys") {
      RawDatabase(f.dir()).remove(
          idempotency_index_key(idempotency_hash(expected[0].gtrid.log_id, example_key(300))));
      f.open();
      REQUIRE(f.reports().wait_for_failure());
      CHECK(f.reports().failures().front().message ==
            "record 301 is there, and an index does not lead to it" + kStartAgain);
    }
    SECTION("a missing entry of the index of transactions") {
      const Gtrid gtrid = f.commit_record(300).gtrid;
      RawDatabase(f.dir()).remove(gtrid_key(gtrid.log_id, gtrid));
      f.open();
      REQUIRE(f.reports().wait_for_failure());
      CHECK(f.reports().failures().front().message ==
            "record 301 is there, and an index does not lead to it" + kStartAgain);
    }
    // Nothing is answered from a log that is known to be broken (R12).
    CHECK(f.reports().failures().size() == 1);
    const auto found = f.log().find_key(example_key(1));
    REQUIRE(!found.has_value());
    CHECK(found.error().code == ErrorCode::kLogUnavailable);
    f.commit(20'000, 20'000);
    f.close();
    CHECK(f.reports().durable().empty());
  }
}

TEST_CASE("a log has one coordinator", "[log]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 1);
  testing::Reports reports;
  const auto second = LevelDbLog::open({.dir = f.dir()}, reports.listener());
  REQUIRE(!second.has_value());
  CHECK(second.error().code == ErrorCode::kLogUnavailable);
  CHECK(contains(second.error().message, "it is in use"));
  f.commit_durably(2, 2);
  f.open();
  CHECK(f.log().opening().epoch == Epoch{2});  // the refused one has raised nothing
  CHECK(f.has_all(1, 2));
}

TEST_CASE("a folder that can't be made is named", "[log]") {
  testing::Reports reports;
  const auto opened = LevelDbLog::open({.dir = "/nowhere-at-all/log"}, reports.listener());
  REQUIRE(!opened.has_value());
  CHECK(contains(opened.error().message, "cannot make the folder /nowhere-at-all/log"));
}

TEST_CASE("a log whose first opening was interrupted is opened", "[log]") {
  LogFixture f;
  std::filesystem::create_directory(f.dir());
  constexpr LogId kLog{0x0123456789abcdef};
  REQUIRE(HighWaterMark::create(f.dir() / "high_water_mark", kLog).has_value());
  SECTION("after the mark was made") {}
  SECTION("while LevelDB made its files") {
    std::filesystem::create_directory(f.dir() / "decisions");
    testing::write_file(f.dir() / "decisions/MANIFEST-000001", "");
  }
  f.open();
  CHECK(f.log().opening().epoch == Epoch{1});
  CHECK(f.log().opening().log_id == kLog);
}

}  // namespace
}  // namespace assent::coordinator
