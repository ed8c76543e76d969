#include "tests/bench/assent_payer.h"

#include <random>
#include <stdexcept>
#include <utility>

#include "coordinator/client/client.h"

namespace assent::bench {
namespace {

class AssentPayer final : public Payer {
 public:
  AssentPayer(const std::string& coordinator, std::int64_t rows)
      : client_(connected(coordinator)), random_(std::random_device{}()), ids_(1, rows) {}

  void pay() override {
    Submission payment;
    payment.step("points", "UPDATE card SET points = points + 1 WHERE id=?", {ids_(random_)});
    payment.step("payments", "UPDATE bill SET due = due + 1 WHERE card_id=?", {ids_(random_)});
    const Answer answer = client_.submit(std::move(payment));
    if (answer.outcome == Outcome::kCommitted && answer.applied) return;
    throw std::runtime_error("a payment came out " + std::string(to_string(answer.outcome)) +
                             (answer.error ? ": " + answer.error->message : ", not yet applied"));
  }

 private:
  static Client connected(const std::string& coordinator) {
    auto client = Client::connect({.coordinator = coordinator, .application = "assent-bench"});
    if (client) return std::move(*client);
    throw std::runtime_error(client.error().message);
  }

  Client client_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::int64_t> ids_;
};

}  // namespace

std::unique_ptr<Payer> make_assent_payer(const std::string& coordinator, std::int64_t rows) {
  return std::make_unique<AssentPayer>(coordinator, rows);
}

}  // namespace assent::bench
