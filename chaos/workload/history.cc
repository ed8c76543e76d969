#include "chaos/workload/history.h"

#include <algorithm>

namespace assent::workload {

Verdict Entry::verdict() const {
  const auto was_told = [this](Outcome outcome) {
    return std::any_of(tellings.begin(), tellings.end(),
                       [outcome](const Telling& telling) { return telling.outcome == outcome; });
  };
  if (was_told(Outcome::kCommitted)) return Verdict::kCommitted;
  if (was_told(Outcome::kRolledBack)) return Verdict::kNoEffect;
  // A refusal speaks for its own call only, so it does not close what an earlier call left open.
  const bool all_refused =
      std::all_of(tellings.begin(), tellings.end(), [](const Telling& telling) {
        return telling.outcome == Outcome::kRefused || telling.outcome == Outcome::kExpired;
      });
  return all_refused ? Verdict::kNoEffect : Verdict::kOpen;
}

Duration Entry::waited() const {
  if (tellings.empty()) return {};
  Instant first = tellings.front().asked;
  Instant last = tellings.front().told;
  for (const Telling& telling : tellings) {
    first = std::min(first, telling.asked);
    last = std::max(last, telling.told);
  }
  return last - first;
}

void History::note(const Payment& payment, Instant asked, Instant told, const Answer& answer) {
  Entry& entry = entries_[payment.key];
  entry.payment = payment;
  entry.tellings.push_back(
      {asked, told, answer.outcome, answer.error ? answer.error->message : std::string()});
}

void History::add(const History& other) {
  for (const auto& [key, theirs] : other.entries_) {
    Entry& ours = entries_[key];
    ours.payment = theirs.payment;
    ours.tellings.insert(ours.tellings.end(), theirs.tellings.begin(), theirs.tellings.end());
  }
}

std::vector<Payment> History::open() const {
  std::vector<Payment> open;
  for (const auto& [key, entry] : entries_) {
    if (entry.verdict() == Verdict::kOpen) open.push_back(entry.payment);
  }
  return open;
}

std::size_t History::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [verdict](const auto& each) { return each.second.verdict() == verdict; }));
}

Duration History::longest_wait() const {
  Duration longest{};
  for (const auto& [key, entry] : entries_) longest = std::max(longest, entry.waited());
  return longest;
}

}  // namespace assent::workload
