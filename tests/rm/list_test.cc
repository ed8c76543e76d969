// PostgreSQL's list may give what is being finished the transaction id of another branch
// (docs/decisions/0023). Without the second look 5 to 20 rows of these lists were wrong in each
// run.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

constexpr int kLanes = 8;
constexpr int kLists = 800;
/// Listed first, so that there is time before those that move are looked at.
constexpr int kStanding = 300;

std::string prepare_many() {
  std::string sql;
  for (int i = 0; i < kStanding; ++i) {
    sql += "BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'standing-" +
           std::to_string(i) + "'; ";
  }
  return sql;
}

/// Branches that are prepared and committed at once, one after another in each lane.
class Traffic {
 public:
  explicit Traffic(Agent& agent) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const bool waits = lane % 2 == 0;
      lanes_.emplace_back([this, waits, session = std::shared_ptr(agent.another_session())] {
        drive(*session, waits);
      });
    }
  }
  ~Traffic() { stop(); }

  void stop() {
    over_ = true;
    begin_list();
    lanes_.clear();
  }

  void begin_list() {
    ++lists_;
    lists_.notify_all();
  }

  /// By branch: the transaction that voted.
  std::map<Xid, std::uint64_t> voted;
  std::vector<FinishReport> not_committed;

 private:
  /// Who waits leaves each branch prepared for one whole list, and finishes it during the next.
  void drive(Session& session, bool waits) {
    while (!over_) {
      const Xid xid = new_xid();
      const WorkReport report =
          session.work(work_of(xid, {plain("SELECT pg_current_xact_id()::text")}));
      if (waits) wait_for_lists(2);
      const FinishReport finish = commit(session, xid, report.proof);
      const std::lock_guard lock(mutex_);
      voted[xid] = report.proof.transaction_id;
      if (finish.completion != Completion::kCommitted) not_committed.push_back(finish);
    }
  }

  void wait_for_lists(std::uint64_t count) {
    const std::uint64_t last = lists_ + count;
    for (std::uint64_t seen = lists_; seen < last && !over_; seen = lists_) lists_.wait(seen);
  }

  Xid new_xid() {
    const std::lock_guard lock(mutex_);
    return next_xid();
  }

  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> lists_ = 0;  ///< begun
  std::mutex mutex_;
  std::vector<std::jthread> lanes_;
};

}  // namespace

TEST_CASE(
    "a listed branch stands with the transaction that voted, whatever is finished meanwhile") {
  Server server(Kind::kPostgres, {{"max_prepared_transactions", "350"}});
  server.run(prepare_many());
  Agent agent(server);
  std::vector<PreparedBranch> listed;
  Traffic traffic(agent);
  for (int i = 0; i < kLists; ++i) {
    traffic.begin_list();
    for (PreparedBranch& branch : must(agent.control->list_prepared({kLog})).branches)
      listed.push_back(std::move(branch));
  }
  traffic.stop();
  CHECK(traffic.not_committed.empty());
  REQUIRE(!listed.empty());
  int wrong = 0;
  for (const PreparedBranch& branch : listed) {
    if (branch.transaction_id != traffic.voted.at(branch.xid)) ++wrong;
  }
  CHECK(wrong == 0);
}
