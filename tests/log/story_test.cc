// What a log tells beside its decisions: damages, what was done by hand, whole stories.

#include <leveldb/db.h>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/record.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

using assent::testing::end_of;
using assent::testing::example_heuristic;
using assent::testing::example_rollback;
using assent::testing::kExampleTime;
using assent::testing::LogFixture;
using assent::testing::RawDatabase;

HandRecord forget(const Gtrid& gtrid, const std::string& participant) {
  HandRecord hand;
  hand.action = HandAction::kForget;
  hand.gtrid = gtrid;
  hand.participant = participant;
  hand.by = "ops@host";
  hand.reason = "corrected by hand";
  return hand;
}

HandRecord resolve(const Gtrid& gtrid, Decision decision) {
  HandRecord hand = forget(gtrid, "");
  hand.action = HandAction::kResolve;
  hand.decision = decision;
  return hand;
}

class StoryFixture : public LogFixture {
 public:
  StoryFixture() { open(); }

  void append(Record record) {
    const auto before = reports().durable().size();
    log().append_forced(std::move(record), kExampleTime, LogToken{1'000'000});
    REQUIRE(reports().wait_for(before + 1));
  }
  HeuristicRecord heuristic(std::uint64_t i, const std::string& participant) const {
    auto record = example_heuristic(commit_record(i).gtrid.log_id, commit_record(i).gtrid.epoch, i);
    record.xid.bqual = participant;
    return record;
  }
  // Enough records for another checkpoint, each of its own transaction.
  void fill_to_checkpoint(std::uint64_t first) { commit_durably(first, first + 10'000); }
  /// The same, without a commit of anybody.
  void fill_with_rollbacks(std::uint64_t first) {
    const LogId log_id = log().opening().log_id;
    for (std::uint64_t i = first; i < first + 10'002; ++i)
      log().append(example_rollback(log_id, Epoch{1}, i), kExampleTime);
  }

  // The log's own time, which never goes backwards: not that of the append.
  WallTime written_at(std::uint64_t number) {
    for (const std::uint64_t i : {1U, 2U}) {
      const auto told = log().find_story(commit_record(i).gtrid);
      REQUIRE(told.has_value());
      for (const ToldRecord& record : *told) {
        if (record.number == number) return record.log_time;
      }
    }
    return {};
  }

  std::vector<Record> story(const Gtrid& gtrid) {
    const auto told = log().find_story(gtrid);
    REQUIRE(told.has_value());
    std::vector<Record> records;
    for (std::size_t i = 0; i < told->size(); ++i) {
      if (i > 0) CHECK((*told)[i].number > (*told)[i - 1].number);
      records.push_back((*told)[i].record);
    }
    return records;
  }
};

TEST_CASE("a damage is pinned across openings and checkpoints until it is forgotten", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 3);
  f.append(f.heuristic(1, "payments"));
  f.append(f.heuristic(2, "points"));
  auto newer = f.heuristic(1, "payments");
  newer.heuristic = Heuristic::kHazard;
  f.append(newer);
  f.append(f.heuristic(2, "payments"));
  for (const std::uint64_t i : {1U, 2U, 3U})
    f.log().append(end_of(f.commit_record(i)), kExampleTime);
  SECTION("among the recent records") {}
  SECTION("behind a checkpoint") {
    f.fill_to_checkpoint(10);
  }
  f.open();
  CHECK(f.log().opening().damaged ==
        std::vector{f.heuristic(2, "points"), newer, f.heuristic(2, "payments")});
  f.append(forget(f.commit_record(2).gtrid, "points"));
  f.open();
  CHECK(f.log().opening().damaged == std::vector{newer, f.heuristic(2, "payments")});
  f.append(forget(f.commit_record(1).gtrid, ""));
  f.append(forget(f.commit_record(2).gtrid, ""));
  f.open();
  CHECK(f.log().opening().damaged.empty());
}

TEST_CASE("an opening tells where its records stand and what a person has allowed", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 2);
  auto violation = f.heuristic(1, "points");
  violation.violation = true;
  f.append(violation);
  HandRecord allow;
  allow.action = HandAction::kAllow;
  allow.allowance = Allowance::kViolation;
  allow.by = "ops@host";
  allow.reason = "found out who and why";
  f.append(allow);
  SECTION("among the recent records") {}
  SECTION("behind a checkpoint") {
    f.fill_to_checkpoint(10);
  }
  f.open();
  const LogOpening& opening = f.log().opening();
  CHECK(opening.damaged == std::vector{violation});
  const std::uint64_t number = opening.damaged_at.at(violation.xid).number;
  CHECK(opening.violation_allowed == number + 1);
  CHECK(opening.damaged_at.at(violation.xid).when == f.written_at(number));
  const auto& commit = opening.unfinished_at.at(f.commit_record(2).gtrid);
  CHECK(commit.number == number - 1);
  CHECK(commit.when != WallTime{});
  CHECK(commit.when == f.written_at(commit.number));
  CHECK(opening.ends_missing_below == 0);
}

TEST_CASE("an opening tells the newest committed branch of each participant", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 5);
  CommitRecord only_points = testing::example_commit(f.log().opening().log_id, Epoch{1}, 6);
  only_points.branches.pop_back();
  f.append(only_points);
  CommitRecord by_hand = testing::example_commit(only_points.gtrid.log_id, Epoch{1}, 7);
  by_hand.by_hand = true;
  f.append(by_hand);  // prepared long before: it shows nothing of the others
  for (std::uint64_t i = 1; i <= 5; ++i) f.log().append(end_of(f.commit_record(i)), kExampleTime);
  SECTION("among the recent records") {}
  SECTION("behind a checkpoint") {
    f.fill_with_rollbacks(8);
  }
  f.open();
  CHECK(f.log().opening().by_hand ==
        std::map<std::string, std::uint64_t>{{"payments", 8}, {"points", 8}});
  // Record 1 is the opening.
  CHECK(f.log().opening().newest == std::vector{NewestCommit{6, f.commit_record(5).branches[1]},
                                                NewestCommit{7, only_points.branches[0]}});
}

TEST_CASE("of a participant that a person took back as it is nothing is expected", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 2);
  HandRecord hand;
  hand.action = HandAction::kAllow;
  hand.allowance = Allowance::kHistory;
  hand.participant = "points";
  f.append(hand);
  const std::uint64_t number = f.log().top();
  SECTION("among the recent records") {}
  SECTION("behind a checkpoint") {
    f.fill_with_rollbacks(10);
  }
  f.open();
  REQUIRE(f.log().opening().newest.size() == 1);
  CHECK(f.log().opening().newest.front().branch.xid.bqual == "payments");
  CHECK(f.log().opening().taken_back == std::map<std::string, std::uint64_t>{{"points", number}});
  f.commit_durably(3, 3);
  f.open();
  CHECK(f.log().opening().newest.size() == 2);
  CHECK(f.log().opening().taken_back.empty());
}

TEST_CASE("a transaction's story is told in its order, without its end", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 2);
  const Gtrid gtrid = f.commit_record(1).gtrid;
  f.append(f.heuristic(1, "payments"));
  f.log().append(end_of(f.commit_record(1)), kExampleTime);
  f.append(forget(gtrid, "payments"));
  const std::vector<Record> expected{f.commit_record(1), f.heuristic(1, "payments"),
                                     forget(gtrid, "payments")};
  CHECK(f.story(gtrid) == expected);
  f.open();
  CHECK(f.story(gtrid) == expected);
  CHECK(f.has(1));
  Gtrid foreign = gtrid;
  foreign.log_id = LogId{1};
  CHECK(f.story(foreign).empty());
  CHECK(f.story({gtrid.log_id, Epoch{1}, Sequence{77}}).empty());
}

TEST_CASE("what is done by hand may come before the decision, or be all there is", "[log]") {
  StoryFixture f;
  const LogId log_id = f.log().opening().log_id;
  const auto of = [&](std::uint64_t i) { return testing::example_commit(log_id, Epoch{1}, i); };
  CommitRecord by_hand = of(5);
  by_hand.by_hand = true;
  const bool one_batch = GENERATE(false, true);
  if (one_batch) f.disk().hold_sync();
  std::size_t appended = 0;
  const auto append = [&](Record record) {
    f.log().append_forced(std::move(record), kExampleTime, LogToken{1});
    ++appended;
    if (!one_batch) REQUIRE(f.reports().wait_for(appended));
  };
  append(resolve(by_hand.gtrid, Decision::kCommit));
  append(by_hand);
  append(resolve(of(6).gtrid, Decision::kRollback));
  append(example_rollback(log_id, Epoch{1}, 6));
  append(resolve(of(7).gtrid, Decision::kRollback));
  f.disk().release_sync();
  REQUIRE(f.reports().wait_for(5));
  CHECK(f.story(by_hand.gtrid) ==
        std::vector<Record>{resolve(by_hand.gtrid, Decision::kCommit), by_hand});
  CHECK(*f.log().find_gtrid(by_hand.gtrid) == Decided{by_hand});
  CHECK(*f.log().find_gtrid(of(6).gtrid) == Decided{example_rollback(log_id, Epoch{1}, 6)});
  CHECK(*f.log().find_gtrid(of(7).gtrid) == std::nullopt);
  CHECK(f.story(of(7).gtrid).size() == 1);
}

TEST_CASE("all commits of a participant behind a number are found piece by piece", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 1'500);
  CommitRecord elsewhere = testing::example_commit(f.log().opening().log_id, Epoch{1}, 2'000);
  elsewhere.branches.pop_back();
  f.append(elsewhere);
  std::vector<NumberedCommit> found;
  std::uint64_t after = 11;  // commit 10
  int pieces = 0;
  for (bool more = true; more; ++pieces) {
    const auto piece = f.log().find_commits("payments", {.after = after});
    REQUIRE(piece.has_value());
    found.insert(found.end(), piece->commits.begin(), piece->commits.end());
    after = piece->read_to;
    more = piece->more;
  }
  CHECK(pieces == 2);
  REQUIRE(found.size() == 1'490);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i] == NumberedCommit{i + 12, f.commit_record(i + 11)});
  }
  CHECK(after == 1'502);
  const auto first_two = f.log().find_commits("payments", {.after = 11, .before = 14});
  REQUIRE(first_two.has_value());
  CHECK(first_two->commits == std::vector(found.begin(), found.begin() + 2));
  CHECK(!first_two->more);
}

TEST_CASE("a changed record of what was done by hand is noticed", "[log]") {
  const bool with_the_link_behind_it = GENERATE(true, false);
  StoryFixture f;
  f.commit_durably(1, 1);
  f.append(resolve({f.commit_record(1).gtrid.log_id, Epoch{1}, Sequence{8}}, Decision::kRollback));
  f.append(forget(f.commit_record(1).gtrid, ""));
  f.close();
  {
    // As somebody who knows the format would do it: the record's checksum is right.
    RawDatabase db(f.dir());
    auto record = decode_record(db.get(record_key(3)));
    REQUIRE(record.has_value());
    auto& chained = std::get<ChainedHand>(record->payload);
    chained.hand.by = "nobody";
    std::string bytes;
    encode_record(record->header, chained, bytes);
    db.put(record_key(3), bytes);
    if (with_the_link_behind_it) {
      auto next = decode_record(db.get(record_key(4)));
      REQUIRE(next.has_value());
      next->header.previous = record->header.checksum;
      bytes.clear();
      encode_record(next->header, std::get<ChainedHand>(next->payload), bytes);
      db.put(record_key(4), bytes);
    }
  }
  f.open();
  const std::vector<std::string> missing = f.log().opening().missing;
  if (!with_the_link_behind_it) {
    CHECK(missing ==
          std::vector<std::string>{"the chain is broken: record 4 may be of another history"});
    return;
  }
  CHECK(missing.empty());
  REQUIRE(f.reports().wait_for_failure());
  CHECK(f.reports().failures().front().message ==
        "record 3 is damaged. Start the coordinator again: it then presumes nothing, and says "
        "what is at stake and how to go on");
}

TEST_CASE("a log tells its figures", "[log]") {
  StoryFixture f;
  f.commit_durably(1, 10);
  const auto stats = f.log().stats();
  CHECK(stats.newest == 11);
  CHECK(stats.top == 11);
  CHECK(stats.oldest == 1);
  CHECK(stats.bytes > 11 * 36);
  CHECK(stats.disk_free > 0);
  CHECK(stats.log_time == f.log().opening().log_time);
  CHECK(stats.low_water == std::nullopt);
}

}  // namespace
}  // namespace assent::coordinator
