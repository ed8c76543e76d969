#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <variant>

#include "chaos/workload/workloads.h"

namespace assent::workload {
namespace {

constexpr std::int64_t kNodes = 60;

Step node_step(std::string participant, std::string sql, std::vector<Value> params) {
  Step step;
  step.participant = std::move(participant);
  step.statement = {std::move(sql), std::move(params), 1};
  return step;
}

Error not_a_number() {
  return {.code = ErrorCode::kInvalid, .message = "the next of a node is no number"};
}

class Ring : public Workload {
 public:
  Ring(std::vector<std::string> participants, std::string run)
      : Workload(std::move(run)), participants_(std::move(participants)) {}

  std::string name() const override { return "ring"; }
  Table table() const override { return {"node", "id", "next"}; }

  std::vector<std::string> setup_sql(const std::string& participant) const override {
    std::string rows;
    for (std::int64_t node = 0; node < kNodes; ++node) {
      if (home_of(node) != participant) continue;
      rows += (rows.empty() ? "(" : ", (") + std::to_string(node) + ", " +
              std::to_string((node + 1) % kNodes) + ")";
    }
    return {"CREATE TABLE node (id bigint PRIMARY KEY, next bigint NOT NULL)",
            "INSERT INTO node VALUES " + rows};
  }

  /// Leaves a mark everywhere: which nodes it comes to, it reads.
  Transaction draw(Random& random) override {
    Transaction transaction;
    transaction.key = next_key();
    transaction.interactive = true;
    const auto first = static_cast<std::int64_t>(random.below(kNodes));
    for (const std::string& participant : participants_)
      transaction.marks.push_back({participant, first, 0});
    transaction.talk = [this, first, key = transaction.key,
                        marks = transaction.marks](const Execute& execute) -> Result<> {
      auto swapped = swap_behind(first, execute);
      if (swapped.has_error()) return swapped;
      for (const Mark& mark : marks) {
        const auto marked = execute(mark_step(key, mark));
        if (marked.has_error()) return marked.error();
      }
      return {};
    };
    return transaction;
  }

  std::vector<Violation> check_state(const Evidence&, const History&, const Evidence& after,
                                     const Damaged&) const override {
    std::map<std::int64_t, std::int64_t> next;
    for (const ParticipantEvidence& each : after)
      next.insert(each.balances.begin(), each.balances.end());
    std::int64_t at = 0;
    std::int64_t steps = 0;
    do {
      const auto found = next.find(at);
      if (found == next.end()) return broken("there is no node " + std::to_string(at));
      at = found->second;
      ++steps;
    } while (at != 0 && steps <= kNodes);
    if (steps != kNodes || next.size() != kNodes)
      return broken("from node 0 it is " + std::to_string(steps) + " steps until node 0, of " +
                    std::to_string(next.size()) + " nodes");
    return {};
  }

 private:
  const std::string& home_of(std::int64_t node) const {
    return participants_[static_cast<std::size_t>(node) % participants_.size()];
  }

  static std::vector<Violation> broken(const std::string& how) {
    return {{"I4", "the ring is broken: " + how}};
  }

  /// a -> b -> c -> d becomes a -> c -> b -> d.
  Result<> swap_behind(std::int64_t first, const Execute& execute) const {
    std::array<std::int64_t, 4> nodes{first};
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const auto next = read_next(nodes[i - 1], execute);
      if (next.has_error()) return next.error();
      nodes[i] = *next;
    }
    const auto [a, b, c, d] = nodes;
    for (const auto& [node, next] : {std::pair(a, c), std::pair(b, d), std::pair(c, b)}) {
      const auto written =
          execute(node_step(home_of(node), "UPDATE node SET next = ? WHERE id = ?", {next, node}));
      if (written.has_error()) return written.error();
    }
    return {};
  }

  Result<std::int64_t> read_next(std::int64_t node, const Execute& execute) const {
    const auto read =
        execute(node_step(home_of(node), "SELECT next FROM node WHERE id = ? FOR UPDATE", {node}));
    if (read.has_error()) return read.error();
    if (read->rows.size() != 1 || read->rows.front().size() != 1) return not_a_number();
    const auto* next = std::get_if<std::int64_t>(&read->rows.front().front());
    if (next == nullptr || *next < 0 || *next >= kNodes) return not_a_number();
    return *next;
  }

  const std::vector<std::string> participants_;
};

}  // namespace

std::unique_ptr<Workload> make_ring(std::vector<std::string> participants, std::string run) {
  return std::make_unique<Ring>(std::move(participants), std::move(run));
}

}  // namespace assent::workload
