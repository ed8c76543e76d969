// R15: what is older than the retention leaves the log, and nothing else does.

#include <chrono>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_removal.h"
#include "coordinator/log/leveldb_verify.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

using assent::testing::end_of;
using assent::testing::example_commit;
using assent::testing::example_heuristic;
using assent::testing::example_key;
using assent::testing::example_rollback;
using assent::testing::LogFixture;
using assent::testing::RawDatabase;

constexpr auto kRetention = std::chrono::hours(1);

class RetentionFixture : public LogFixture {
 public:
  void reopen() {
    open();
    forced_ = 0;
  }

  RetentionFixture() {
    retain(kRetention);
    open();
    log_id_ = log().opening().log_id;
    start_ = log().opening().log_time;
  }

  WallTime at(std::chrono::minutes after_start) const { return start_ + after_start; }
  CommitRecord example(std::uint64_t i) const { return example_commit(log_id_, Epoch{1}, i); }

  // And waits until it and all before it are durable.
  void append(Record record, std::chrono::minutes when) {
    log().append_forced(std::move(record), at(when), LogToken{1});
    ++forced_;
    REQUIRE(reports().wait_for(forced_));
  }
  void commit_and_end(std::uint64_t i, std::chrono::minutes when) {
    log().append_forced(example(i), at(when), LogToken{i});
    ++forced_;
    log().append(end_of(example(i)), at(when));
  }
  HandRecord forget(std::uint64_t i) const {
    HandRecord hand;
    hand.action = HandAction::kForget;
    hand.gtrid = example(i).gtrid;
    hand.by = "ops@host";
    hand.reason = "corrected";
    return hand;
  }

  bool is_there(std::uint64_t i) {
    const auto by_key = log().find_key(example_key(i));
    const auto by_gtrid = log().find_gtrid(example(i).gtrid);
    REQUIRE(by_key.has_value());
    REQUIRE(by_gtrid.has_value());
    return by_key->has_value() || by_gtrid->has_value();
  }
  bool wait_until_gone(std::uint64_t i) {
    return comes_true([&] { return !is_there(i); });
  }

 private:
  LogId log_id_{};
  WallTime start_;
  std::size_t forced_ = 0;  // since the last opening
};

using std::chrono::minutes;

TEST_CASE("R15: what has ended longer ago than the retention goes", "[log][retention]") {
  RetentionFixture f;
  for (std::uint64_t i = 1; i <= 300; ++i) f.commit_and_end(i, minutes(0));
  f.append(example_rollback(f.example(1).gtrid.log_id, Epoch{1}, 301), minutes(0));
  for (std::uint64_t i = 400; i <= 410; ++i) f.commit_and_end(i, minutes(10));
  f.append(f.example(500), minutes(65));
  REQUIRE(f.wait_until_gone(1));  // the removal is told from the oldest on, each piece as a whole
  REQUIRE(f.wait_until_gone(300));
  for (std::uint64_t i = 400; i <= 410; ++i) CHECK(f.is_there(i));
  CHECK(f.is_there(500));
  const auto stats = f.log().stats();
  CHECK(stats.low_water >= f.example(300).gtrid);
  CHECK(stats.low_water < f.example(400).gtrid);
  CHECK(f.log().low_water() == stats.low_water);
  CHECK(stats.oldest > 600);
  // What is left verifies, twice: at an opening, and in the background.
  for (int i = 0; i < 2; ++i) {
    f.reopen();
    CHECK(f.log().opening().missing.empty());
    CHECK(f.log().opening().low_water == stats.low_water);
    CHECK(f.log().opening().unfinished == std::vector{f.example(500)});
    CHECK(f.is_there(410));
    CHECK(!f.is_there(300));
    f.close();
    CHECK(f.reports().failures().empty());
  }
}

TEST_CASE("R15: the newest commit that has gone is known, whatever went behind it",
          "[log][retention]") {
  RetentionFixture f;
  for (std::uint64_t i = 1; i <= 3; ++i) f.commit_and_end(i, minutes(0));  // records 2, 4 and 6
  for (int i = 0; i < 3; ++i) f.reopen();  // each begins with a record of its own
  f.append(f.example(500), minutes(65));
  REQUIRE(f.comes_true([&] { return f.log().stats().oldest > 10; }));
  CHECK(f.log().find_commits("points", {})->gone == 6);
  f.reopen();
  CHECK(f.log().find_commits("points", {})->gone == 6);
  CHECK(f.log().find_commits("points", {.before = 4})->gone == 3);
}

TEST_CASE("R15: what is old goes while others write", "[log][retention]") {
  RetentionFixture f;
  constexpr std::uint64_t kOld = 2'000;
  for (std::uint64_t i = 1; i <= kOld; ++i) f.commit_and_end(i, minutes(0));
  std::uint64_t written = kOld;
  REQUIRE(f.comes_true([&] {
    for (int i = 0; i < 20; ++i) f.commit_and_end(++written, minutes(65));
    f.append(f.example(++written), minutes(65));
    return !f.is_there(kOld);
  }));
  CHECK(f.is_there(kOld + 1));
  CHECK(f.is_there(written));
  CHECK(f.reports().failures().empty());
}

TEST_CASE("R15: where nothing happens the log's time goes on all the same", "[log][retention]") {
  RetentionFixture f;
  f.commit_and_end(1, minutes(0));
  f.append(f.example(2), minutes(1));
  f.log().keep_time(f.at(minutes(2)));  // not much later: nothing is written
  f.append(f.example(3), minutes(2));
  const std::uint64_t newest = f.log().stats().newest;
  f.log().keep_time(f.at(minutes(61)));
  REQUIRE(f.wait_until_gone(1));
  CHECK(f.log().stats().newest > newest);
  f.reopen();
  CHECK(f.log().opening().missing.empty());
  CHECK(f.log().opening().log_time == f.at(minutes(61)));
  CHECK(f.is_there(2));
  f.close();
  CHECK(f.reports().failures().empty());
}

TEST_CASE("R15: what has left the log gives its space back", "[log][retention]") {
  constexpr std::uint64_t kMany = 20'000;
  RetentionFixture f;
  for (std::uint64_t i = 1; i <= kMany; ++i) f.commit_and_end(i, minutes(0));
  f.append(f.example(kMany + 1), minutes(0));
  f.reopen();  // what was written is in a table now; LevelDB frees only what later tables delete
  const std::uint64_t bytes = f.log().stats().bytes;
  f.append(f.example(kMany + 2), minutes(61));
  // Nothing is looked up meanwhile: LevelDB keeps a table that somebody reads until it compacts
  // again.
  CHECK(f.comes_true([&] { return f.log().stats().bytes < bytes / 2; }));
  CHECK(!f.is_there(kMany));
}

TEST_CASE("R15: the low water is raised before anything is gone", "[log][retention]") {
  RetentionFixture f;
  for (std::uint64_t i = 1; i <= 1'000; ++i) f.commit_and_end(i, minutes(0));
  f.append(f.example(2'000), minutes(120));
  // The lookup first, as scans do (R2).
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    const auto found = f.log().find_gtrid(f.example(i).gtrid);
    REQUIRE(found.has_value());
    if (!*found) CHECK(f.log().low_water() >= f.example(i).gtrid);
  }
  REQUIRE(f.wait_until_gone(1));
}

TEST_CASE("R15: what is not finished, damaged or still wanted stays", "[log][retention]") {
  RetentionFixture f;
  f.append(f.example(1), minutes(0));  // never ended
  f.commit_and_end(2, minutes(0));
  const auto damage = example_heuristic(f.example(2).gtrid.log_id, Epoch{1}, 2);
  f.append(damage, minutes(0));
  f.commit_and_end(3, minutes(0));
  f.append(f.example(4), minutes(70));
  REQUIRE(f.wait_until_gone(3));
  CHECK(f.is_there(1));
  CHECK(f.log().find_story(f.example(2).gtrid)->size() == 1);
  f.reopen();
  CHECK(f.log().opening().unfinished == std::vector{f.example(1), f.example(4)});
  CHECK(f.log().opening().damaged == std::vector{damage});

  // Ended and forgotten: they go an hour later, what was done by hand does not.
  f.log().append(end_of(f.example(1)), f.at(minutes(80)));
  f.append(f.forget(2), minutes(80));
  CommitRecord promised = f.example(5);
  promised.not_after = f.at(minutes(400));
  f.append(promised, minutes(80));
  f.log().append(end_of(promised), f.at(minutes(80)));
  f.append(f.example(6), minutes(200));
  REQUIRE(f.wait_until_gone(1));
  CHECK(f.is_there(5));
  f.reopen();
  CHECK(f.log().opening().damaged.empty());
  CHECK(f.log().opening().missing.empty());
  const auto story = f.log().find_story(f.example(2).gtrid);
  REQUIRE(story.has_value());
  REQUIRE(!story->empty());
  CHECK(story->back().record == Record(f.forget(2)));
  f.append(f.example(7), minutes(500));
  REQUIRE(f.wait_until_gone(5));
}

TEST_CASE("R15: a key that is used again is found under its newer decision", "[log][retention]") {
  RetentionFixture f;
  f.commit_and_end(1, minutes(0));
  CommitRecord again = f.example(2);
  again.key = example_key(1);
  f.append(again, minutes(30));
  f.append(f.example(3), minutes(70));
  REQUIRE(f.comes_true([&] { return f.log().stats().oldest >= 4; }));
  CHECK(*f.log().find_key(example_key(1)) == Decided{again});
}

TEST_CASE("R15: what nobody measured makes no outcome older", "[log][retention]") {
  RetentionFixture f;
  f.commit_and_end(1, minutes(0));
  f.append(f.example(2), minutes(1));  // record 4
  f.reopen();                          // record 5
  f.log().begin_time(f.at(minutes(51)));
  f.commit_and_end(10, minutes(51));
  f.append(f.example(11), minutes(65));
  const bool restarted = GENERATE(false, true);
  if (restarted) {
    f.reopen();
    f.log().begin_time(f.at(minutes(65)));  // at once: no time is unproved
    f.append(f.example(12), minutes(66));
  }
  f.close();
  {
    RawDatabase raw(f.dir());
    const auto past = read_recent(raw.db(), f.example(1).gtrid.log_id);
    REQUIRE(past.has_value());
    const std::vector<UnprovedTime> expected{{5, 50 * 60'000}};
    CHECK(past->state.unproved == expected);
    const auto removable = [&](minutes now) {
      const Cutoff cutoff{f.at(now - kRetention), past->state.unproved};
      const LogId log_id = f.example(1).gtrid.log_id;
      const auto found = find_removable(raw.db(), log_id, 0, cutoff, {}, {});
      REQUIRE(found.has_value());
      return found->oldest;
    };
    CHECK(removable(minutes(66)) == 0);
    CHECK(removable(minutes(110)) == 0);
    CHECK(removable(minutes(111)) > 1);
    CHECK(removable(minutes(111)) < 6);
    CHECK(removable(minutes(112)) > 6);
  }
  f.reopen();
  f.append(f.example(20), minutes(115));
  CHECK(f.wait_until_gone(1));
}

TEST_CASE("R15: a clock that jumped while the coordinator was away removes nothing",
          "[log][retention]") {
  RetentionFixture f;
  f.commit_and_end(1, minutes(0));
  f.close();
  // The log's time is that of its records; the opening's own carries no new one.
  f.reopen();
  CHECK(f.log().opening().log_time == f.at(minutes(0)));
}

}  // namespace
}  // namespace assent::coordinator
