// Refusing to presume (design section 7): a log that lacks something is opened, says so at every
// opening, and leaves out what may have been used, until a person allows it.

#include <algorithm>
#include <chrono>
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

std::string broken(std::uint64_t first, std::uint64_t last) {
  return "the chain is broken: records " + std::to_string(first) + " to " + std::to_string(last) +
         " may be of another history";
}

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

bool is_of(const HeldTop& one, const HeldTop& wanted) {
  return one.epoch == wanted.epoch && one.top == wanted.top && one.nonce != 0;
}

bool holds(const LogOpening& opening, std::vector<HeldTop> newest) {
  const auto n = static_cast<std::ptrdiff_t>(newest.size());
  return opening.held.size() >= newest.size() &&
         std::equal(opening.held.end() - n, opening.held.end(), newest.begin(), is_of);
}

TEST_CASE("each opening says what those before it can have told of", "[log]") {
  MissingFixture f;  // epoch 1: records 1 to 11
  CHECK(holds(f.reopen(), {{Epoch{1}, 0}, {Epoch{2}, 11}}));
  f.commit_durably(20, 21);
  CHECK(holds(f.reopen(), {{Epoch{1}, 0}, {Epoch{2}, 11}, {Epoch{3}, 14}}));
  SECTION("also behind checkpoints") {
    f.commit_durably(100, 10'200);
    CHECK(holds(f.reopen(), {{Epoch{2}, 11}, {Epoch{3}, 14}, {Epoch{4}, 10'117}}));
    f.commit_durably(10'300, 20'400);
    CHECK(is_of(f.reopen().held.front(), {Epoch{1}, 0}));
  }
  SECTION("not of what is lost") {
    f.lose_end(15, 2);  // its opening and the record before
    fs::remove(f.dir() / "high_water_mark");
    const LogOpening& opening = f.reopen();
    CHECK(is_of(opening.held.front(), {Epoch{1}, 0}));
    CHECK(opening.held.back().top < 14);
  }
}

TEST_CASE("only the newest openings are remembered", "[log]") {
  LogState state(LogId{1});
  for (std::uint32_t i = 1; i <= kHeldTopsMax + 1; ++i) state.opened(Epoch{i}, i, 0);
  CHECK(state.held.size() == kHeldTopsMax);
  CHECK(state.held.front() == HeldTop{Epoch{2}, 1});
  CHECK(state.held.back() == HeldTop{Epoch{kHeldTopsMax + 1}, kHeldTopsMax});
}

TEST_CASE("a lost log is given up for all openings, and what is left of it ended by hand",
          "[log]") {
  MissingFixture f;
  f.reopen();
  const LogId lost{7};
  HandRecord give_up;
  give_up.action = HandAction::kAllow;
  give_up.allowance = Allowance::kPresume;
  give_up.lost_logs = {lost};
  give_up.by = "ops@host";
  give_up.reason = "the disk is lost";
  auto commit = f.commit_record(1);  // of the same epoch and sequence
  commit.gtrid.log_id = lost;
  for (auto& branch : commit.branches) branch.xid.gtrid = commit.gtrid;
  commit.key.clear();
  commit.by_hand = true;
  const auto before = f.reports().durable().size();
  f.log().append_forced(give_up, kExampleTime, LogToken{1'000'000});
  f.log().append_forced(commit, kExampleTime, LogToken{1'000'001});
  REQUIRE(f.reports().wait_for(before + 2));
  for (const bool checkpointed : {false, true}) {
    if (checkpointed) f.commit_durably(30, 10'100);
    const LogOpening& opening = f.reopen();
    CHECK(opening.given_up_logs == std::set<LogId>{lost});
    CHECK(opening.missing.empty());
    CHECK(std::count(opening.unfinished.begin(), opening.unfinished.end(), commit) == 1);
    const auto found = f.log().find_gtrid(commit.gtrid);
    REQUIRE(found.has_value());
    CHECK(*found == coordinator::Decided{commit});
    CHECK(f.has(1));  // its own of that name
  }
  f.log().append(end_of(commit), kExampleTime);
  f.commit_durably(20'000, 20'000);
  const auto& unfinished = f.reopen().unfinished;
  CHECK(std::count(unfinished.begin(), unfinished.end(), commit) == 0);
  f.close();
  f.verify_all();
}

TEST_CASE("a loss that a database showed waits for a person over openings and checkpoints",
          "[log]") {
  const std::string shown = "participant points was told of record 30, which this log lacks";
  MissingFixture f;
  f.reopen();  // record 12
  f.log().append(LossRecord{shown, 30}, kExampleTime);
  f.commit_durably(20, 24);  // records 14 to 18
  for (const bool checkpointed : {false, true}) {
    if (checkpointed) f.commit_durably(100, 10'200);
    const LogOpening& opening = f.reopen();
    CHECK(opening.missing == Sentences{shown});
    CHECK(opening.missing_to == 30);
    CHECK(opening.given_up_to == 0);
    CHECK(opening.ends_missing_below == 13);
    CHECK(opening.epoch > Epoch{1'000'000});  // what is lost may have been openings
    CHECK(opening.epoch < Epoch{1'000'100});
  }
  SECTION("until that person allows to presume") {
    f.allow(30);
    f.commit_durably(20'000, 30'100);
    CHECK(f.reopen().missing.empty());
    CHECK(f.log().opening().given_up_to == 30);
    f.verify_all();
  }
  SECTION("and hides no record that gets lost later under such a number") {
    f.close();
    RawDatabase(f.dir()).remove(record_key(15));
    CHECK(f.reopen().missing == Sentences{shown, "record 15 is missing"});
  }
}

TEST_CASE("the opening behind an allowance begins above the one that deposed it", "[log]") {
  MissingFixture f;
  const bool checkpointed = GENERATE(false, true);
  f.reopen();
  HandRecord hand;
  hand.action = HandAction::kAllow;
  hand.allowance = Allowance::kPresume;
  hand.above = Epoch{1'000'007};
  f.log().append_forced(hand, kExampleTime, LogToken{1'000'000});
  f.commit_durably(20, checkpointed ? 10'100 : 21);
  const LogOpening opening = f.reopen();
  CHECK(opening.epoch == Epoch{1'000'008});
  CHECK(opening.given_up_epoch == hand.above);
  const LogOpening next = f.reopen();
  CHECK(next.epoch == Epoch{1'000'009});
  CHECK(next.given_up_epoch == hand.above);
  // Of those up to it databases may know another by the same epoch.
  for (const HeldTop& one : next.held) CHECK((one.nonce == 0) == (one.epoch <= hand.above));
  CHECK(next.held.back().nonce == next.nonce);
  // What it has left prepared is resolved now.
  RollbackRecord resolved = testing::example_rollback(next.log_id, hand.above, 3);
  resolved.key.clear();
  f.log().append_forced(resolved, kExampleTime, LogToken{1'000'001});
  f.commit_durably(20'000, 20'000);
  CHECK(f.reopen().epoch == Epoch{1'000'010});
  f.close();
  f.verify_all();
}

TEST_CASE("what a person has given up is told at every opening", "[log]") {
  MissingFixture f;
  f.lose_end(11, 2);
  CHECK(f.reopen().given_up_to == 0);
  const Epoch allowing = f.log().opening().epoch;
  f.allow(40);
  CHECK(f.reopen().given_up_to == 40);
  // Of its own epoch nothing is given up.
  CHECK(f.log().opening().given_up_epoch < allowing);
  CHECK(Epoch{static_cast<std::uint32_t>(f.log().opening().given_up_epoch) + 1} == allowing);
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

TEST_CASE("once a person has allowed to presume, what is old goes, without another start",
          "[log]") {
  MissingFixture f;
  f.lose_end(11, 2);
  f.retain(std::chrono::hours(1));
  f.open();
  const WallTime later = f.log().opening().log_time + std::chrono::hours(2);
  f.log().append(end_of(f.commit_record(1)), kExampleTime);
  f.allow(11);
  f.log().keep_time(later);
  const auto kept = [&] {
    const fs::directory_iterator files(f.dir() / "decisions");
    return std::any_of(begin(files), end(files),
                       [](const auto& file) { return file.path().extension() == ".kept"; });
  };
  CHECK(f.comes_true([&] { return !kept() && f.log().low_water(); }));
}

TEST_CASE("the end of a commit that is lost goes alone", "[log]") {
  MissingFixture f;
  f.open();
  for (std::uint64_t i = 1; i <= 5; ++i) f.log().append(end_of(f.commit_record(i)), kExampleTime);
  f.commit_durably(11, 11);
  f.close();
  RawDatabase(f.dir()).remove(record_key(4));  // the third commit's
  f.retain(std::chrono::hours(1));
  CHECK(f.reopen().missing == Sentences{"record 4 is missing"});
  f.allow(4);
  f.log().keep_time(f.log().opening().log_time + std::chrono::hours(2));
  CHECK(f.comes_true([&] { return f.log().low_water() >= f.commit_record(5).gtrid; }));
  CHECK(f.reports().failures().empty());
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
        "record 13 is missing. Start the coordinator again: it then presumes nothing, and says "
        "what is "
        "at stake and how to go on");
  CHECK(f.reopen().missing == Sentences{"record 13 is missing"});
  CHECK(!f.log().find_gtrid(f.commit_record(20).gtrid).value());
  CHECK(!f.log().find_key(testing::example_key(20)).value());
  CHECK(f.log().find_commits("points", {})->gone == 13);
  CHECK(f.log().find_commits("points", {.before = 13})->gone == 0);
  f.commit_durably(30'000, 30'000);
  f.allow(13);
  f.verify_all();
}

// Nobody acts upon a record that is damaged: its decision is one of those that are missing.
class DamagedFixture : public MissingFixture {
 public:
  // Not as it was written; LevelDB is content with it.
  void damage(std::uint64_t number) {
    close();
    RawDatabase db(dir());
    std::string bytes = db.get(record_key(number));
    bytes.back() = static_cast<char>(~bytes.back());
    db.put(record_key(number), bytes);
  }
  // Whole, and not the one that the next one follows.
  void exchange(std::uint64_t number) {
    close();
    RawDatabase db(dir());
    auto record = decode_record(db.get(record_key(number)));
    REQUIRE(record.has_value());
    std::get<CommitRecord>(record->payload).request_hash.fill(0x77);
    std::string bytes;
    encode_record(record->header, std::get<CommitRecord>(record->payload), bytes);
    db.put(record_key(number), bytes);
  }
  void remove(std::uint64_t number) {
    close();
    RawDatabase(dir()).remove(record_key(number));
  }
  // Two checkpoints later: only the verification in the background comes to records 2 to 11.
  void grow_old() {
    open();
    for (std::uint64_t i = 1; i <= 10; ++i) log().append(end_of(commit_record(i)), kExampleTime);
    commit_durably(20, 20'100);
    close();
  }
  bool is_unknown(std::uint64_t i) {
    const auto by_key = log().find_key(testing::example_key(i));
    const auto by_gtrid = log().find_gtrid(commit_record(i).gtrid);
    REQUIRE(by_key.has_value());
    REQUIRE(by_gtrid.has_value());
    return !by_key->has_value() && !by_gtrid->has_value();
  }
};

TEST_CASE("a damaged record among the recent ones is told, and nobody acts upon it", "[log]") {
  DamagedFixture f;
  f.damage(4);  // the third commit's
  const Sentences expected{"record 4 is damaged"};
  CHECK(f.reopen().missing == expected);
  CHECK(f.log().opening().missing_to == 4);
  CHECK(f.log().opening().unfinished.size() == 9);
  CHECK(f.is_unknown(3));
  CHECK(f.has_all(1, 2));
  CHECK(f.has_all(4, 10));
  CHECK(f.log().find_commits("points", {}).has_value());
  CHECK(f.reopen().missing == expected);
  CHECK(f.reports().failures().empty());
  f.allow(4);
  f.verify_all();
}

TEST_CASE("a damaged end is told, and its number is not used again", "[log]") {
  DamagedFixture f;
  f.damage(11);
  CHECK(f.reopen().missing == Sentences{"record 11 is damaged"});
  CHECK(f.log().opening().top == 12);
  CHECK(f.log().opening().epoch > Epoch{100'000});
  CHECK(f.log().opening().unfinished.size() == 9);
  f.allow(11);
  f.verify_all();
}

TEST_CASE("a log of which nothing is whole goes on as itself", "[log]") {
  DamagedFixture f;
  for (std::uint64_t i = 1; i <= 11; ++i) f.damage(i);
  CHECK(f.reopen().missing.size() == 11);
  CHECK(f.log().opening().top == 12);
  CHECK(f.log().opening().unfinished.empty());
  f.allow(11);
  f.verify_all();
}

TEST_CASE("a damaged checkpoint is told, and the one before it is taken", "[log]") {
  DamagedFixture f;
  f.grow_old();
  std::uint64_t newest = 0;
  {
    RawDatabase db(f.dir());
    for (std::uint64_t i = 1; db.has(record_key(i)); ++i) {
      const auto header = decode_record_header(db.get(record_key(i)));
      REQUIRE(header.has_value());
      if (header->type == RecordType::kCheckpoint) newest = i;
    }
  }
  REQUIRE(newest > 0);
  f.damage(newest);
  CHECK(f.reopen().missing == Sentences{"record " + std::to_string(newest) + " is damaged"});
  CHECK(f.log().opening().unfinished.size() == 20'081);
}

TEST_CASE("an unfinished commit that is damaged is told, the others are driven", "[log]") {
  DamagedFixture f;
  f.open();
  f.commit_durably(20, 10'100);
  SECTION("not as it was written") {
    f.damage(4);
  }
  SECTION("not the one that the checkpoint lists") {
    f.exchange(4);
  }
  CHECK(f.reopen().missing == Sentences{"record 4 is damaged"});
  CHECK(f.log().opening().unfinished.size() == 9 + 10'081);
  CHECK(f.is_unknown(3));
}

TEST_CASE("damage among the older records stops the coordinator once, and is told from then on",
          "[log]") {
  DamagedFixture f;
  f.grow_old();
  std::string found;
  SECTION("a record that is not as it was written") {
    f.damage(4);
    found = "record 4 is damaged";
  }
  SECTION("a record that does not follow the one before it") {
    f.exchange(3);
    found = broken(3, 4);
  }
  SECTION("an index that does not lead to its record") {
    const Gtrid gtrid = f.commit_record(3).gtrid;
    RawDatabase(f.dir()).remove(gtrid_key(gtrid.log_id, gtrid));
    found = "record 4 is there, and an index does not lead to it";
  }
  f.open();
  REQUIRE(f.reports().wait_for_failure());
  CHECK(f.reports().failures().front().message ==
        found +
            ". Start the coordinator again: it then presumes nothing, and says what is at stake "
            "and how to go on");
  for (int i = 0; i < 2; ++i) CHECK(f.reopen().missing == Sentences{found});
  CHECK(!f.log().find_gtrid(f.commit_record(3).gtrid).value());
  CHECK(f.has_all(4, 10));
  f.allow(4);
  f.verify_all();
}

TEST_CASE("an index that leads to another's record is an error, but where the chain is broken",
          "[log]") {
  DamagedFixture f;
  f.grow_old();
  const Gtrid astray = f.commit_record(5).gtrid;
  const auto lead_astray = [&] {
    RawDatabase db(f.dir());
    const Gtrid other = f.commit_record(7).gtrid;
    db.put(gtrid_key(astray.log_id, astray), db.get(gtrid_key(other.log_id, other)));
  };
  SECTION("not broken") {
    lead_astray();
    f.open();
    CHECK(f.log().find_gtrid(astray).has_error());
    CHECK(f.log().find_story(astray).has_error());
  }
  SECTION("broken") {
    f.exchange(3);
    f.open();
    REQUIRE(f.reports().wait_for_failure());
    f.close();
    lead_astray();
    f.open();
    CHECK(!f.log().find_gtrid(astray).value());
    CHECK(f.log().find_story(astray).value().empty());
  }
  f.close();
}

// Records 5 to 11 are lost; the opening that tells so is record 12, its checkpoint 13, and commits
// 20 to 25 are behind it.
class BrokenFixture : public DamagedFixture {
 public:
  BrokenFixture() {
    tear_off(5);
    open();
    commit_durably(20, 25);
  }
  bool is_lost() {
    for (std::uint64_t i = 4; i <= 10; ++i) {
      if (!is_unknown(i)) return false;
    }
    return true;
  }
};

const std::string kLost = broken(5, 11);

TEST_CASE("where the chain breaks among the recent records, the rest of them is lost", "[log]") {
  DamagedFixture f;
  f.tear_off(5);  // the fourth commit's
  CHECK(f.reopen().missing == Sentences{kLost});
  CHECK(f.log().opening().missing_to == 11);
  CHECK(f.log().opening().ends_missing_below == 5);
  CHECK(f.log().opening().top == 12);
  CHECK(f.log().opening().epoch > Epoch{100'000});
  CHECK(f.log().opening().unfinished.size() == 3);
  CHECK(f.has_all(1, 3));
  for (std::uint64_t i = 4; i <= 10; ++i) CHECK(f.is_unknown(i));
  f.allow(11);
  f.verify_all();
}

TEST_CASE("what a broken chain has lost stays lost, and nothing behind it", "[log]") {
  BrokenFixture f;
  SECTION("at the next opening") {
    CHECK(f.reopen().missing == Sentences{kLost});
  }
  SECTION("without the checkpoint of the opening that tells so") {
    f.damage(13);
    CHECK(f.reopen().missing == Sentences{kLost, "record 13 is damaged"});
  }
  SECTION("without that opening") {
    f.damage(12);
    f.open();
    REQUIRE(f.reports().wait_for_failure());
    CHECK(f.reopen().missing == Sentences{kLost, "record 12 is damaged"});
  }
  SECTION("with another break right behind that opening") {
    f.damage(13);
    f.tear_off(15);
    CHECK(f.reopen().missing == Sentences{kLost, "record 13 is damaged", broken(15, 19)});
    CHECK(f.log().opening().unfinished.size() == 4);
    CHECK(f.is_lost());
    return;
  }
  CHECK(f.log().opening().unfinished.size() == 9);
  CHECK(f.is_lost());
  CHECK(f.has_all(20, 25));
}

TEST_CASE("what a broken chain has lost stays lost when it is whole again", "[log]") {
  DamagedFixture f;
  const auto whole = [&] { return RawDatabase(f.dir()).get(record_key(5)); }();
  f.tear_off(5);
  f.open();
  f.commit_durably(20, 25);
  f.close();
  RawDatabase(f.dir()).put(record_key(5), whole);
  f.damage(13);
  CHECK(f.reopen().missing == Sentences{kLost, "record 13 is damaged"});
  CHECK(f.log().opening().unfinished.size() == 9);
  CHECK(f.is_unknown(4));
  CHECK(f.has_all(20, 25));
}

TEST_CASE("an opening that tells of a break goes on behind the history that it was made behind",
          "[log]") {
  BrokenFixture f;
  f.damage(13);
  f.exchange(4);  // the last before the break
  CHECK(f.reopen().missing == Sentences{broken(5, 19)});
  CHECK(f.log().opening().unfinished.size() == 3);
  for (std::uint64_t i = 20; i <= 25; ++i) CHECK(f.is_unknown(i));
}

TEST_CASE("a checkpoint that a broken chain has lost is not begun at", "[log]") {
  BrokenFixture f;
  f.close();
  const std::string checkpoint = RawDatabase(f.dir()).get(record_key(13));
  f.damage(13);
  f.exchange(4);
  CHECK(f.reopen().missing == Sentences{broken(5, 19)});  // record 20; its checkpoint is 21
  f.damage(21);
  RawDatabase(f.dir()).put(record_key(13), checkpoint);
  CHECK(f.reopen().missing == Sentences{broken(5, 19), "record 21 is damaged"});
  CHECK(f.log().opening().unfinished.size() == 3);
}

TEST_CASE("a chain that breaks again loses no more than it must", "[log]") {
  BrokenFixture f;
  f.tear_off(17);
  const Sentences expected{kLost, broken(17, 19)};
  for (int i = 0; i < 2; ++i) {
    CHECK(f.reopen().missing == expected);
    CHECK(f.log().opening().unfinished.size() == 6);
    CHECK(f.has_all(20, 22));
    CHECK(f.is_unknown(23));
  }
  f.allow(19);
  f.verify_all();
}

TEST_CASE("a chain that breaks at the newest record goes on behind it", "[log]") {
  DamagedFixture f;
  f.tear_off(11);
  const Sentences expected{"the chain is broken: record 11 may be of another history"};
  for (int i = 0; i < 2; ++i) CHECK(f.reopen().missing == expected);
  CHECK(f.log().opening().unfinished.size() == 9);
  f.allow(11);
  f.verify_all();
}

TEST_CASE("a chain that breaks at its first record lets the log go on as itself", "[log]") {
  DamagedFixture f;
  const LogId log_id = f.commit_record(1).gtrid.log_id;
  f.exchange(2);
  f.remove(1);
  f.tear_off(3);
  CHECK(f.reopen().missing == Sentences{"record 1 is missing", broken(3, 11)});
  CHECK(f.log().opening().log_id == log_id);
  f.allow(11);
  f.verify_all();
}

TEST_CASE("where the chain breaks, indexes are doubted before anybody can allow to presume",
          "[log]") {
  DamagedFixture f;
  f.tear_off(8);
  SECTION("the entry of a transaction") {
    const Gtrid gtrid = f.commit_record(3).gtrid;
    const Gtrid other = f.commit_record(9).gtrid;
    RawDatabase db(f.dir());
    db.put(gtrid_key(gtrid.log_id, gtrid), db.get(gtrid_key(other.log_id, other)));
  }
  SECTION("the entry of a key") {
    const LogId log_id = f.commit_record(3).gtrid.log_id;
    RawDatabase(f.dir()).remove(
        idempotency_index_key(idempotency_hash(log_id, testing::example_key(3))));
  }
  CHECK(f.reopen().missing ==
        Sentences{broken(8, 11), "record 4 is there, and an index does not lead to it"});
  CHECK(f.log().opening().unfinished.size() == 6);
  f.allow(11);
  f.verify_all();
}

TEST_CASE("where the chain breaks, an index may lead to a record that is not there", "[log]") {
  DamagedFixture f;
  f.tear_off(8);
  const Gtrid gtrid = f.commit_record(3).gtrid;
  {
    RawDatabase db(f.dir());
    std::string number;
    append_number(500, number);
    db.put(gtrid_key(gtrid.log_id, gtrid), number);
    db.put(idempotency_index_key(idempotency_hash(gtrid.log_id, testing::example_key(3))), number);
  }
  f.open();
  CHECK(f.is_unknown(3));
  CHECK(f.log().find_story(gtrid).value().empty());
}

TEST_CASE("numbers and epochs that a lost history knew of are not used again, nor is its time",
          "[log]") {
  DamagedFixture f;
  f.open();  // record 12
  const WallTime before = f.log().opening().log_time;
  const WallTime later = before + std::chrono::hours(1'000);
  HandRecord allowed;
  allowed.action = HandAction::kAllow;
  allowed.allowance = Allowance::kPresume;
  SECTION("another opening was given up") {
    allowed.above = Epoch{3'000'000};
    f.log().append_forced(allowed, later, LogToken{1'000'000});
    f.tear_off(12);
    CHECK(f.reopen().epoch == Epoch{4'000'000});
    CHECK(f.log().opening().given_up_epoch == allowed.above);
  }
  SECTION("a person gave up numbers") {
    allowed.missing_to = 500;
    f.log().append_forced(allowed, later, LogToken{1'000'000});
    f.tear_off(12);
    CHECK(f.reopen().top == 501);
  }
  SECTION("a database showed a number") {
    f.log().append(LossRecord{"participant points was told of record 500", 500}, later);
    f.tear_off(12);
    CHECK(f.reopen().top == 501);
  }
  const LogOpening& opening = f.log().opening();
  CHECK(opening.missing == Sentences{broken(12, opening.top - 1)});
  CHECK(opening.log_time == before);
  f.allow(opening.missing_to);
  f.verify_all();
}

TEST_CASE("a chain that breaks behind a checkpoint loses nothing before it", "[log]") {
  DamagedFixture f;
  f.grow_old();
  std::uint64_t newest = 0;
  {
    RawDatabase db(f.dir());
    while (db.has(record_key(newest + 1))) ++newest;
  }
  f.open();
  f.commit_durably(30'001, 30'010);
  f.tear_off(newest + 6);
  CHECK(f.reopen().missing == Sentences{broken(newest + 6, newest + 11)});
  CHECK(f.log().opening().unfinished.size() == 20'081 + 4);
  CHECK(f.has_all(1, 10));
  CHECK(f.has_all(20, 20'100));
  CHECK(f.has_all(30'001, 30'004));
  f.allow(newest + 11);
  f.verify_all();
}

TEST_CASE("what is old goes also where the chain was broken", "[log]") {
  BrokenFixture f;
  for (std::uint64_t i = 1; i <= 3; ++i) f.log().append(end_of(f.commit_record(i)), kExampleTime);
  for (std::uint64_t i = 20; i <= 25; ++i) {
    f.log().append(end_of(f.commit_record(i)), kExampleTime);
  }
  f.allow(11);
  f.retain(std::chrono::hours(1));
  f.open();
  f.log().keep_time(f.log().opening().log_time + std::chrono::hours(2));
  CHECK(f.comes_true([&] { return f.log().low_water() >= f.commit_record(25).gtrid; }));
  CHECK(f.reports().failures().empty());
  f.close();
  f.verify_all();
}

// A copy of the log went on by itself, and the files of both came into one folder.
class TwoHistories : public DamagedFixture {
 public:
  using Records = std::vector<std::string>;

  TwoHistories() {
    open();
    const fs::path before = take_copy();
    commit_durably(11, 25);  // behind an opening: records 13 to 27
    ours_ = take_copy();
    close();
    records_of_ours_ = records(13, 27);
    restore(before);
    open();
    commit_durably(31, 40);  // behind two openings: records 14 to 23
    close();
    records_of_theirs_ = records(13, 23);
  }

  void become_ours() { restore(ours_); }
  const Records& ours() const { return records_of_ours_; }      // from 13 on
  const Records& theirs() const { return records_of_theirs_; }  // the same, of a later epoch
  Epoch latest() const { return decode_record_header(theirs().back())->epoch; }

  void put(std::uint64_t first, std::uint64_t last, const Records& from) {
    RawDatabase db(dir());
    for (std::uint64_t i = first; i <= last; ++i) db.put(record_key(i), from.at(i - 13));
  }

 private:
  Records records(std::uint64_t first, std::uint64_t last) {
    RawDatabase db(dir());
    Records all;
    for (std::uint64_t i = first; i <= last; ++i) all.push_back(db.get(record_key(i)));
    return all;
  }

  fs::path ours_;
  Records records_of_ours_;
  Records records_of_theirs_;
};

TEST_CASE("of two histories the first is driven up to the break, and no epoch is used twice",
          "[log]") {
  TwoHistories f;
  std::vector<CommitRecord> expected;
  for (std::uint64_t i = 1; i <= 10; ++i) expected.push_back(f.commit_record(i));
  SECTION("theirs, then ours") {
    f.put(18, 27, f.ours());  // theirs: 31 to 34
    CHECK(f.reopen().missing.front() == broken(18, 27));
    for (std::uint64_t i = 31; i <= 34; ++i) expected.push_back(f.commit_record(i));
  }
  SECTION("ours, then theirs, and ours again") {
    f.become_ours();  // 11 to 25
    f.put(18, 23, f.theirs());
    CHECK(f.reopen().missing.front() == broken(18, 27));
    CHECK(f.log().opening().given_up_epoch == f.latest());
    for (std::uint64_t i = 11; i <= 15; ++i) expected.push_back(f.commit_record(i));
  }
  CHECK(f.log().opening().unfinished == expected);
  CHECK(f.log().opening().epoch > f.latest());
  // What leads to the rest leads to nothing.
  for (const std::uint64_t i : {25U, 40U}) CHECK(f.is_unknown(i));
  const auto missing = f.log().opening().missing;
  f.commit_durably(50, 55);
  CHECK(f.reopen().missing == missing);
  CHECK(f.has_all(50, 55));
  CHECK(f.reports().failures().empty());
}

TEST_CASE("a damaged write-ahead file is told, and what is whole in it is driven", "[log]") {
  MissingFixture f;
  f.open();                      // record 12
  f.commit_one_by_one(20, 420);  // 13 to 413: more than the one block that is lost
  f.close();
  const auto file = f.write_ahead_file();
  std::string bytes = testing::read_file(file);
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  testing::write_file(file, bytes);
  const auto missing = f.reopen().missing;
  REQUIRE(missing.size() == 2);
  CHECK(missing.front().starts_with("records"));
  CHECK(missing.back() ==
        "its write-ahead file was damaged, so decisions behind record 413 may be missing");
  CHECK(f.has_all(1, 10));
  CHECK(f.has_all(20, 30));
  CHECK(f.has_all(410, 420));
  CHECK(f.reopen().missing == missing);
  f.allow(413);
  f.verify_all();
}

TEST_CASE("damage that was left out is told, also if the opening that found it did not end",
          "[log]") {
  MissingFixture f;
  testing::write_file(f.dir() / "unread", "");
  const Sentences expected{
      "its write-ahead file was damaged, so decisions behind record 11 may be missing"};
  for (int i = 0; i < 2; ++i) CHECK(f.reopen().missing == expected);
  CHECK(!fs::exists(f.dir() / "unread"));
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

TEST_CASE("a folder without a log is not taken for a restored one", "[log]") {
  const assent::testing::TemporaryFolder folder;
  const fs::path dir = folder.path() / "unmounted";
  assent::testing::Reports reports;
  if (GENERATE(false, true)) fs::create_directory(dir);
  const bool there = fs::exists(dir);
  const auto opened = LevelDbLog::open({.dir = dir, .restored = true}, reports.listener());
  REQUIRE(opened.has_error());
  CHECK(opened.error().message.find("look at data_dir") != std::string::npos);
  CHECK(fs::exists(dir) == there);
  CHECK((!there || fs::is_empty(dir)));
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
