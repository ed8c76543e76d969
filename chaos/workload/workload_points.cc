#include <cstdint>
#include <utility>

#include "chaos/workload/payment.h"
#include "chaos/workload/workloads.h"

namespace assent::workload {
namespace {

constexpr std::uint64_t kCards = 400;     // few enough that some run out of points
constexpr std::uint64_t kAmountMax = 30;  // taken, or given back: so it lasts for ever

class Points : public Workload {
 public:
  Points(std::vector<std::string> participants, std::string run)
      : Workload(std::move(run)), participants_(std::move(participants)) {}

  std::string name() const override { return "points"; }
  Table table() const override { return {"card", "id", "points"}; }
  std::vector<std::string> setup_sql(const std::string&) const override { return {}; }

  Transaction draw(Random& random) override {
    Payment payment;
    payment.key = next_key();
    payment.amount = static_cast<std::int64_t>(1 + random.below(kAmountMax));
    if (random.one_in(2)) payment.amount = -payment.amount;
    const std::uint64_t first = random.below(participants_.size());
    const std::uint64_t other = 1 + random.below(participants_.size() - 1);
    for (const std::uint64_t at : {first, (first + other) % participants_.size()})
      payment.legs.push_back({participants_[at], Balance::kPoints,
                              static_cast<std::int64_t>(1 + random.below(kCards))});
    Transaction transaction = payment;
    transaction.interactive = random.one_in(6);
    return transaction;
  }

 private:
  const std::vector<std::string> participants_;
};

}  // namespace

std::unique_ptr<Workload> make_points(std::vector<std::string> participants, std::string run) {
  return std::make_unique<Points>(std::move(participants), std::move(run));
}

}  // namespace assent::workload
