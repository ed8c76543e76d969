#include <fstream>
#include <limits>
#include <map>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/leveldb_offline.h"
#include "tests/log/log_fixture.h"
#include "tests/log/raw_database.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;
using assent::testing::end_of;
using assent::testing::kExampleTime;
using assent::testing::LogFixture;
using assent::testing::RawDatabase;
using assent::testing::read_file;

std::unique_ptr<OfflineLog> look_at(const fs::path& dir) {
  auto log = OfflineLog::open(dir);
  INFO((log ? std::string() : log.error().message));
  REQUIRE(log.has_value());
  return std::move(*log);
}

std::map<fs::path, std::string> contents(const fs::path& dir) {
  std::map<fs::path, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) all[entry.path()] = read_file(entry.path());
  }
  return all;
}

class OfflineFixture : public LogFixture {
 public:
  OfflineFixture() {
    open();
    commit_durably(1, 20);
    log().append(end_of(commit_record(1)), kExampleTime);
    close();
    open();
    commit_durably(21, 30);
    close();  // some records in a table, some in the write-ahead file
  }
  fs::path beside(const std::string& name) const { return dir().parent_path() / name; }
};

TEST_CASE("a whole log is verified, and not a byte of it changes", "[log][offline]") {
  OfflineFixture f;
  const auto before = contents(f.dir().parent_path());
  {
    const auto findings = look_at(f.dir())->verify();
    CHECK(findings.wrong == std::vector<std::string>{});
    REQUIRE(findings.there.size() == 3);
    CHECK(findings.there[1] == "records 1 to 33");
    CHECK(findings.there[2] == "29 commits whose end is not recorded, 0 damages");
  }
  CHECK(contents(f.dir().parent_path()) == before);
}

TEST_CASE("what a log lacks is said, and not a byte of it changes", "[log][offline]") {
  OfflineFixture f;
  SECTION("records") {
    RawDatabase(f.dir()).remove(record_key(5));
    CHECK(look_at(f.dir())->verify().wrong == std::vector<std::string>{"record 5 is missing"});
  }
  SECTION("its end") {
    RawDatabase(f.dir()).remove(record_key(33));
    CHECK(look_at(f.dir())->verify().wrong ==
          std::vector<std::string>{"decisions are missing at its end: record 33 is missing, and 33 "
                                   "was reported durable (high-water mark)"});
  }
  SECTION("its mark") {
    fs::remove(f.dir() / "high_water_mark");
    CHECK(look_at(f.dir())->verify().wrong ==
          std::vector<std::string>{"its high-water mark is missing or damaged"});
  }
  SECTION("an entry of an index") {
    const Gtrid gtrid = f.commit_record(3).gtrid;
    RawDatabase(f.dir()).remove(gtrid_key(gtrid.log_id, gtrid));
    CHECK(look_at(f.dir())->verify().wrong ==
          std::vector<std::string>{"record 4 is there, and an index does not lead to it"});
  }
  SECTION("a link of its chain") {
    const std::string newest = "the chain is broken: records 25 to 33 may be of another history";
    f.tear_off(25);
    CHECK(look_at(f.dir())->verify().wrong == std::vector<std::string>{newest});
    f.open();
    f.close();
    CHECK(look_at(f.dir())->verify().wrong == std::vector<std::string>{newest});
  }
  SECTION("its own place") {
    fs::copy(f.dir(), f.beside("raw"), fs::copy_options::recursive);
    CHECK(look_at(f.beside("raw"))->verify().wrong ==
          std::vector<std::string>{"its folder is a copy: the original may have gone on"});
  }
  const auto before = contents(f.dir());
  look_at(f.dir())->verify();
  CHECK(contents(f.dir()) == before);
}

TEST_CASE("every record is dumped as a line", "[log][offline]") {
  OfflineFixture f;
  std::vector<std::string> lines;
  REQUIRE(
      look_at(f.dir())->dump([&](std::string_view line) { lines.emplace_back(line); }).has_value());
  REQUIRE(lines.size() == 33);
  const auto gtrid = to_string(f.commit_record(1).gtrid);
  CHECK(lines[0].find(" epoch=1 forced opening log=") != std::string::npos);
  CHECK(lines[1].find(" epoch=1 forced commit " + gtrid +
                      " key=\"key-1\" branch=points database=") != std::string::npos);
  CHECK(lines[21].find(" epoch=1 unforced end " + gtrid) != std::string::npos);
}

TEST_CASE("the figures of a closed log", "[log][offline]") {
  OfflineFixture f;
  const auto stats = look_at(f.dir())->stats();
  REQUIRE(stats.has_value());
  CHECK(stats->newest == 33);
  CHECK(stats->top == 33);
  CHECK(stats->oldest == 1);
  CHECK(stats->bytes > 0);
}

TEST_CASE("a log that is open is not looked at behind its coordinator's back", "[log][offline]") {
  OfflineFixture f;
  f.open();
  const auto log = OfflineLog::open(f.dir());
  REQUIRE(!log.has_value());
  CHECK(log.error().message.find("a coordinator has the log") != std::string::npos);
  CHECK(!OfflineLog::open(f.beside("nothing")).has_value());
}

void is_a_copy(OfflineFixture& f, const fs::path& copy, std::uint64_t last) {
  CHECK(look_at(copy)->verify().wrong == std::vector<std::string>{});
  testing::Reports reports;
  const auto refused = LevelDbLog::open({.dir = copy}, reports.listener());
  REQUIRE(!refused.has_value());
  CHECK(refused.error().message.find("--restored") != std::string::npos);
  const auto opened = LevelDbLog::open({.dir = copy, .restored = true}, reports.listener());
  REQUIRE(opened.has_value());
  CHECK((*opened)->opening().missing.size() == 1);
  for (std::uint64_t i = 1; i <= last; ++i) {
    CHECK(*(*opened)->find_gtrid(f.commit_record(i).gtrid) == Decided{f.commit_record(i)});
  }
}

TEST_CASE("a slash behind the folder's name means nothing", "[log][offline]") {
  OfflineFixture f;
  const auto before = contents(f.dir());
  {
    const auto log = look_at(f.dir() / "");
    CHECK(log->verify().wrong.empty());
    CHECK(contents(f.dir()) == before);  // what it works on is not in the log
    REQUIRE(log->back_up(f.beside("copy") / "").has_value());
  }
  is_a_copy(f, f.beside("copy"), 30);
}

TEST_CASE("a lock that can't be taken is not said to be held", "[log][offline]") {
  OfflineFixture f;
  fs::remove(f.dir() / "LOCK");
  fs::create_directory(f.dir() / "LOCK");
  const auto log = OfflineLog::open(f.dir());
  REQUIRE(!log.has_value());
  CHECK(log.error().message.find("the log's lock can't be taken") == 0);
}

TEST_CASE("a copy leaves room, ends when it is told to, and leaves nothing behind",
          "[log][offline]") {
  OfflineFixture f;
  testing::Reports reports;
  const bool no_room = GENERATE(true, false);
  LevelDbLog::Options options{.dir = f.dir()};
  if (no_room) options.copies_leave = std::numeric_limits<std::uint64_t>::max();
  const auto log = LevelDbLog::open(options, reports.listener());
  REQUIRE(log.has_value());
  if (!no_room) (*log)->end_copies();
  const auto copied = (*log)->back_up(f.beside("copy"));
  REQUIRE(!copied.has_value());
  const char* expected = no_room ? "MiB free in" : "the coordinator stops";
  CHECK(copied.error().message.find(expected) != std::string::npos);
  CHECK(!fs::exists(f.beside("copy")));
  CHECK(!fs::exists(f.beside("copy.unfinished")));
}

TEST_CASE("a closed log is backed up", "[log][offline]") {
  OfflineFixture f;
  REQUIRE(look_at(f.dir())->back_up(f.beside("copy")).has_value());
  is_a_copy(f, f.beside("copy"), 30);
  const auto again = look_at(f.dir())->back_up(f.beside("copy"));
  REQUIRE(!again.has_value());
  CHECK(again.error().message.find("is there already") != std::string::npos);
}

TEST_CASE("an open log is backed up while it is written", "[log][offline]") {
  OfflineFixture f;
  f.open();
  f.commit_durably(31, 100);
  f.commit(101, 2'000);
  REQUIRE(f.log().back_up(f.beside("copy")).has_value());
  is_a_copy(f, f.beside("copy"), 100);
  REQUIRE(f.reports().wait_for(1'970));
  CHECK(f.has_all(31, 2'000));
  f.close();
  f.open();
  CHECK(f.log().opening().missing.empty());
}

}  // namespace
}  // namespace assent::coordinator
