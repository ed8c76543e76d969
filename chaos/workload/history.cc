#include "chaos/workload/history.h"

#include <algorithm>
#include <ostream>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace assent::workload {
namespace {

boost::json::object as_json(const std::string& key, const Entry& entry, const Telling& telling) {
  boost::json::array marks;
  for (const Mark& mark : entry.marks) marks.push_back({mark.participant, mark.id, mark.amount});
  return {{"key", key},
          {"marks", std::move(marks)},
          {"asked_us", telling.asked.since_start.count()},
          {"told_us", telling.told.since_start.count()},
          {"outcome", to_string(telling.outcome)},
          {"why", telling.why}};
}

}  // namespace

Verdict Entry::verdict() const {
  const auto was_told = [this](Outcome outcome) {
    return std::any_of(tellings.begin(), tellings.end(),
                       [outcome](const Telling& telling) { return telling.outcome == outcome; });
  };
  if (was_told(Outcome::kCommitted)) return Verdict::kCommitted;
  if (was_told(Outcome::kRolledBack)) return Verdict::kNoEffect;
  // A refusal speaks for its own call only, and that nothing is known promises nothing about copies
  // under way: neither closes what an earlier call left open, nor opens anything.
  const bool nothing_open =
      std::all_of(tellings.begin(), tellings.end(), [](const Telling& telling) {
        return telling.outcome == Outcome::kRefused || telling.outcome == Outcome::kExpired ||
               telling.outcome == Outcome::kNoRecord;
      });
  return nothing_open ? Verdict::kNoEffect : Verdict::kOpen;
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

void History::note(const Transaction& transaction, Instant asked, Instant told,
                   const Answer& answer) {
  entries_[transaction.key].marks = transaction.marks;
  note(transaction.key, asked, told, answer);
}

void History::note(const std::string& key, Instant asked, Instant told, const Answer& answer) {
  entries_[key].tellings.push_back(
      {asked, told, answer.outcome, answer.error ? answer.error->message : std::string()});
}

void History::add(const History& other) {
  for (const auto& [key, theirs] : other.entries_) {
    Entry& ours = entries_[key];
    ours.marks = theirs.marks;
    ours.tellings.insert(ours.tellings.end(), theirs.tellings.begin(), theirs.tellings.end());
  }
}

std::vector<std::string> History::open() const {
  std::vector<std::string> open;
  for (const auto& [key, entry] : entries_) {
    if (entry.verdict() == Verdict::kOpen) open.push_back(key);
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

History History::of(const std::string& prefix) const {
  History part;
  for (auto at = entries_.lower_bound(prefix);
       at != entries_.end() && at->first.starts_with(prefix); ++at)
    part.entries_.insert(*at);
  return part;
}

void History::write(std::ostream& out) const {
  for (const auto& [key, entry] : entries_) {
    for (const Telling& telling : entry.tellings)
      out << boost::json::serialize(as_json(key, entry, telling)) << "\n";
  }
}

}  // namespace assent::workload
