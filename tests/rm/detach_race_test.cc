// F 9: XA COMMIT from one session while the session that prepared the branch is leaving. Without
// pseudo_slave_mode, by which XA PREPARE detaches the branch, 3 to 7 of these 4000 rounds were lost
// in each run: OK to the commit, nothing committed, and the branch prepared again after a restart.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch.hpp>

#include "participant_agents/rm/odbc.h"
#include "tests/rm/rm_fixture.h"

using namespace assent;
using namespace assent::rm;
using namespace assent::rm::testing;

namespace {

using Clock = std::chrono::steady_clock;

/// Side by side, so that threads of the server are held up where they would not be by themselves.
constexpr int kLanes = 8;
constexpr int kRounds = 500;                        // of each lane
constexpr auto kEnough = std::chrono::seconds(30);  // of a loaded machine

/// How the session that prepared the branch leaves.
enum class Leaving { kCloses, kLosesConnection, kIsKilled };

void spin_for(Clock::duration delay) {
  for (const auto begin = Clock::now(); Clock::now() - begin < delay;) std::this_thread::yield();
}

/// Runs both, from the same moment on. `here` may throw.
void race(const std::function<void()>& here, const std::function<void()>& there) {
  std::atomic<int> ready{0};
  const auto run = [&ready](const std::function<void()>& runner) {
    ++ready;
    while (ready != 2) std::this_thread::yield();
    runner();
  };
  const auto other = std::async(std::launch::async, [&] { run(there); });
  run(here);
}

/// The value, or an exception: Catch's assertions belong to the test's own thread.
template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(words(result.error()));
  return std::move(*result);
}

/// One race after the other, each for a card of its own.
class Lane {
 public:
  Lane(Server& server, ResourceManager& manager, int first_card)
      : manager_(manager), next_card_(first_card) {
    auto opened =
        odbc::Connection::open(server->odbc_connection("points", live::Role::kAdmin), kPatience);
    REQUIRE(opened.connection);
    administrator_ = std::move(opened.connection);
  }

  /// Returns what is wrong, a text for each round.
  std::vector<std::string> run(Clock::time_point end) {
    std::vector<std::string> wrong;
    for (; rounds_ < kRounds && Clock::now() < end; ++rounds_) {
      std::string found = run_round(rounds_, next_card_++);
      if (!found.empty()) wrong.push_back(std::move(found));
    }
    return wrong;
  }

  int rounds() const { return rounds_; }

 private:
  std::string run_round(int round, int card) {
    auto preparing = value_of(manager_.open_session());
    const Xid xid{Gtrid{kLog, Epoch{1}, Sequence{static_cast<std::uint64_t>(card)}}, "points"};
    Statement give_point;
    give_point.sql = "UPDATE card SET points = points + 1 WHERE id = ?";
    give_point.params = {std::int64_t{card}};
    give_point.expect_rows = 1;
    const WorkReport report = preparing->work(work_of(xid, {give_point}));
    if (report.vote != Vote::kPrepared)
      throw std::runtime_error("no vote: " + (report.error ? words(*report.error) : ""));

    const auto by = round % 4 == 0 ? PreparedBy::kUnknown : PreparedBy::kThisIncarnation;
    const auto how = static_cast<Leaving>(round % 3);
    FinishReport finish;
    const auto commit = [&] { finish = commit_until_settled(xid, report.proof, by); };
    const auto leave = [&] {
      spin_for(std::chrono::microseconds(round / 12 % 8 * 50));  // into the commit
      end(*preparing, how);
      preparing.reset();
    };
    race(commit, leave);
    return describe(card, finish);
  }

  /// Of kCloses nothing is left to do but that.
  void end(Session& session, Leaving how) {
    if (how == Leaving::kLosesConnection) session.interrupt();
    if (how == Leaving::kIsKilled)
      administrator_->execute("KILL CONNECTION " +
                              std::to_string(static_cast<std::uint64_t>(session.id())));
  }

  /// As an agent does: what is not settled yet is asked again.
  FinishReport commit_until_settled(const Xid& xid, const BranchProof& proof, PreparedBy by) {
    const auto deadline = Clock::now() + kPatience;
    for (;;) {
      if (!session_ || !session_->usable()) session_ = value_of(manager_.open_session());
      FinishReport finish = session_->commit(xid, proof, by);
      const bool again = finish.completion == Completion::kStillPrepared ||
                         finish.completion == Completion::kUnreached;
      if (!again || Clock::now() >= deadline) return finish;
    }
  }

  /// Empty: committed, with all that belongs to it.
  std::string describe(int card, const FinishReport& finish) {
    const std::string id = std::to_string(card);
    std::string wrong;
    if (finish.completion != Completion::kCommitted)
      wrong += " not committed (" + (finish.error ? words(*finish.error) : "") + ")";
    if (number("SELECT points FROM card WHERE id=" + id) != 1) wrong += " no effect";
    if (number("SELECT points FROM card WHERE id=" + id + " FOR UPDATE NOWAIT") != 1)
      wrong += " row locked";
    if (number("SELECT COUNT(*) FROM assent_witness WHERE sequence=" + id) != 1)
      wrong += " no witness row";
    return wrong.empty() ? wrong : "card " + id + ":" + wrong;
  }

  /// -1: the statement failed, as when the row is locked.
  std::int64_t number(const std::string& sql) {
    const odbc::Answer answer = administrator_->execute(sql);
    if (answer.failure) return -1;
    return std::get<std::int64_t>(answer.results.at(0).rows.at(0).at(0));
  }

  ResourceManager& manager_;
  std::unique_ptr<Session> session_;  ///< the second one, which commits
  std::unique_ptr<odbc::Connection> administrator_;
  int next_card_;
  int rounds_ = 0;
};

void insert_cards(Server& server) {
  std::string rows = "(0,0)";
  for (int i = 1; i < kLanes * kRounds; ++i) rows += ",(" + std::to_string(i) + ",0)";
  server.run("DELETE FROM card; INSERT INTO card VALUES " + rows + ";");
}

}  // namespace

TEST_CASE("F 9: a commit is never lost while the session that prepared the branch is leaving") {
  Server server(Kind::kMariadb);
  insert_cards(server);
  int rounds = 0;
  std::vector<std::string> wrong;
  {
    Agent agent(server);
    std::vector<std::unique_ptr<Lane>> lanes;
    for (int i = 0; i < kLanes; ++i)
      lanes.push_back(std::make_unique<Lane>(server, *agent.manager, i * kRounds));
    const auto end = Clock::now() + kEnough;
    std::vector<std::future<std::vector<std::string>>> running;
    for (const auto& lane : lanes)
      running.push_back(std::async(std::launch::async, [&lane, end] { return lane->run(end); }));
    for (auto& lane : running) {
      // An agent without its heartbeat loses its lock, and opens no sessions then (R9).
      while (lane.wait_for(std::chrono::seconds(1)) != std::future_status::ready)
        must(agent.control->heartbeat());
      for (std::string& text : lane.get()) wrong.push_back(std::move(text));
    }
    for (const auto& lane : lanes) rounds += lane->rounds();
  }
  CAPTURE(rounds, wrong.size(), wrong);
  CHECK(wrong.empty());
  CHECK(server.prepared_count() == 0);

  server->kill();
  server->start();
  CHECK(server.prepared_count() == 0);
  const std::string all = std::to_string(rounds);
  CHECK(server->query_value("points", "SELECT SUM(points) FROM card;") == all);
  CHECK(server->query_value("points", "SELECT COUNT(*) FROM assent_witness;") == all);
}
