// One test for each clause of presumed abort that the coordinator relies on. The source is C.
// Mohan, B. Lindsay, R. Obermarck: Transaction Management in the R* Distributed Database Management
// System, ACM TODS 11(4), 1986, sections 2 (two-phase commit) and 3 (presumed abort).

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/core/coordinator_story.h"

namespace assent::coordinator {
namespace {

/// The last command's output; `lines` are played in their order.
std::string play(Story& story, const std::vector<std::string>& lines) {
  std::string output;
  for (const std::string& line : lines) output = story.play(line);
  return output;
}

void connect_both(Story& story) {
  play(story, {"connect payments", "connect points", "list payments", "list points"});
}

bool has(const std::string& output, const std::string& text) {
  return output.find(text) != std::string::npos;
}

const std::string kNothing = "(nothing)\n";

}  // namespace

TEST_CASE("section 2: prepare is sent to all subordinates in parallel") {
  Story story;
  connect_both(story);
  const std::string sent = story.play("submit points payments");
  CHECK(has(sent, "points#1 <- work 1.1 [0:s0] then prepare"));
  CHECK(has(sent, "payments#1 <- work 1.1 [0:s1] then prepare"));
}

TEST_CASE("section 2: the coordinator decides commit only when all have voted yes") {
  Story story;
  connect_both(story);
  CHECK(play(story, {"submit points payments", "voted 1.1 points prepared"}) == kNothing);
  CHECK(has(story.play("voted 1.1 payments prepared"), "log <- force commit 1.1"));
}

TEST_CASE("section 2: the commit record is forced before any subordinate or caller is told") {
  Story story;
  connect_both(story);
  const std::string forced = play(story, {"submit points payments", "voted 1.1 points prepared",
                                          "voted 1.1 payments prepared"});
  CHECK_FALSE(has(forced, "<- commit"));
  CHECK_FALSE(has(forced, "r1"));
  const std::string told = story.play("durable");
  CHECK(has(told, "points#1 <- commit 1.1"));
  CHECK(has(told, "payments#1 <- commit 1.1"));
}

TEST_CASE("section 2: the commit record names every subordinate in the prepared state") {
  Story story;
  connect_both(story);
  const std::string forced = play(story, {"submit points payments", "voted 1.1 points prepared",
                                          "voted 1.1 payments prepared"});
  CHECK(has(forced, "[payments proof=db-payments:7, points proof=db-points:7]"));
}

TEST_CASE("section 2: the end record is not forced and follows the last acknowledgement") {
  Story story;
  connect_both(story);
  play(story, {"submit points payments", "voted 1.1 points prepared", "voted 1.1 payments prepared",
               "durable"});
  CHECK(story.play("finished 1.1 points committed") == kNothing);
  CHECK(has(story.play("finished 1.1 payments committed"), "log <- end 1.1"));
}

TEST_CASE("section 2: a subordinate that does not answer is told until it acknowledges") {
  Story story;
  connect_both(story);
  play(story, {"submit points payments", "voted 1.1 points prepared", "voted 1.1 payments prepared",
               "durable", "disconnect points", "finished 1.1 payments committed"});
  CHECK(has(story.play("connect points"), "points#2 <- commit 1.1"));
  play(story, {"disconnect points"});
  CHECK(has(story.play("connect points"), "points#3 <- commit 1.1"));
}

TEST_CASE("section 3: in the absence of information the transaction is aborted") {
  Story story;
  play(story, {"connect points", "submit points", "voted 1.1 points prepared", "crash",
               "connect points", "disconnect payments", "list points 1.1"});
  CHECK(has(story.play("found"), "points#2 <- rollback 1.1"));
}

TEST_CASE("section 3: an abort record need not be forced, nor written") {
  Story story;
  connect_both(story);
  const std::string decided = play(
      story, {"submit points payments", "voted 1.1 points rolled_back error=statement_failed"});
  CHECK_FALSE(has(decided, "log <-"));
  CHECK(has(decided, "payments#1 <- rollback 1.1"));
  CHECK(has(decided, "r1 <- rolled_back"));
}

TEST_CASE("R15 beyond presumed abort: a key's final no is forced before its caller is told") {
  Story story;
  connect_both(story);
  const std::string decided = play(
      story, {"submit key=k points payments", "voted 1.1 points rolled_back error=guard_not_met"});
  CHECK(has(decided, "log <- force rollback 1.1 key=k"));
  CHECK_FALSE(has(decided, "r1"));
  CHECK(has(story.play("durable"), "r1 <- rolled_back"));
}

TEST_CASE("section 3: a subordinate that voted no is not told the abort") {
  Story story;
  connect_both(story);
  const std::string decided = play(
      story, {"submit points payments", "voted 1.1 points rolled_back error=statement_failed"});
  CHECK_FALSE(has(decided, "points#1 <- rollback"));
}

TEST_CASE("R5 beyond presumed abort: locks come free, so aborts are told until proved, too") {
  Story story;
  connect_both(story);
  play(story, {"submit points payments", "voted 1.1 points prepared",
               "voted 1.1 payments rolled_back error=statement_failed", "disconnect points"});
  CHECK(has(story.play("connect points"), "points#2 <- rollback 1.1"));
  story.play("finished 1.1 points still_prepared");
  CHECK(has(story.play("time 20"), "points#2 <- rollback 1.1"));
}

TEST_CASE("section 3: a read-only subordinate has no part in the second phase") {
  Story story;
  connect_both(story);
  play(story, {"submit points:ro payments", "voted 1.1 points read_only"});
  const std::string forced = story.play("voted 1.1 payments prepared");
  CHECK(has(forced, "[payments proof=db-payments:7]"));
  const std::string told = story.play("durable");
  CHECK(has(told, "payments#1 <- commit"));
  CHECK_FALSE(has(told, "points#1"));
}

TEST_CASE("section 3: a transaction that was read-only everywhere writes no record") {
  Story story;
  connect_both(story);
  const std::string decided =
      play(story, {"submit points:ro payments:ro", "voted 1.1 points read_only",
                   "voted 1.1 payments read_only"});
  CHECK_FALSE(has(decided, "log <-"));
  CHECK(has(decided, "r1 <- committed"));
}

TEST_CASE("R13 beyond presumed abort: with a key it does, because somebody may ask again") {
  Story story;
  connect_both(story);
  const std::string decided =
      play(story, {"submit key=k points:ro payments:ro", "voted 1.1 points read_only",
                   "voted 1.1 payments read_only"});
  CHECK(has(decided, "log <- force commit 1.1 key=k []"));
  CHECK_FALSE(has(decided, "r1"));
}

TEST_CASE(
    "section 3: after a crash, a commit record without end record restarts the second phase") {
  Story story;
  play(story,
       {"connect points", "submit points", "voted 1.1 points prepared", "crash keeping-appends"});
  CHECK(has(story.play("connect points"), "points#2 <- commit 1.1"));
  play(story, {"finished 1.1 points committed", "durable", "crash"});
  CHECK_FALSE(has(story.play("connect points"), "commit 1.1"));
}

TEST_CASE("section 2: no deadline once commit is decided, one before") {
  Story story;
  connect_both(story);
  play(story, {"submit timeout=1000 points payments", "voted 1.1 points prepared"});
  CHECK(has(story.play("time 1000"), "points#1 <- rollback 1.1"));
  play(story, {"submit timeout=1000 points payments", "voted 1.2 points prepared",
               "voted 1.2 payments prepared"});
  CHECK_FALSE(has(story.play("time 60000"), "rollback 1.2"));
}

}  // namespace assent::coordinator
