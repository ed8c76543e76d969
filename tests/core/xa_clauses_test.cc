// One test for each clause of "Distributed Transaction Processing: The XA Specification" (X/Open
// CAE, C193, 1991) that the coordinator, as the transaction manager, relies on or must keep.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "protocol/base/xid.h"
#include "tests/core/coordinator_story.h"

namespace assent::coordinator {
namespace {

std::string play(Story& story, const std::vector<std::string>& lines) {
  std::string output;
  for (const std::string& line : lines) output = story.play(line);
  return output;
}

bool has(const std::string& output, const std::string& text) {
  return output.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("2.2 and 4.2: a branch has an xid of its own, unique and never used twice") {
  Story story;
  play(story, {"connect payments", "connect points"});
  CHECK(has(story.play("submit points payments"), "work 1.1"));
  CHECK(has(story.play("submit points payments"), "work 1.2"));
  story.play("crash");
  play(story, {"connect payments", "connect points"});
  CHECK(has(story.play("submit points payments"), "work 2.1"));
}

TEST_CASE("4.2: gtrid and bqual have at most 64 bytes each, the format id is not negative") {
  const Gtrid longest{LogId{~0ull}, Epoch{~0u}, Sequence{~0ull}};
  CHECK(to_string(longest).size() <= 64);
  CHECK_FALSE(is_participant_name(std::string(65, 'a')));
  CHECK(kFormatId >= 0);
}

TEST_CASE("2.3: commit may be told only for a branch that was successfully prepared") {
  Story story;
  play(story, {"connect payments", "connect points", "submit points payments",
               "voted 1.1 points prepared"});
  CHECK_FALSE(has(story.play("voted 1.1 payments unknown error=timeout"), "commit"));
}

TEST_CASE("2.3.2, read-only: a resource manager that voted read-only is left out of phase two") {
  Story story;
  play(story, {"connect payments", "connect points", "submit points payments:ro",
               "voted 1.1 payments read_only", "voted 1.1 points prepared"});
  CHECK_FALSE(has(story.play("durable"), "payments#1"));
}

TEST_CASE("2.3.1, XA_RB*: a branch that rolled itself back needs no xa_rollback") {
  Story story;
  play(story, {"connect payments", "connect points", "submit points payments"});
  const std::string decided = story.play("voted 1.1 payments rolled_back error=statement_failed");
  CHECK_FALSE(has(decided, "payments#1 <- rollback"));
  CHECK(has(decided, "points#1 <- rollback"));
}

TEST_CASE("2.3.2: one-phase commit is not used, a single branch prepares like any other") {
  Story story;
  play(story, {"connect points"});
  CHECK(has(story.play("submit points"), "then prepare"));
  CHECK(has(story.play("voted 1.1 points prepared"), "log <- force commit"));
}

TEST_CASE("2.3.3, heuristic hazard: kept and shown, never forgotten by itself") {
  Story story;
  play(story, {"connect points", "submit points", "voted 1.1 points prepared", "durable"});
  CHECK(has(story.play("finished 1.1 points cannot_tell"), "note error"));
  story.play("time 3600000");
  CHECK(has(story.play("transactions"), "points hazard"));
  CHECK_FALSE(has(story.play("crash"), "end 1.1"));
}

TEST_CASE("2.3.3, heuristic rollback of a branch that was to commit: the decision stands") {
  Story story;
  play(story, {"connect payments", "connect points", "submit key=k wait=decided points payments",
               "voted 1.1 points prepared", "voted 1.1 payments prepared", "durable"});
  CHECK(has(story.play("finished 1.1 points rolled_back"), "violation"));
  CHECK(has(story.play("outcome key=k"), "committed 1.1"));
  CHECK(has(story.play("disconnect payments"), "not connected"));
  CHECK(has(story.play("connect payments"), "payments#2 <- commit 1.1"));
}

TEST_CASE("2.3.3 and xa_forget: only when the end is durable") {
  Story story;
  play(story, {"connect points", "list points", "submit points",
               "voted 1.1 points prepared witness=1", "durable", "finished 1.1 points committed"});
  CHECK_FALSE(has(story.play("time 5000"), "forget"));
  play(story, {"list points", "submit points", "voted 1.2 points prepared", "durable"});
  // The fence row is told of its commit first.
  CHECK_FALSE(has(story.play("time 5000"), "forget"));
  play(story, {"list points"});
  CHECK(has(story.play("time 5000"), "forget witnesses 1.1"));
}

TEST_CASE(
    "2.3.4 and xa_recover: every prepared branch is asked for, and completed or rolled back") {
  Story story;
  play(story, {"connect points", "submit points", "voted 1.1 points prepared", "submit points",
               "voted 1.2 points prepared", "durable 1", "crash"});
  CHECK(has(story.play("connect points"), "list prepared"));
  play(story,
       {"disconnect payments", "inspected points 1.1:still_prepared", "list points 1.1 1.2",
        "time 5000", "inspected points 1.1:still_prepared", "commits", "list points 1.1 1.2"});
  CHECK(has(story.play("found"), "rollback 1.2"));
  CHECK(has(story.play("transactions"), "1.1 committing"));
}

TEST_CASE("xa_recover: xids of other transaction managers are left alone") {
  Story story;
  play(story, {"connect points"});
  CHECK(story.play("list points foreign=3") == "(nothing)\n");
}

TEST_CASE("xa_commit, XAER_RMFAIL and XA_RETRY: neither is an end, the branch is told again") {
  Story story;
  play(story, {"connect points", "submit points", "voted 1.1 points prepared", "durable",
               "finished 1.1 points unreached"});
  CHECK(has(story.play("time 20"), "commit 1.1"));
  story.play("finished 1.1 points still_prepared");
  CHECK(has(story.play("time 20"), "commit 1.1"));
}

}  // namespace assent::coordinator
