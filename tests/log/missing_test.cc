// Refusing to presume (design section 7): a log that lacks something is opened, says so at every
// opening, and leaves out what may have been used, until a person allows it.

#include <filesystem>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/log_state.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;
using assent::testing::end_of;
using assent::testing::kExampleTime;
using assent::testing::LogFixture;
using assent::testing::RawDatabase;
using Sentences = std::vector<std::string>;

class MissingFixture : public LogFixture {
 public:
  MissingFixture() {
    open();
    commit_durably(1, 10);  // records 2 to 11
    close();
  }

  const LogOpening& reopen() {
    open();
    return log().opening();
  }
  void allow(std::uint64_t missing_to) {
    HandRecord hand;
    hand.action = HandAction::kAllow;
    hand.allowance = Allowance::kPresume;
    hand.missing_to = missing_to;
    hand.by = "ops@host";
    hand.reason = "the disk is lost";
    const auto before = reports().durable().size();
    log().append_forced(hand, kExampleTime, LogToken{1'000'000});
    REQUIRE(reports().wait_for(before + 1));
  }
  // The verification of all records, in the background, ends well.
  void verify_all() {
    for (int i = 0; i < 2; ++i) {
      open();
      CHECK(log().opening().missing.empty());
      close();
      CHECK(reports().failures().empty());
    }
  }
  // Takes the newest `count` records out of the database; the mark stays.
  void lose_end(std::uint64_t newest, std::uint64_t count) {
    close();
    RawDatabase db(dir());
    for (auto i = newest - count + 1; i <= newest; ++i) db.remove(record_key(i));
  }
};

const Sentences kEndMissing{
    "decisions are missing at its end: records 10 to 11 are missing, and 11 was reported durable "
    "(high-water mark)"};

bool holds(const LogOpening& opening, std::vector<HeldTop> newest) {
  const auto n = static_cast<std::ptrdiff_t>(newest.size());
  return opening.held.size() >= newest.size() &&
         std::equal(newest.begin(), newest.end(), opening.held.end() - n);
}

TEST_CASE("each opening says what those before it can have told of", "[log]") {
  MissingFixture f;  // epoch 1: records 1 to 11
  CHECK(holds(f.reopen(), {{Epoch{1}, 0}, {Epoch{2}, 11}}));
  f.commit_durably(20, 21);
  CHECK(holds(f.reopen(), {{Epoch{1}, 0}, {Epoch{2}, 11}, {Epoch{3}, 14}}));
  SECTION("from the opening before a checkpoint on") {
    f.commit_durably(100, 10'200);
    const LogOpening& opening = f.reopen();
    CHECK(opening.held.size() == 2);
    CHECK(opening.held.front() == HeldTop{Epoch{3}, 14});
  }
  SECTION("not of what is lost") {
    f.lose_end(15, 2);  // its opening and the record before
    fs::remove(f.dir() / "high_water_mark");
    const LogOpening& opening = f.reopen();
    CHECK(opening.held.front() == HeldTop{Epoch{1}, 0});
    CHECK(opening.held.back().top < 14);
  }
}

TEST_CASE("only the newest openings are remembered", "[log]") {
  LogState state(LogId{1});
  for (std::uint32_t i = 1; i <= kHeldTopsMax + 1; ++i) state.opened(Epoch{i}, i);
  CHECK(state.held.size() == kHeldTopsMax);
  CHECK(state.held.front() == HeldTop{Epoch{2}, 1});
  CHECK(state.held.back() == HeldTop{Epoch{kHeldTopsMax + 1}, kHeldTopsMax});
}

TEST_CASE("what a person has given up is told at every opening", "[log]") {
  MissingFixture f;
  f.lose_end(11, 2);
  CHECK(f.reopen().given_up_to == 0);
  f.allow(40);
  CHECK(f.reopen().given_up_to == 40);
  CHECK(f.log().opening().held.back().top == 40);
}

TEST_CASE("a lost end is told at every opening until a person allows to presume", "[log]") {
  MissingFixture f;
  f.lose_end(11, 2);
  CHECK(f.reopen().missing == kEndMissing);
  CHECK(f.log().opening().missing_to == 11);
  CHECK(f.log().opening().unfinished.size() == 8);
  SECTION("no number and no epoch that may have been used is used again") {
    CHECK(f.log().opening().top == 12);
    CHECK(f.log().opening().epoch > Epoch{100'000});
  }
  SECTION("what is known is driven, and what is appended is kept") {
    f.log().append(end_of(f.commit_record(1)), kExampleTime);
    f.commit_durably(20, 21);
    CHECK(f.reopen().missing == kEndMissing);
    CHECK(f.log().opening().unfinished.size() == 9);
    CHECK(f.has_all(20, 21));
  }
  SECTION("also behind a checkpoint") {
    f.commit_durably(20, 10'100);
    CHECK(f.reopen().missing == kEndMissing);
    f.commit_durably(10'200, 20'300);
    CHECK(f.reopen().missing == kEndMissing);
    CHECK(f.log().opening().missing_to == 11);
  }
  f.allow(11);
  f.commit_durably(30'000, 30'001);
  const auto epoch = f.log().opening().epoch;
  CHECK(f.reopen().missing.empty());
  CHECK(f.log().opening().missing_to == 0);
  CHECK(static_cast<std::uint32_t>(f.log().opening().epoch) ==
        static_cast<std::uint32_t>(epoch) + 1);
  CHECK(f.has_all(1, 8));
  CHECK(f.has_all(30'000, 30'001));
  f.verify_all();
}

TEST_CASE("a log without any record left goes on as itself", "[log]") {
  MissingFixture f;
  const LogId log_id = f.commit_record(1).gtrid.log_id;
  fs::remove(f.write_ahead_file());
  CHECK(f.reopen().missing == Sentences{"decisions are missing at its end: records 1 to 11 are "
                                        "missing, and 11 was reported durable (high-water mark)"});
  CHECK(f.log().opening().log_id == log_id);
  CHECK(f.log().opening().top == 12);
  f.allow(11);
  f.verify_all();
}

TEST_CASE("a gap among the recent records is told", "[log]") {
  MissingFixture f;
  for (const std::uint64_t i : {4U, 5U, 8U}) RawDatabase(f.dir()).remove(record_key(i));
  const Sentences expected{"records 4 to 5 are missing", "record 8 is missing"};
  CHECK(f.reopen().missing == expected);
  CHECK(f.log().opening().missing_to == 8);
  CHECK(f.log().opening().unfinished.size() == 7);
  CHECK(f.reopen().missing == expected);
  SECTION("and so is what is lost later") {
    f.close();
    RawDatabase(f.dir()).remove(record_key(7));
    CHECK(f.reopen().missing.back() == "records 7 to 8 are missing");
  }
  f.allow(8);
  f.verify_all();
}

TEST_CASE("a gap among the older records stops the coordinator, and is told from then on",
          "[log]") {
  MissingFixture f;
  f.open();
  f.commit_durably(20, 10'200);
  for (const std::uint64_t i : {20U, 21U}) {
    f.log().append(end_of(f.commit_record(i)), kExampleTime);
  }
  f.commit_durably(10'201, 20'500);
  f.close();
  RawDatabase(f.dir()).remove(record_key(13));  // the 20th commit's
  f.open();
  REQUIRE(f.reports().wait_for_failure());
  CHECK(f.reports().failures().front().message ==
        "record 13 is missing. Start the coordinator again: it then presumes nothing");
  CHECK(f.reopen().missing == Sentences{"record 13 is missing"});
  f.commit_durably(30'000, 30'000);
  f.allow(13);
  f.verify_all();
}

TEST_CASE("an unfinished commit that is gone is told, the others are driven", "[log]") {
  MissingFixture f;
  f.open();
  f.commit_durably(20, 10'100);
  f.close();
  RawDatabase(f.dir()).remove(record_key(4));  // listed by the checkpoint
  CHECK(f.reopen().missing == Sentences{"record 4 is missing"});
  CHECK(f.log().opening().unfinished.size() == 9 + 10'081);
}

TEST_CASE("a missing mark is told", "[log]") {
  MissingFixture f;
  const LogId log_id = f.commit_record(1).gtrid.log_id;
  fs::remove(f.dir() / "high_water_mark");
  const Sentences expected{
      "its high-water mark was missing, so decisions behind record 11 may be missing"};
  CHECK(f.reopen().missing == expected);
  CHECK(f.log().opening().log_id == log_id);
  CHECK(f.has_all(1, 10));
  CHECK(f.reopen().missing == expected);
  f.allow(0);
  f.verify_all();
}

TEST_CASE("a copy of a log's folder is told", "[log]") {
  MissingFixture f;
  f.open();
  f.close();
  const Sentences expected{"its folder is a copy: the original may have gone on behind record 12"};
  fs::rename(f.dir(), f.dir().parent_path() / "original");
  SECTION("moved is not copied") {
    fs::rename(f.dir().parent_path() / "original", f.dir());
    CHECK(f.reopen().missing.empty());
    CHECK(f.log().opening().epoch == Epoch{3});
  }
  SECTION("copied") {
    fs::copy(f.dir().parent_path() / "original", f.dir(), fs::copy_options::recursive);
    CHECK(f.reopen().missing == expected);
    CHECK(f.log().opening().missing_to == 0);
    // The original may be opened again and again: no epoch is taken by both.
    CHECK(f.log().opening().epoch > Epoch{100'000});
    CHECK(f.reopen().missing == expected);
    f.allow(0);
    f.verify_all();
  }
}

TEST_CASE("a copy made by `log backup` opens only when it is said to be restored", "[log]") {
  MissingFixture f;
  testing::write_file(f.dir() / "backup", "a copy");
  CHECK(f.open_error().find("start assentd with --restored") != std::string::npos);
  testing::Reports reports;
  {
    const auto opened = LevelDbLog::open({.dir = f.dir(), .restored = true}, reports.listener());
    REQUIRE(opened.has_value());
    CHECK((*opened)->opening().missing.size() == 1);
  }
  CHECK(f.reopen().missing ==
        Sentences{"it was restored from a copy made by `log backup`: the original may have gone on "
                  "behind record 11"});
}

TEST_CASE("what a person gives up beyond the log's end is left out", "[log]") {
  MissingFixture f;
  f.open();  // record 12
  f.allow(500);
  CHECK(f.log().top() == 500);
  const bool goes_on = GENERATE(true, false);
  if (goes_on) {
    f.commit_durably(20, 20);
    CHECK(f.log().top() == 501);
  }
  const auto epoch = f.log().opening().epoch;
  CHECK(f.reopen().missing.empty());
  CHECK(f.log().opening().top == (goes_on ? 502 : 501));
  CHECK(static_cast<std::uint32_t>(f.log().opening().epoch) >
        static_cast<std::uint32_t>(epoch) + 100'000);
  f.verify_all();
}

TEST_CASE("a folder with a mark and without a database is refused by name", "[log]") {
  MissingFixture f;
  fs::remove_all(f.dir() / "decisions");
  const auto why = f.open_error();
  CHECK(why.find("its database is gone") != std::string::npos);
  CHECK(why.find("records 1 to 11 were reported durable") != std::string::npos);
  CHECK(why.find("--restored") != std::string::npos);
}

}  // namespace
}  // namespace assent::coordinator
