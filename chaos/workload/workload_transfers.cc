#include <cstdint>
#include <utility>

#include "chaos/workload/workloads.h"

namespace assent::workload {
namespace {

constexpr std::int64_t kAccounts = 200;  // in each participant
constexpr std::int64_t kOpening = 100;
constexpr std::uint64_t kAmountMax = 40;

std::int64_t sum(const Evidence& evidence) {
  std::int64_t sum = 0;
  for (const ParticipantEvidence& each : evidence) sum += each.total();
  return sum;
}

class Transfers : public Workload {
 public:
  Transfers(std::vector<std::string> participants, std::string run)
      : Workload(std::move(run)), participants_(std::move(participants)) {}

  std::string name() const override { return "transfers"; }
  Table table() const override { return {"account", "id", "balance"}; }

  std::vector<std::string> setup_sql(const std::string&) const override {
    std::string rows;
    for (std::int64_t id = 1; id <= kAccounts; ++id)
      rows += (id == 1 ? "(" : ", (") + std::to_string(id) + ", " + std::to_string(kOpening) + ")";
    return {
        "CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= "
        "0))",
        "INSERT INTO account VALUES " + rows};
  }

  /// One participant gives what the others get, in parts.
  Transaction draw(Random& random) override {
    Transaction transaction;
    transaction.key = next_key();
    transaction.interactive = random.one_in(6);
    const std::uint64_t giver = random.below(participants_.size());
    std::int64_t given = 0;
    for (std::uint64_t i = 1; i < participants_.size(); ++i) {
      const auto part = static_cast<std::int64_t>(1 + random.below(kAmountMax));
      add(transaction, (giver + i) % participants_.size(), random, -part);
      given += part;
    }
    add(transaction, giver, random, given);
    return transaction;
  }

  std::vector<Violation> check_state(const Evidence& before, const History& history,
                                     const Evidence& after, const Damaged& damaged) const override {
    std::vector<Violation> found = check_balances(before, history, after, damaged);
    if (damaged.empty() && sum(before) != sum(after))
      found.push_back({"I4", "the accounts of all participants held " +
                                 std::to_string(sum(before)) + " and hold " +
                                 std::to_string(sum(after))});
    return found;
  }

 private:
  void add(Transaction& transaction, std::uint64_t participant, Random& random,
           std::int64_t amount) const {
    const auto id = static_cast<std::int64_t>(1 + random.below(kAccounts));
    const Mark mark{participants_[participant], id, amount};
    transaction.marks.push_back(mark);
    transaction.steps.push_back(take_step(mark, "account", "id", "balance"));
    transaction.steps.push_back(mark_step(transaction.key, mark));
  }

  const std::vector<std::string> participants_;
};

}  // namespace

std::unique_ptr<Workload> make_transfers(std::vector<std::string> participants, std::string run) {
  return std::make_unique<Transfers>(std::move(participants), std::move(run));
}

}  // namespace assent::workload
