#include "chaos/workload/log_evidence.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "protocol/base/xid.h"

namespace assent::workload {
namespace {

using Kind = LogRecord::Kind;

// The text behind ` name="` or ` name=`; our keys need no escapes.
std::string value_of(std::string_view line, const std::string& name) {
  const auto begin = line.find(" " + name + "=");
  if (begin == std::string_view::npos) return {};
  std::string_view rest = line.substr(begin + name.size() + 2);
  const bool quoted = rest.starts_with('"');
  if (quoted) rest.remove_prefix(1);
  return std::string(rest.substr(0, rest.find(quoted ? '"' : ' ')));
}

Kind kind_of(std::string_view word) {
  if (word == "commit") return Kind::kCommit;
  if (word == "rollback") return Kind::kRollback;
  return word == "heuristic" ? Kind::kHeuristic : Kind::kOther;
}

class LogJudge {
 public:
  LogJudge(const LogEvidence& log, const History& history, const Evidence& after,
           const Damaged& damaged)
      : log_(log), history_(history), damaged_(damaged) {
    for (const ParticipantEvidence& each : after) {
      for (const LedgerRow& row : each.ledger) marked_.insert({row.key, each.participant});
    }
  }

  std::vector<Violation> judge() {
    for (const std::string& what : log_.wrong) violated("the log: " + what);
    check_density();
    for (const LogRecord& record : log_.records) take_decision(record);
    for (const auto& [key, entry] : history_.entries()) check_entry(key, entry);
    for (const WitnessRow& row : log_.witnesses) check_witness(row);
    for (const auto& [key, participant] : marked_) {
      if (decision_of(key) != Kind::kCommit)
        violated(key + " is in the ledger of " + participant + " and not committed in the log");
    }
    return std::move(found_);
  }

 private:
  void violated(std::string what) { found_.push_back({"I7", std::move(what)}); }

  void check_density() {
    for (std::size_t i = 1; i < log_.records.size(); ++i) {
      const std::uint64_t before = log_.records[i - 1].number;
      const std::uint64_t number = log_.records[i].number;
      if (number != before + 1)
        violated("record " + std::to_string(number) + " follows " + std::to_string(before));
    }
  }

  void take_decision(const LogRecord& record) {
    if (record.kind != Kind::kCommit && record.kind != Kind::kRollback) return;
    if (!record.gtrid.empty() && !by_gtrid_.emplace(record.gtrid, record.kind).second)
      violated("two decisions for " + record.gtrid);
    if (!record.key.empty() && !by_key_.emplace(record.key, record.kind).second)
      violated("two decisions for " + record.key);
  }

  Kind decision_of(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? Kind::kOther : found->second;
  }

  void check_entry(const std::string& key, const Entry& entry) {
    const Kind decision = decision_of(key);
    for (const Telling& telling : entry.tellings) {
      if (telling.outcome == Outcome::kCommitted && decision != Kind::kCommit)
        return violated(key + " was told committed, without a commit record");
      if (telling.outcome == Outcome::kRolledBack && decision != Kind::kRollback)
        return violated(key + " was told rolled_back, without a rollback record");
    }
    if (decision != Kind::kCommit) return;
    for (const Mark& mark : entry.marks) {
      const std::pair where(key, mark.participant);
      if (!marked_.contains(where) && !damaged_.contains(where))
        violated(key + " is committed in the log and not in the ledger of " + mark.participant);
    }
  }

  void check_witness(const WitnessRow& row) {
    const auto found = by_gtrid_.find(row.gtrid);
    if (found == by_gtrid_.end() || found->second != Kind::kCommit)
      violated(row.participant + " has a witness row of " + row.gtrid +
               ", which the log has not committed");
  }

  const LogEvidence& log_;
  const History& history_;
  const Damaged& damaged_;
  std::set<std::pair<std::string, std::string>> marked_;  // key, participant
  std::map<std::string, Kind> by_gtrid_;
  std::map<std::string, Kind> by_key_;
  std::vector<Violation> found_;
};

bool is_listed(const Evidence& evidence, const ForeignBranch& branch) {
  return std::any_of(evidence.begin(), evidence.end(), [&](const ParticipantEvidence& each) {
    return each.participant == branch.participant &&
           std::find(each.prepared.begin(), each.prepared.end(), branch.name) !=
               each.prepared.end();
  });
}

}  // namespace

std::optional<LogRecord> parse_log_line(std::string_view line) {
  std::istringstream words{std::string(line)};
  LogRecord record;
  std::string time, epoch, forced, kind, name;
  if (!(words >> record.number >> time >> epoch >> forced >> kind)) return std::nullopt;
  if (!epoch.starts_with("epoch=")) return std::nullopt;
  record.kind = kind_of(kind);
  if (record.kind == Kind::kOther) return record;
  words >> name;  // a gtrid; of a heuristic outcome gtrid/bqual
  const auto slash = name.find('/');
  record.gtrid = name.substr(0, slash);
  if (slash != std::string::npos) record.participant = name.substr(slash + 1);
  if (record.gtrid.ends_with("-0")) {
    record.gtrid.clear();  // a key was settled that no transaction had: the sequence is 0
  } else if (!parse_gtrid(record.gtrid)) {
    return std::nullopt;
  }
  record.key = value_of(line, "key");
  return record;
}

Damaged damaged_by_hand(const LogEvidence& log, const Injected& injected) {
  Damaged damaged;
  for (const HandMade& hand : injected.rolled_back) {
    for (const LogRecord& record : log.records) {
      if (record.kind == Kind::kCommit && record.gtrid == hand.gtrid)
        damaged.insert({record.key, hand.participant});
    }
  }
  return damaged;
}

std::vector<Violation> check_log(const LogEvidence& log, const History& history,
                                 const Evidence& after, const Damaged& damaged) {
  return LogJudge(log, history, after, damaged).judge();
}

std::vector<Violation> check_injected(const LogEvidence& log, const Injected& injected,
                                      const Evidence& after) {
  std::vector<Violation> found;
  for (const ForeignBranch& branch : injected.foreign) {
    if (!branch.taken_back && !is_listed(after, branch))
      found.push_back(
          {"I11", "the foreign branch " + branch.name + " is gone from " + branch.participant});
  }
  std::set<std::pair<std::string, std::string>> noticed;  // gtrid, participant
  std::set<std::string> committed;
  for (const LogRecord& record : log.records) {
    if (record.kind == Kind::kHeuristic) noticed.insert({record.gtrid, record.participant});
    if (record.kind == Kind::kCommit) committed.insert(record.gtrid);
  }
  for (const HandMade& hand : injected.rolled_back) {
    const bool was_noticed = noticed.erase({hand.gtrid, hand.participant}) != 0;
    if (committed.contains(hand.gtrid) && !was_noticed)
      found.push_back({"I12", "the branch of " + hand.gtrid + " at " + hand.participant +
                                  " was rolled back by hand, and nobody noticed"});
  }
  for (const PutBack& each : injected.put_back) {
    std::erase_if(noticed, [&](const auto& lost) { return lost.second == each.of; });
    if (!each.noticed)
      found.push_back({"I12", "what " + each.of + " stores was put back, and nobody noticed"});
  }
  for (const auto& [gtrid, participant] : noticed)
    found.push_back(
        {"I12", "a heuristic outcome of " + gtrid + " at " + participant + " that nothing caused"});
  return found;
}

}  // namespace assent::workload
