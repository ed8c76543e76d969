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
  Judge(const Evidence& before, const History& history, const Evidence& after,
        const Damaged& damaged)
      : before_(before), history_(history), after_(after), damaged_(damaged) {
    for (const auto& each : after_) {
      RowsByKey& rows = rows_[each.participant];
      for (const LedgerRow& row : each.ledger) rows[row.key].push_back(row);
    }
  }

  std::vector<Violation> judge_rows() {
    for (const auto& [key, entry] : history_.entries()) {
      check_tellings(key, entry);
      check_rows(key, entry);
    }
    for (const auto& each : after_) check_strangers(each);
    return std::move(found_);
  }

  std::vector<Violation> judge_balances() {
    for (std::size_t i = 0; i < after_.size(); ++i) check_balances(before_[i], after_[i]);
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

  // ---- one transaction

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
    std::size_t spared = 0;
    for (const Mark& mark : entry.marks) {
      const auto& found = rows(mark.participant, key);
      if (!found.empty()) ++present;
      if (found.size() > 1)
        violated("I5", key + " stands " + std::to_string(found.size()) +
                           " times in the ledger of " + mark.participant);
      for (const LedgerRow& row : found) check_content(key, mark, row);
      if (is_damaged(key, mark)) {
        spared += found.empty() ? 1 : 0;
      } else {
        check_verdict(key, entry, mark.participant, !found.empty());
      }
    }
    if (present != 0 && present + spared != entry.marks.size())
      violated("I1", key + " is in " + std::to_string(present) + " of " +
                         std::to_string(entry.marks.size()) + " ledgers");
  }

  void check_content(const std::string& key, const Mark& mark, const LedgerRow& row) {
    if (row.id == mark.id && row.amount == mark.amount) return;
    violated("I2", key + " at " + mark.participant + " took " + std::to_string(row.amount) +
                       " of " + std::to_string(row.id) + " instead of " +
                       std::to_string(mark.amount) + " of " + std::to_string(mark.id));
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
    const auto& marks = entry->second.marks;
    return std::any_of(marks.begin(), marks.end(),
                       [&](const Mark& mark) { return mark.participant == participant; });
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

  // ---- all of them

  /// Every participant gave what the transactions took from it: those acknowledged, and of the open
  /// ones those that any ledger shows.
  void check_totals() {
    std::map<std::string, std::int64_t> taken;
    for (const auto& [key, entry] : history_.entries()) {
      if (!took_place(key, entry)) continue;
      for (const Mark& mark : entry.marks) {
        const bool lost = is_damaged(key, mark) && rows(mark.participant, key).empty();
        if (!lost) taken[mark.participant] += mark.amount;
      }
    }
    for (std::size_t i = 0; i < after_.size(); ++i) {
      const std::int64_t given = before_[i].total() - after_[i].total();
      if (given == taken[after_[i].participant]) continue;
      violated("I4", after_[i].participant + " gave " + std::to_string(given) +
                         ", its transactions took " + std::to_string(taken[after_[i].participant]));
    }
  }

  bool took_place(const std::string& key, const Entry& entry) {
    if (entry.verdict() != Verdict::kOpen) return entry.verdict() == Verdict::kCommitted;
    return std::any_of(entry.marks.begin(), entry.marks.end(),
                       [&](const Mark& mark) { return !rows(mark.participant, key).empty(); });
  }

  bool is_damaged(const std::string& key, const Mark& mark) const {
    return damaged_.contains({key, mark.participant});
  }

  const Evidence& before_;
  const History& history_;
  const Evidence& after_;
  const Damaged& damaged_;
  std::map<std::string, RowsByKey> rows_;  // by participant
  std::vector<Violation> found_;
};

void require_same_participants(const Evidence& before, const Evidence& after) {
  ASSENT_CHECK(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    ASSENT_CHECK(before[i].participant == after[i].participant);
}

}  // namespace

std::vector<Violation> check_rows(const History& history, const Evidence& after,
                                  const Damaged& damaged) {
  static const Evidence kNothingBefore;  // rows are judged by the history alone
  return Judge(kNothingBefore, history, after, damaged).judge_rows();
}

std::vector<Violation> check_balances(const Evidence& before, const History& history,
                                      const Evidence& after, const Damaged& damaged) {
  require_same_participants(before, after);
  return Judge(before, history, after, damaged).judge_balances();
}

std::vector<Violation> check_left_behind(const Evidence& after,
                                         const std::vector<ForeignBranch>& foreign) {
  std::vector<Violation> found;
  const auto is_foreign = [&](const ParticipantEvidence& at, const std::string& name) {
    return std::any_of(foreign.begin(), foreign.end(), [&](const ForeignBranch& each) {
      return each.participant == at.participant && each.name == name;
    });
  };
  for (const ParticipantEvidence& at : after) {
    for (const std::string& branch : at.prepared) {
      if (!is_foreign(at, branch))
        found.push_back({"L1", "prepared at " + at.participant + ": " + branch});
    }
    for (const std::string& row : at.locked)
      found.push_back({"L2", "locked at " + at.participant + ": " + row});
  }
  return found;
}

std::vector<Violation> check(const Evidence& before, const History& history,
                             const Evidence& after) {
  std::vector<Violation> found = check_rows(history, after);
  for (auto& each : check_balances(before, history, after)) found.push_back(std::move(each));
  for (auto& each : check_left_behind(after)) found.push_back(std::move(each));
  return found;
}

}  // namespace assent::workload
