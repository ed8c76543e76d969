#include "tests/integration/support_till.h"

#include <utility>

namespace assent::testing {
namespace {

constexpr std::int64_t kCards = 9'900;
/// Behind those, for the payments that have to commit: no other takes their points. Several, since
/// one card pays only a hundred times.
constexpr std::int64_t kSpareCards = 100;
constexpr std::int64_t kAmountMax = 10;
constexpr std::int64_t kTooMuch = 101;  // no card has had more points than 100
constexpr std::int64_t kNoCard = 0;
constexpr int kEachFails = 10;  // of so many payments one has to fail in the first participant ...
constexpr int kFailsElsewhere = 5;  // ... and one, so many later, in the last

}  // namespace

Till::Till(Setup setup, const House::Adjust& adjust)
    : house_(std::move(setup), adjust), before_(live::read_evidence(house_.sandbox())) {}

std::unique_ptr<live::Payers> Till::pay(int payments, int clients) {
  live::PayersSpec spec;
  spec.coordinator = sandbox().coordinator_address();
  spec.clients = clients;
  spec.patience = 2 * kPatience;
  spec.interactive_every = 3;
  return std::make_unique<live::Payers>(
      spec, [this, left = payments]() mutable -> std::optional<workload::Transaction> {
        if (left == 0) return std::nullopt;
        --left;
        return draw();
      });
}

workload::Payment Till::draw() {
  std::uniform_int_distribution<std::int64_t> card(1, kCards);
  std::uniform_int_distribution<std::int64_t> amount(1, kAmountMax);
  const int turn = ++drawn_ % kEachFails;
  auto payment = house_.payment(card(random_), turn == 0 ? kTooMuch : amount(random_));
  if (turn == kFailsElsewhere) payment.legs.back().id = kNoCard;
  return payment;
}

std::string Till::settle_up(live::Payers& payers) {
  house_.mend();
  history_.add(payers.finish());
  house_.mend();
  live::resolve_open(history_, house_.client(), kPatience);
  std::string wrong;
  for (const auto& key : history_.open()) wrong += key + " has no outcome\n";
  const auto after = live::read_when_quiet(sandbox(), kPatience);
  for (const auto& each : workload::check(before_, history_, after))
    wrong += each.invariant + ": " + each.what + "\n";
  return wrong + why_not_one_more() + house_.take_ended_by_itself();
}

/// A refusal leaves the key free, and what became of an unanswered try is told to the next under
/// the same key. Rolled back is final, and nothing is left that may roll this payment back.
std::string Till::why_not_one_more() {
  const auto payment = house_.payment(kCards + 1 + more_++ % kSpareCards, 1);
  Answer answer;
  live::wait_until(
      [&] {
        answer = live::submit(house_.client(), payment, history_);
        return answer.outcome == Outcome::kCommitted || answer.outcome == Outcome::kRolledBack;
      },
      kPatience);
  if (answer.outcome == Outcome::kCommitted) return "";
  return payment.key + ", one more payment, was told " + std::string(to_string(answer.outcome)) +
         ": " + (answer.error ? answer.error->message : "no reason") + "\n" + house_.ends_of_logs();
}

}  // namespace assent::testing
