#include "coordinator/tools/text_out.h"

#include <fmt/format.h>

#include <variant>
#include <vector>

#include "coordinator/tools/words.h"

namespace assent::tools {
namespace {

std::string names_of(const TransactionSummary& transaction) {
  std::vector<std::string> names;
  for (const BranchSummary& branch : transaction.branches)
    names.push_back(fmt::format("{}={}", branch.xid.bqual, branch.state));
  return fmt::format("{}", fmt::join(names, " "));
}

std::string damaged_names(const std::vector<Damage>& damaged) {
  std::vector<std::string> names;
  for (const Damage& damage : damaged) names.push_back(damage.participant);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string incarnation_of(const ParticipantSummary& participant) {
  return participant.incarnation == 0 ? "-" : fmt::format("{:016x}", participant.incarnation);
}

std::string prepared_of(const ParticipantSummary& participant) {
  if (participant.prepared_max == 0) return fmt::format("{}", participant.prepared_listed);
  return fmt::format("{}/{}", participant.prepared_listed, participant.prepared_max);
}

struct Shown {
  std::string operator()(std::monostate) const { return "NULL"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const Bytes& value) const {
    return fmt::format("({} bytes)", value.data.size());
  }
};

std::string rows_of(const StatementResult& result) {
  std::vector<Row> rows{result.columns};
  for (const auto& from : result.rows) {
    Row& row = rows.emplace_back();
    for (const Value& value : from) row.push_back(std::visit(Shown{}, value));
  }
  return table_of(rows);
}

}  // namespace

std::string to_text(const Answer& answer) {
  std::string text = words_of(to_string(answer.outcome));
  if (answer.gtrid) text += fmt::format(" {}", to_string(*answer.gtrid));
  if (!answer.damaged.empty()) text += ", damaged at " + damaged_names(answer.damaged);
  if (answer.error) text += fmt::format(": {}", sentence_of(*answer.error));
  if (!answer.pending.empty())
    text += fmt::format("; still to be told: {}", fmt::join(answer.pending, ", "));
  text += '\n';
  for (const Damage& damage : answer.damaged) {
    text += fmt::format("  {}: {}: {}\n", damage.participant, to_string(damage.heuristic),
                        damage.detail);
  }
  for (const StatementResult& result : answer.results) {
    if (!result.columns.empty()) text += rows_of(result);
  }
  return text;
}

std::string to_text(const TransactionList& list) {
  if (list.transactions.empty()) return "no unfinished transaction\n";
  std::vector<Row> rows{{"GTRID", "PHASE", "OUTCOME", "AGE", "KEY", "BRANCHES"}};
  for (const TransactionSummary& each : list.transactions) {
    rows.push_back({to_string(each.gtrid), each.phase, or_dash(each.outcome), age_of(each.age),
                    or_dash(each.key), names_of(each)});
  }
  std::string text = table_of(rows);
  if (list.more > 0) text += fmt::format("and {} more\n", list.more);
  return text;
}

std::string to_text(const ParticipantList& list) {
  std::vector<Row> rows{{"NAME", "AGENT", "HEALTH", "LINK", "SINCE", "INCARNATION", "KIND",
                         "VERSION", "OPEN", "PREPARED", "FOREIGN", "SCANNED"}};
  std::string errors;
  for (const ParticipantSummary& each : list.participants) {
    rows.push_back(
        {each.name, or_dash(each.agent_address), or_dash(each.health),
         each.connected ? "up" : "down", age_of(each.since), incarnation_of(each),
         or_dash(each.kind), or_dash(each.server_version), fmt::format("{}", each.open_branches),
         prepared_of(each), fmt::format("{}", each.foreign_listed),
         each.last_scan_ago > Duration::zero() ? fmt::format("{} ago", age_of(each.last_scan_ago))
                                               : "never"});
    if (each.last_error)
      errors += fmt::format("{}: {}\n", each.name, sentence_of(*each.last_error));
  }
  return table_of(rows) + (errors.empty() ? "" : "\nlast errors\n" + errors);
}

std::string to_text(const Error& error) {
  return sentence_of(error) + '\n';
}

}  // namespace assent::tools
