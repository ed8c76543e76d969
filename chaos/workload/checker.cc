#include "chaos/workload/checker.h"

#include <algorithm>
#include <map>
#include <utility>

#include "protocol/base/check.h"

namespace assent::workload {
namespace {

using RowsByKey = std::map<std::string, std::vector<LedgerRow>>;

class Judge {
 public:
  Judge(const Evidence& before, const History& history, const Evidence& after)
      : before_(before), history_(history), after_(after) {
    for (const auto& each : after_) {
      RowsByKey& rows = rows_[each.participant];
      for (const LedgerRow& row : each.ledger) rows[row.key].push_back(row);
    }
  }

  std::vector<Violation> judge() {
    for (const auto& [key, entry] : history_.entries()) {
      check_tellings(key, entry);
      check_rows(key, entry);
    }
    for (std::size_t i = 0; i < after_.size(); ++i) {
      check_strangers(after_[i]);
      check_balances(before_[i], after_[i]);
      check_left_behind(after_[i]);
    }
    check_totals();
    return std::move(found_);
  }

 private:
  void violated(const char* invariant, std::string what) {
    found_.push_back({invariant, std::move(what)});
  }

  const std::vector<LedgerRow>& rows(const std::string& participant, const std::string& key) {
    static const std::vector<LedgerRow> kNone;
    const RowsByKey& by_key = rows_[participant];
    const auto found = by_key.find(key);
    return found == by_key.end() ? kNone : found->second;
  }

  // ---- one payment

  void check_tellings(const std::string& key, const Entry& entry) {
    for (const Telling& first : entry.tellings) {
      if (first.outcome != Outcome::kCommitted && first.outcome != Outcome::kRolledBack) continue;
      for (const Telling& second : entry.tellings) check_pair(key, first, second);
    }
  }

  void check_pair(const std::string& key, const Telling& final, const Telling& other) {
    const std::string told = key + " was told " + std::string(to_string(final.outcome)) + " and ";
    const bool opposite =
        final.outcome == Outcome::kCommitted && other.outcome == Outcome::kRolledBack;
    if (opposite) violated("I6", told + std::string(to_string(other.outcome)));
    const bool forgotten =
        other.outcome == Outcome::kNoRecord || other.outcome == Outcome::kInProgress;
    if (forgotten && other.asked > final.told)
      violated("I6", told + "later " + std::string(to_string(other.outcome)));
  }

  void check_rows(const std::string& key, const Entry& entry) {
    std::size_t present = 0;
    for (const Leg& leg : entry.payment.legs) {
      const auto& found = rows(leg.participant, key);
      if (!found.empty()) ++present;
      if (found.size() > 1)
        violated("I5", key + " stands " + std::to_string(found.size()) +
                           " times in the ledger of " + leg.participant);
      for (const LedgerRow& row : found) check_content(entry.payment, leg, row);
      check_verdict(key, entry, leg.participant, !found.empty());
    }
    if (present != 0 && present != entry.payment.legs.size())
      violated("I1", key + " is in " + std::to_string(present) + " of " +
                         std::to_string(entry.payment.legs.size()) + " ledgers");
  }

  void check_content(const Payment& payment, const Leg& leg, const LedgerRow& row) {
    if (row.id == leg.id && row.amount == payment.amount) return;
    violated("I2", payment.key + " at " + leg.participant + " took " + std::to_string(row.amount) +
                       " of " + std::to_string(row.id) + " instead of " +
                       std::to_string(payment.amount) + " of " + std::to_string(leg.id));
  }

  void check_verdict(const std::string& key, const Entry& entry, const std::string& participant,
                     bool present) {
    const Verdict verdict = entry.verdict();
    if (verdict == Verdict::kCommitted && !present)
      violated("I2", key + " was acknowledged and is not in the ledger of " + participant);
    if (verdict == Verdict::kNoEffect && present)
      violated("I3", key + " was rolled back or refused and is in the ledger of " + participant);
  }

  // ---- one participant

  void check_strangers(const ParticipantEvidence& after) {
    for (const auto& [key, rows] : rows_[after.participant]) {
      if (!is_asked_of(key, after.participant))
        violated("I3", key + " is in the ledger of " + after.participant +
                           " and nobody asked for it there");
    }
  }

  bool is_asked_of(const std::string& key, const std::string& participant) const {
    const auto entry = history_.entries().find(key);
    if (entry == history_.entries().end()) return false;
    const auto& legs = entry->second.payment.legs;
    return std::any_of(legs.begin(), legs.end(),
                       [&](const Leg& leg) { return leg.participant == participant; });
  }

  void check_balances(const ParticipantEvidence& before, const ParticipantEvidence& after) {
    std::map<std::int64_t, std::int64_t> expected = before.balances;
    for (const LedgerRow& row : after.ledger) expected[row.id] -= row.amount;
    for (const auto& [id, balance] : after.balances) {
      const std::string where = std::to_string(id) + " at " + after.participant;
      if (balance < 0) violated("I4", where + " is below zero: " + std::to_string(balance));
      if (balance != expected[id])
        violated("I4", where + " stands at " + std::to_string(balance) + ", its ledger says " +
                           std::to_string(expected[id]));
    }
    if (after.balances.size() != expected.size())
      violated("I4", after.participant + " has " + std::to_string(after.balances.size()) +
                         " balances instead of " + std::to_string(expected.size()));
  }

  void check_left_behind(const ParticipantEvidence& after) {
    for (const std::string& branch : after.prepared)
      violated("L1", "prepared at " + after.participant + ": " + branch);
    for (const std::string& row : after.locked)
      violated("L2", "locked at " + after.participant + ": " + row);
  }

  // ---- all of them

  /// Every participant gave what the payments took from it: those acknowledged, and of the open
  /// ones those that any ledger shows.
  void check_totals() {
    std::map<std::string, std::int64_t> taken;
    for (const auto& [key, entry] : history_.entries()) {
      if (!took_place(key, entry)) continue;
      for (const Leg& leg : entry.payment.legs) taken[leg.participant] += entry.payment.amount;
    }
    for (std::size_t i = 0; i < after_.size(); ++i) {
      const std::int64_t given = before_[i].total() - after_[i].total();
      if (given == taken[after_[i].participant]) continue;
      violated("I4", after_[i].participant + " gave " + std::to_string(given) +
                         ", the payments took " + std::to_string(taken[after_[i].participant]));
    }
  }

  bool took_place(const std::string& key, const Entry& entry) {
    if (entry.verdict() != Verdict::kOpen) return entry.verdict() == Verdict::kCommitted;
    const auto& legs = entry.payment.legs;
    return std::any_of(legs.begin(), legs.end(),
                       [&](const Leg& leg) { return !rows(leg.participant, key).empty(); });
  }

  const Evidence& before_;
  const History& history_;
  const Evidence& after_;
  std::map<std::string, RowsByKey> rows_;  // by participant
  std::vector<Violation> found_;
};

void require_same_participants(const Evidence& before, const Evidence& after) {
  ASSENT_CHECK(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    ASSENT_CHECK(before[i].participant == after[i].participant);
}

}  // namespace

std::vector<Violation> check(const Evidence& before, const History& history,
                             const Evidence& after) {
  require_same_participants(before, after);
  return Judge(before, history, after).judge();
}

}  // namespace assent::workload
