// Every damage to a log is noticed, or the log says exactly what it said before, for each of its
// files: each byte flipped, in all its bits and in one of them, another from byte to byte; each
// page zeroed; each length cut off. In small files (origin, CURRENT, MANIFEST) and the mark's slots
// each bit by itself; between the slots, which nobody reads, all bits of a byte at once. Under a
// sanitizer a part of the bytes and lengths, another part each time that a file is another. Of a
// long log some, drawn at random; many with ASSENT_LONG_TESTS=1.

#include <bitset>
#include <cstdlib>
#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_offline.h"
#include "tests/log/fast_folder.h"
#include "tests/log/log_fixture.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;
using assent::testing::end_of;
using assent::testing::example_heuristic;
using assent::testing::example_key;
using assent::testing::FastFolder;
using assent::testing::kExampleTime;
using assent::testing::LogFixture;
using assent::testing::read_file;
using assent::testing::write_file;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSmall = 200;
constexpr std::size_t kMarkSlot = 32;  // at the beginning of a page

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStride = 11;
#else
constexpr std::size_t kStride = 1;
#endif

/// LevelDB's diary, its and our lock, and what an opening keeps of earlier files say nothing.
bool speaks(const fs::path& name) {
  const auto text = name.string();
  return !text.starts_with("LOG") && !text.starts_with("LOCK") && name.extension() != ".kept";
}

// The files of a closed log, to be put back again and again: `origin`, which tells a copy by its
// inode, as the file that it was, held beside the folder under a second name.
class Files {
 public:
  explicit Files(fs::path dir) : dir_(std::move(dir)), origin_(dir_.parent_path() / "origin") {
    fs::create_hard_link(dir_ / "origin", origin_);
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      if (!entry.is_regular_file() || !speaks(entry.path().filename())) continue;
      files_[entry.path()] = read_file(entry.path());
    }
  }

  const std::map<fs::path, std::string>& all() const { return files_; }
  void put_back() const {
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "decisions");
    fs::create_hard_link(origin_, dir_ / "origin");
    for (const auto& [path, bytes] : files_) write_file(path, bytes);
  }

 private:
  fs::path dir_;
  fs::path origin_;
  std::map<fs::path, std::string> files_;
};

// All that a log says when it is opened and asked.
struct Says {
  LogId log_id{};
  std::optional<Gtrid> low_water;
  std::vector<CommitRecord> unfinished;
  std::vector<HeuristicRecord> damaged;
  std::vector<NewestCommit> newest;
  std::vector<std::optional<Decided>> by_key;
  std::vector<std::optional<Decided>> by_gtrid;

  friend bool operator==(const Says&, const Says&) = default;
};

class IntegrityFixture : public LogFixture {
 public:
  explicit IntegrityFixture(const FastFolder& folder) : LogFixture(folder.path() / "log") {}

  // The last record is forced: ends behind it may be lost without harm, phase two runs again.
  void decide(std::uint64_t count) {
    decisions_ = count;
    open();
    commit_one_by_one(1, count / 2);
    commit_durably(count / 2 + 1, count - 1);
    const Gtrid first = commit_record(1).gtrid;
    log().append(example_heuristic(first.log_id, first.epoch, 1), kExampleTime);
    for (std::uint64_t i = 1; i < count; i += 3)
      log().append(end_of(commit_record(i)), kExampleTime);
    commit_durably(count, count);
    close();
  }

  // nullopt: something is wrong, and it says so.
  std::optional<Says> ask() {
    testing::Reports reports;
    const auto opened = LevelDbLog::open({.dir = dir()}, reports.listener());
    if (!opened || !(*opened)->opening().missing.empty()) return std::nullopt;
    const LogOpening& opening = (*opened)->opening();
    Says says{opening.log_id,
              opening.low_water,
              opening.unfinished,
              opening.damaged,
              opening.newest,
              {},
              {}};
    for (std::uint64_t i = 1; i <= decisions_; ++i) {
      auto by_key = (*opened)->find_key(example_key(i));
      auto by_gtrid = (*opened)->find_gtrid(commit_record(i).gtrid);
      if (!by_key || !by_gtrid) return std::nullopt;
      says.by_key.push_back(std::move(*by_key));
      says.by_gtrid.push_back(std::move(*by_gtrid));
    }
    return says;
  }

 private:
  std::uint64_t decisions_ = 0;
};

using Bits = std::bitset<8>;

// Each to be flipped by itself, in a byte of a file of that size.
std::vector<Bits> flips(const fs::path& file, std::size_t size, std::size_t at) {
  const bool mark = file.filename() == "high_water_mark";
  std::vector<Bits> all{~Bits()};
  if (mark && at % kPage >= kMarkSlot) return all;
  for (std::size_t bit = 0; bit < 8; ++bit) {
    if (mark || size < kSmall || bit == at % 8) all.push_back(Bits().set(bit));
  }
  return all;
}

std::string flipped(std::string bytes, std::size_t at, Bits bits) {
  const auto byte = static_cast<unsigned char>(bytes[at]);
  bytes[at] = static_cast<char>((Bits(byte) ^ bits).to_ulong());
  return bytes;
}

std::string zeroed(std::string bytes, std::size_t page) {
  const auto size = std::min(kPage, bytes.size() - page * kPage);
  return bytes.replace(page * kPage, size, size, '\0');
}

std::string cut_off(std::string bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

struct Tally {
  int noticed = 0;
  int harmless = 0;
};

TEST_CASE("every damage to a log of 100 decisions is noticed or harmless", "[log][damage]") {
  const FastFolder folder;
  IntegrityFixture f(folder);
  f.decide(100);
  fs::path swept = f.dir();
  SECTION("in the write-ahead file, and beside the database") {}
  SECTION("in tables") {
    f.open();
    f.close();
    swept /= "decisions";
  }
  const Files files(f.dir());
  files.put_back();
  const auto before = f.ask();
  REQUIRE(before.has_value());

  Tally tally;
  const auto attempt = [&](const fs::path& file, std::string&& damaged) {
    files.put_back();
    write_file(file, damaged);
    const auto says = f.ask();
    ++(says ? tally.harmless : tally.noticed);
    return !says || *says == *before;
  };
  std::size_t offset = 0;
  for (const auto& [file, bytes] : files.all()) {
    if (!file.string().starts_with(swept.string())) continue;
    INFO(file.filename());
    const std::size_t stride = bytes.size() < kSmall ? 1 : kStride;
    offset = (offset + 7) % stride;
    for (std::size_t i = offset; i < bytes.size(); i += stride) {
      for (const Bits bits : flips(file, bytes.size(), i))
        if (!attempt(file, flipped(bytes, i, bits))) FAIL("byte " << i << " flipped: " << bits);
    }
    for (std::size_t i = offset; i < bytes.size(); i += stride) {
      if (!attempt(file, cut_off(bytes, i))) FAIL("cut off at " << i);
    }
    for (std::size_t i = 0; i * kPage < bytes.size(); ++i) {
      if (!attempt(file, zeroed(bytes, i))) FAIL("page " << i << " zeroed");
    }
  }
  CHECK(tally.noticed > tally.harmless);
}

// Each record as a line, and whatever is wrong.
std::vector<std::string> read_through(const fs::path& dir, bool& noticed) {
  std::vector<std::string> lines;
  const auto log = OfflineLog::open(dir);
  noticed = !log || !(*log)->verify().wrong.empty() ||
            !(*log)->dump([&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

TEST_CASE("damages to a log of 10,000 decisions are noticed or harmless", "[log][damage]") {
  const FastFolder folder;
  IntegrityFixture f(folder);
  f.decide(10'000);
  const Files files(f.dir());
  files.put_back();
  bool noticed = false;
  const auto before = read_through(f.dir(), noticed);
  REQUIRE(!noticed);
  // An opening, 10,000 decisions, 3,333 ends, a heuristic outcome and a checkpoint.
  REQUIRE(before.size() == 13'336);

  std::mt19937 random(20260101);
  const int rounds = std::getenv("ASSENT_LONG_TESTS") != nullptr ? 100 : 6;
  for (int round = 0; round < rounds; ++round) {
    for (const auto& [file, bytes] : files.all()) {
      const std::size_t at = random() % bytes.size();
      INFO("round " << round << ", " << file.filename() << " at " << at);
      const std::vector<std::string> damages{flipped(bytes, at, ~Bits()),
                                             flipped(bytes, at, Bits().set(random() % 8)),
                                             zeroed(bytes, at / kPage), cut_off(bytes, at)};
      for (const auto& damaged : damages) {
        files.put_back();
        write_file(file, damaged);
        const auto after = read_through(f.dir(), noticed);
        CHECK((noticed || after == before));
      }
    }
  }
}

}  // namespace
}  // namespace assent::coordinator
