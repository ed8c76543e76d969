// What the decision log does when the disk does not do as it is told: R12, F 5, F 6.

#include <sys/mount.h>

#include <cstdlib>
#include <fstream>

#include <catch2/catch.hpp>

#include "tests/log/fast_folder.h"
#include "tests/log/log_fixture.h"
#include "tests/support/skip.h"

namespace assent::coordinator {
namespace {

using assent::testing::example_key;
using assent::testing::FastFolder;
using assent::testing::LogFixture;
using assent::testing::skip;

void refuses_everything(LogFixture& f) {
  CHECK(f.reports().failures().size() == 1);
  const auto by_key = f.log().find_key(example_key(1));
  const auto by_gtrid = f.log().find_gtrid(f.commit_record(1).gtrid);
  REQUIRE(!by_key.has_value());
  REQUIRE(!by_gtrid.has_value());
  CHECK(by_key.error().code == ErrorCode::kLogUnavailable);
  CHECK(by_gtrid.error().code == ErrorCode::kLogUnavailable);
}

/// Commits one after another, from `first` on, until the log fails. Returns the one that failed.
std::uint64_t commit_until_failure(LogFixture& f, std::uint64_t first) {
  for (auto i = first;; ++i) {
    f.commit(i, i);
    REQUIRE(f.reports().wait_for(i));
    if (!f.reports().failures().empty()) return i;
  }
}

TEST_CASE("F 5: after a failed append nothing is accepted, and nothing accepted is lost",
          "[log][faults]") {
  const int good = GENERATE(0, 1, 2, 3, 10, 11);  // a decision is two or more appends
  LogFixture f;
  f.open();
  f.commit_one_by_one(1, 20);
  f.disk().disk_is_full_after(good);
  const auto failed = commit_until_failure(f, 21);
  CHECK(f.reports().failures().front().effect == Effect::kUnknown);
  CHECK(f.reports().durable().size() == failed - 1);
  f.disk().heal();
  f.commit(failed + 1, failed + 1'000);  // LevelDB alone accepts these and loses them
  refuses_everything(f);
  f.close();
  CHECK(f.reports().durable().size() == failed - 1);
  f.open();
  CHECK(f.has_all(1, failed - 1));
  for (auto i = failed + 1; i <= failed + 1'000; ++i) {
    CHECK(*f.log().find_key(example_key(i)) == std::nullopt);
  }
}

TEST_CASE("F 6: after a failed sync nobody is answered until the next opening reads the truth",
          "[log][faults]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 10);
  f.disk().fail_next_sync();
  f.commit(11, 11);
  REQUIRE(f.reports().wait_for_failure());
  CHECK(f.reports().failures().front().effect == Effect::kUnknown);
  f.commit(12, 20);
  refuses_everything(f);
  CHECK(f.log().top() == 11);  // of what was reported
  SECTION("the process dies: the record was written") {
    f.kill();
    f.open();
    CHECK(f.has_all(1, 11));
  }
  SECTION("the power goes: it was not synced") {
    f.cut_power();
    f.open();
    CHECK(f.has_all(1, 10));
    CHECK(*f.log().find_key(example_key(11)) == std::nullopt);
  }
  CHECK(*f.log().find_key(example_key(12)) == std::nullopt);
}

TEST_CASE("F 6: what an opening acts upon survives a power cut right after it", "[log][faults]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 10);
  f.disk().fail_next_sync();
  f.commit(11, 11);
  REQUIRE(f.reports().wait_for_failure());
  f.kill();
  f.open();  // reads 11 from the page cache
  REQUIRE(f.has(11));
  f.cut_power();
  f.open();
  CHECK(f.has_all(1, 11));
}

TEST_CASE("a disk that is full when the log is opened refuses it and loses nothing",
          "[log][faults]") {
  LogFixture f;
  f.open();
  f.commit_durably(1, 10);
  f.kill();
  f.disk().disk_is_full_after(0);
  CHECK(f.open_error() != "opened");
  f.disk().heal();
  f.open();
  CHECK(f.has_all(1, 10));
}

// The k-th append or sync fails, for every k that a run of 200 transactions has.
TEST_CASE("F 5, F 6: a failure at any call of a run loses nothing acknowledged", "[log][faults]") {
  constexpr std::uint64_t kTransactions = 200;
  const bool sync_fails = GENERATE(false, true);
  const bool power_goes = GENERATE(false, true);
  for (int good = 0;; ++good) {
    INFO((sync_fails ? "sync " : "append ") << good << (power_goes ? ", then a power cut" : ""));
    const FastFolder folder;
    LogFixture f(folder.path() / "log");
    f.open();
    if (sync_fails) {
      f.disk().fail_sync_after(good);
    } else {
      f.disk().disk_is_full_after(good);
    }
    for (std::uint64_t i = 1; i <= kTransactions && f.reports().failures().empty(); ++i) {
      f.commit(i, i);
      f.log().append(assent::testing::end_of(f.commit_record(i)), assent::testing::kExampleTime);
      REQUIRE(f.reports().wait_for(i));
    }
    const auto acknowledged = f.reports().durable().size();
    const bool failed = !f.reports().failures().empty();
    f.disk().heal();
    if (power_goes) {
      f.cut_power();
    } else {
      f.kill();
    }
    f.open();
    CHECK(f.log().opening().missing.empty());
    REQUIRE(f.has_all(1, acknowledged));
    if (!failed) {
      CHECK(acknowledged == kTransactions);
      CHECK(good >= static_cast<int>(kTransactions));
      break;
    }
  }
}

// A real small disk. Needs the right to mount, so it may not run everywhere.
class SmallDisk {
 public:
  SmallDisk() : mounted_(::mount("tmpfs", path().c_str(), "tmpfs", 0, "size=4m") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return folder_.path(); }

  void fill() const {
    std::ofstream ballast(path() / "ballast", std::ios::binary);
    const std::string block(4096, 'z');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void make_room() const { std::filesystem::remove(path() / "ballast"); }

 private:
  testing::TemporaryFolder folder_;
  bool mounted_;
};

TEST_CASE("F 5 on a real full disk", "[log][faults]") {
  const SmallDisk disk;
  if (!disk.mounted())
    return skip("mounting a small disk is not permitted; a simulated one is filled as well");
  LogFixture f(disk.path() / "log");
  f.open();
  f.commit_one_by_one(1, 100);
  disk.fill();
  const auto failed = commit_until_failure(f, 101);
  disk.make_room();
  f.commit(failed + 1, failed + 100);
  f.close();
  CHECK(f.reports().durable().size() == failed - 1);
  f.open();
  CHECK(f.has_all(1, failed - 1));
  CHECK(*f.log().find_key(example_key(failed + 1)) == std::nullopt);
}

}  // namespace
}  // namespace assent::coordinator
