#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent {
namespace {

const Gtrid kGtrid{LogId{0x0123456789ABCDEF}, Epoch{1}, Sequence{0x2A}};
const Gtrid kLongest{LogId{~0ULL}, Epoch{~0U}, Sequence{~0ULL}};

TEST_CASE("a gtrid is written and read in one spelling") {
  CHECK(to_string(kGtrid) == "0123456789abcdef-1-2a");
  CHECK(parse_gtrid("0123456789abcdef-1-2a") == kGtrid);
  CHECK(parse_gtrid(to_string(kLongest)) == kLongest);
  CHECK(to_string(kLongest).size() == 42);
  CHECK(to_string(LogId{1}) == "0000000000000001");
}

TEST_CASE("what to_string does not write is no gtrid") {
  for (const std::string text : {"",
                                 "-",
                                 "0123456789abcdef",
                                 "0123456789abcdef-1",
                                 "0123456789abcdef-1-",
                                 "0123456789abcdef-1-2a-",
                                 "0123456789abcdef-1-2a ",
                                 " 0123456789abcdef-1-2a",
                                 "0123456789ABCDEF-1-2a",
                                 "0123456789abcdef-1-2A",
                                 "0123456789abcdef-01-2a",
                                 "0123456789abcdef-1-02a",
                                 "0123456789abcdef-0-2a",
                                 "0123456789abcdef-1-0",
                                 "123456789abcdef-1-2a",
                                 "00123456789abcdef-1-2a",
                                 "0123456789abcdef-100000000-1",
                                 "0123456789abcdef-1-10000000000000000",
                                 "0123456789abcdef--1-2a",
                                 "0123456789abcdeg-1-2a",
                                 "0123456789abcdef_1_2a"}) {
    INFO(text);
    CHECK(parse_gtrid(text) == std::nullopt);
  }
}

TEST_CASE("gtrids of one log stand in the order of their beginning") {
  const Gtrid earlier{LogId{5}, Epoch{1}, Sequence{900}};
  CHECK(earlier < Gtrid{LogId{5}, Epoch{1}, Sequence{901}});
  CHECK(earlier < Gtrid{LogId{5}, Epoch{2}, Sequence{1}});
}

TEST_CASE("participant names") {
  for (const std::string name : {"a", "accounts", "p-1_x", "z0123456789012345678901234567890"}) {
    INFO(name);
    CHECK(is_participant_name(name));
  }
  for (const std::string name :
       {"", "1a", "_a", "-a", "A", "a b", "a.b", "ä", "a\n", "z01234567890123456789012345678901"}) {
    INFO(name);
    CHECK_FALSE(is_participant_name(name));
  }
  CHECK_FALSE(is_participant_name(std::string("a\0b", 3)));
}

TEST_CASE("a gid names a branch and comes back as it") {
  const Xid xid{kGtrid, "points"};
  CHECK(to_gid(xid) == "assent_0123456789abcdef-1-2a_points");
  CHECK(parse_gid(to_gid(xid)) == xid);
  CHECK(to_string(xid) == "0123456789abcdef-1-2a/points");
  const Xid longest{kLongest, "z0123456789_12345678901234567890"};
  CHECK(parse_gid(to_gid(longest)) == longest);
  CHECK(to_gid(longest).size() == 82);
}

// R3: a branch of somebody else's is never touched.
TEST_CASE("foreign gids are told from ours") {
  for (const std::string gid :
       {"", "assent", "assent_", "assent_0123456789abcdef-1-2a", "assent_0123456789abcdef-1-2a_",
        "assent_0123456789abcdef-1-2a_Points", "Assent_0123456789abcdef-1-2a_points",
        "assent_0123456789abcdef-1-2a/points", "assent_0123456789abcdef-1-2a_1points",
        " assent_0123456789abcdef-1-2a_points", "assent-0123456789abcdef-1-2a_points",
        "4660_YXNzZW50_cG9pbnRz"}) {
    INFO(gid);
    CHECK(parse_gid(gid) == std::nullopt);
  }
}

TEST_CASE("the format id is within what MariaDB takes (F 14)") {
  CHECK(kFormatId > 0);
}

template <typename Enum>
std::size_t distinct_words(Enum first, Enum last) {
  std::set<std::string_view> words;
  for (int i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
    words.insert(to_string(static_cast<Enum>(i)));
  }
  return words.size();
}

TEST_CASE("every enumerator has a word of its own") {
  CHECK(distinct_words(Vote::kPrepared, Vote::kUnknown) == 4);
  CHECK(distinct_words(Decision::kCommit, Decision::kRollback) == 2);
  CHECK(distinct_words(Completion::kCommitted, Completion::kUnreached) == 5);
  CHECK(distinct_words(Evidence::kNone, Evidence::kNeverPrepared) == 7);
  CHECK(distinct_words(Outcome::kCommitted, Outcome::kNoRecord) == 7);
  CHECK(distinct_words(ErrorCode::kInvalid, ErrorCode::kStepsDiffer) == 26);
}

TEST_CASE("the value of a failed Result can't be taken") {
  const Result<int> failed = Error{.message = "the disk is full"};
  CHECK_THROWS_WITH(failed.value(), Catch::Contains("the disk is full"));
}

TEST_CASE("instants and wall times move by durations") {
  const Instant at{Duration(1000)};
  CHECK((at + Duration(5)) - at == Duration(5));
  CHECK(at - Duration(5) < at);
  CHECK(WallTime{7} + std::chrono::seconds(2) == WallTime{2007});
}

}  // namespace
}  // namespace assent
