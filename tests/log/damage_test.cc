// F 7: LevelDB loses records silently. Every way that was found, and then some: the log is refused,
// or nothing is missing.

#include <leveldb/env.h>
#include <leveldb/helpers/memenv.h>

#include <algorithm>
#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_careful_env.h"
#include "tests/log/fast_folder.h"
#include "tests/log/log_fixture.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;
using assent::testing::example_key;
using assent::testing::FastFolder;
using assent::testing::LogFixture;
using assent::testing::read_file;
using assent::testing::write_file;

constexpr std::uint64_t kDecisions = 100;

// Missing: opened, and it says that decisions are missing.
enum class Verdict { kWhole, kMissing, kRefused, kLost };

// 100 decisions, and what was left of them.
class DamageFixture : public LogFixture {
 public:
  explicit DamageFixture(const FastFolder& folder) : LogFixture(folder.path() / "log") {
    open();
    commit_one_by_one(1, kDecisions);
    undamaged_ = take_copy();
    close();
  }

  // The decisions move from the write-ahead file to a table.
  void move_to_tables() {
    open();
    undamaged_ = take_copy();
    close();
    // What the opening kept of the file it read; the opening's verification may not be through.
    std::vector<fs::path> kept;
    for (const auto& entry : fs::directory_iterator(undamaged_ / "decisions")) {
      if (entry.path().extension() == ".kept") kept.push_back(entry.path());
    }
    for (const auto& path : kept) fs::remove(path);
  }

  void repair() {
    opened_.reset();
    restore(undamaged_);
  }
  const fs::path& undamaged() const { return undamaged_; }

  Verdict verdict() {
    why_ = open_error_or_open();
    if (!why_.empty()) return Verdict::kRefused;
    if (!opened_->opening().missing.empty()) {
      why_ = opened_->opening().missing.front();
      return Verdict::kMissing;
    }
    for (std::uint64_t i = 1; i <= kDecisions; ++i) {
      const auto one = look_at(i);
      if (one != Verdict::kWhole) return one;
    }
    return Verdict::kWhole;
  }
  const std::string& why() const { return why_; }

 private:
  std::string open_error_or_open() {
    opened_.reset();
    close();
    auto opened = LevelDbLog::open({.dir = dir(), .env = &disk()}, reports().listener());
    if (!opened) return opened.error().message;
    opened_ = std::move(*opened);
    return "";
  }

  // An error is a refusal too: nobody takes it for "no record".
  Verdict look_at(std::uint64_t i) {
    const std::variant<CommitRecord, RollbackRecord> expected = commit_record(i);
    for (const auto& found :
         {opened_->find_key(example_key(i)), opened_->find_gtrid(commit_record(i).gtrid)}) {
      if (!found) return Verdict::kRefused;
      if (!*found || (*found)->record != expected) return Verdict::kLost;
    }
    return Verdict::kWhole;
  }

  fs::path undamaged_;
  std::string why_;
  std::unique_ptr<LevelDbLog> opened_;
};

/// Kept from before the last opening until the whole log is verified, which a busy machine may not
/// have come to yet.
bool is_spare(const fs::path& name) {
  return name.extension() == ".kept";
}

std::string inverted(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(~bytes[at]);
  return bytes;
}

std::string zeroed(std::string bytes, std::size_t at, std::size_t size) {
  bytes.replace(at, std::min(size, bytes.size() - at), std::min(size, bytes.size() - at), '\0');
  return bytes;
}

// Where LevelDB's records begin in a write-ahead file: blocks of 32 KiB, headers of 7 bytes.
std::vector<std::size_t> record_starts(const std::string& bytes) {
  constexpr std::size_t kBlock = 32 * 1024;
  constexpr std::size_t kHeader = 7;
  std::vector<std::size_t> starts;
  std::size_t at = 0;
  while (at + kHeader <= bytes.size()) {
    if (kBlock - at % kBlock < kHeader) {
      at += kBlock - at % kBlock;
      continue;
    }
    starts.push_back(at);
    const auto low = static_cast<unsigned char>(bytes[at + 4]);
    const auto high = static_cast<unsigned char>(bytes[at + 5]);
    at += kHeader + low + (static_cast<std::size_t>(high) << 8);
  }
  return starts;
}

struct Tally {
  int whole = 0;
  int noticed = 0;
};

// Damages the file in each of the ways, one after another.
Tally try_all(DamageFixture& f, const fs::path& file, std::size_t count,
              const std::function<std::string(const std::string&, std::size_t)>& damage) {
  f.repair();
  const std::string bytes = read_file(file);
  Tally tally;
  for (std::size_t i = 0; i < count; ++i) {
    f.repair();
    write_file(file, damage(bytes, i));
    const Verdict verdict = f.verdict();
    if (verdict == Verdict::kLost) FAIL(file << ": decisions were lost silently by damage " << i);
    ++(verdict == Verdict::kWhole ? tally.whole : tally.noticed);
  }
  return tally;
}

TEST_CASE("F 7: a flipped byte of the write-ahead file", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto file = f.write_ahead_file();
  constexpr std::size_t kStride = 3;  // records differ in size, so every field is met many times
  const auto tally =
      try_all(f, file, fs::file_size(file) / kStride,
              [](const std::string& bytes, std::size_t i) { return inverted(bytes, i * kStride); });
  CHECK(tally.noticed > 0);
  CHECK(tally.whole <= 1);  // what fills a block up to its end means nothing
}

TEST_CASE("F 7: a truncated write-ahead file", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto file = f.write_ahead_file();
  constexpr std::size_t kStride = 61;
  const auto tally =
      try_all(f, file, fs::file_size(file) / kStride, [](const std::string& bytes, std::size_t i) {
        return bytes.substr(0, bytes.size() - 1 - i * kStride);
      });
  CHECK(tally.whole == 0);
}

TEST_CASE("F 7: a write-ahead file cut off between two records", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto file = f.write_ahead_file();
  const auto starts = record_starts(read_file(file));
  REQUIRE(starts.size() > kDecisions);
  const auto tally = try_all(f, file, starts.size(), [&](const std::string& bytes, std::size_t i) {
    return bytes.substr(0, starts[i]);
  });
  CHECK(tally.whole == 0);
}

TEST_CASE("F 7: a page of zeros in the write-ahead file", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto file = f.write_ahead_file();
  SECTION("where a page is") {
    const auto tally = try_all(
        f, file, fs::file_size(file) / 4096,
        [](const std::string& bytes, std::size_t i) { return zeroed(bytes, i * 4096, 4096); });
    CHECK(tally.whole == 0);
  }
  SECTION("from a record on") {
    const auto starts = record_starts(read_file(file));
    const auto tally = try_all(
        f, file, starts.size(),
        [&](const std::string& bytes, std::size_t i) { return zeroed(bytes, starts[i], 4096); });
    CHECK(tally.whole == 0);
  }
}

TEST_CASE("F 7: a wrong length of a record of the write-ahead file", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto file = f.write_ahead_file();
  const auto starts = record_starts(read_file(file));
  for (const char high : {'\0', '\1', '\xFF'}) {
    const auto tally = try_all(f, file, starts.size(), [&](std::string bytes, std::size_t i) {
      bytes[starts[i] + 4] = '\xFF';
      bytes[starts[i] + 5] = high;
      return bytes;
    });
    CHECK(tally.whole == 0);
  }
}

TEST_CASE("F 7: a flipped byte of a table", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  f.move_to_tables();
  for (const auto& entry : fs::directory_iterator(f.undamaged() / "decisions")) {
    if (entry.path().extension() != ".ldb") continue;
    const auto file = f.dir() / "decisions" / entry.path().filename();
    constexpr std::size_t kStride = 29;
    const auto tally =
        try_all(f, file, entry.file_size() / kStride, [](const std::string& bytes, std::size_t i) {
          return inverted(bytes, i * kStride + i % kStride);
        });
    CHECK(tally.noticed > 0);
  }
}

TEST_CASE("F 7: a flipped byte or a truncation of what names the tables", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  f.move_to_tables();
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(f.undamaged() / "decisions")) {
    const auto name = entry.path().filename().string();
    const bool speaks = name == "CURRENT" || name.starts_with("MANIFEST");
    if (speaks && !is_spare(name)) files.push_back(name);
  }
  REQUIRE(files.size() == 2);
  for (const auto& name : files) {
    const auto file = f.dir() / "decisions" / name;
    const auto size = fs::file_size(f.undamaged() / "decisions" / name);
    try_all(f, file, size, inverted);
    try_all(f, file, size,
            [](const std::string& bytes, std::size_t i) { return bytes.substr(0, i); });
  }
}

TEST_CASE("F 7: a file that is gone", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  SECTION("while the decisions are in the write-ahead file") {}
  SECTION("while the decisions are in a table") {
    f.move_to_tables();
  }
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(f.undamaged() / "decisions")) {
    names.push_back(entry.path().filename());
  }
  for (const auto& name : names) {
    INFO(name);
    f.repair();
    fs::remove(f.dir() / "decisions" / name);
    const auto verdict = f.verdict();
    INFO(f.why());
    const bool harmless = name == "LOG" || name == "LOG.old" || name == "LOCK" || is_spare(name);
    const bool decisions_only = name.extension() == ".log";
    CHECK(verdict == (harmless         ? Verdict::kWhole
                      : decisions_only ? Verdict::kMissing
                                       : Verdict::kRefused));
  }
  f.repair();
  fs::remove_all(f.dir() / "decisions");
  CHECK(f.verdict() == Verdict::kRefused);
  CHECK(f.why().find("records 1 to 10") != std::string::npos);
  CHECK(f.why().find("were reported durable") != std::string::npos);
}

TEST_CASE("the mark is gone or damaged: the log presumes nothing", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  f.repair();
  const auto mark = f.dir() / "high_water_mark";
  SECTION("gone") {
    fs::remove(mark);
    CHECK(f.verdict() == Verdict::kMissing);
  }
  SECTION("damaged") {
    const std::string zeros(12'288, '\0');
    write_file(mark, zeros);
    CHECK(f.verdict() == Verdict::kMissing);
    CHECK(read_file(f.dir() / "high_water_mark.kept") == zeros);
  }
  CHECK(f.why() ==
        "its high-water mark was missing, so decisions behind record 101 may be missing");
}

TEST_CASE("an older copy of the database under the newest mark is noticed", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  f.repair();
  f.open();
  f.commit_durably(101, 110);
  f.close();
  fs::remove_all(f.dir() / "decisions");
  fs::copy(f.undamaged() / "decisions", f.dir() / "decisions", fs::copy_options::recursive);
  CHECK(f.verdict() == Verdict::kMissing);
  // Opening, 100 decisions; opening, 10 decisions.
  CHECK(f.why() ==
        "decisions are missing at its end: records 102 to 112 are missing, and 112 was "
        "reported durable (high-water mark)");
}

TEST_CASE("a mark set back by a power cut is no loss", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto old_mark = read_file(f.undamaged() / "high_water_mark");
  f.repair();
  f.open();
  f.commit_durably(101, 110);
  f.cut_power();
  write_file(f.dir() / "high_water_mark", old_mark);
  f.open();
  CHECK(f.has_all(1, 110));
}

TEST_CASE("another log's database under this log's mark is refused", "[log][damage]") {
  const FastFolder folder;
  const FastFolder other_folder;
  DamageFixture f(folder);
  DamageFixture other(other_folder);
  f.repair();
  fs::remove_all(f.dir() / "decisions");
  fs::copy(other.undamaged() / "decisions", f.dir() / "decisions", fs::copy_options::recursive);
  CHECK(f.verdict() == Verdict::kRefused);
  CHECK(f.why().find("record 1: it is of another log") != std::string::npos);
}

std::multiset<std::string> contents(const fs::path& dir) {
  std::multiset<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const auto name = entry.path().filename().string();
    // LevelDB's diary; a lock is empty.
    if (!entry.is_regular_file() || name.starts_with("LOG") || name == "LOCK") continue;
    if (name == "origin" || name == "high_water_mark") continue;  // an opening writes them anew
    all.insert(read_file(entry.path()));
  }
  return all;
}

TEST_CASE("a log that lacks something keeps every byte, however often it is tried",
          "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  SECTION("damaged in the write-ahead file") {
    f.repair();
    const auto file = f.write_ahead_file();
    write_file(file, inverted(read_file(file), 12'345));
  }
  SECTION("its end is missing") {
    f.repair();
    const auto file = f.write_ahead_file();
    const auto bytes = read_file(file);
    write_file(file, bytes.substr(0, bytes.size() / 2));
  }
  SECTION("the mark is ahead") {
    f.repair();
    f.open();
    f.commit_durably(101, 110);
    f.close();
    fs::remove_all(f.dir() / "decisions");
    fs::copy(f.undamaged() / "decisions", f.dir() / "decisions", fs::copy_options::recursive);
  }
  const auto before = contents(f.dir());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(f.verdict() != Verdict::kWhole);
    const auto after = contents(f.dir());
    CHECK(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  }
}

TEST_CASE("of an unverified log only what was there before is kept", "[log]") {
  const std::unique_ptr<leveldb::Env> memory(leveldb::NewMemEnv(leveldb::Env::Default()));
  REQUIRE(leveldb::WriteStringToFile(memory.get(), "old", "/log/1.ldb").ok());
  CarefulEnv env(memory.get());
  REQUIRE(leveldb::WriteStringToFile(&env, "new", "/log/2.ldb").ok());
  for (const char* name : {"/log/1.ldb", "/log/2.ldb"}) REQUIRE(env.RemoveFile(name).ok());
  CHECK(memory->FileExists("/log/1.ldb.kept"));
  CHECK(!memory->FileExists("/log/2.ldb"));
  CHECK(!memory->FileExists("/log/2.ldb.kept"));
}

TEST_CASE("an opened log keeps no old files once it is verified", "[log][damage]") {
  const FastFolder folder;
  DamageFixture f(folder);
  const auto kept = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(f.dir() / "decisions")) {
      if (entry.path().extension() == ".kept") ++count;
    }
    return count;
  };
  for (int i = 0; i < 5; ++i) f.open();
  CHECK(f.comes_true([&] { return kept() == 0; }));
}

}  // namespace
}  // namespace assent::coordinator
