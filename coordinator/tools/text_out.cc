#include "coordinator/tools/text_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace assent::tools {
namespace {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell; the last is left as it is.
std::string table_of(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += row.back() + '\n';
  }
  return text;
}

std::string duration_of(Duration duration) {
  using std::chrono::duration_cast;
  const auto ms = duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 10'000) return fmt::format("{}ms", ms);
  if (ms < 600'000) return fmt::format("{}s", ms / 1000);
  if (ms < 36'000'000) return fmt::format("{}min", ms / 60'000);
  return fmt::format("{}h", ms / 3'600'000);
}

std::string sentence_of(const Error& error) {
  std::string_view message = error.message;
  if (message.ends_with('.')) message.remove_suffix(1);
  std::string text = fmt::format("{}: {}", to_string(error.code), message);
  if (!error.participant.empty()) text += fmt::format(", at {}", error.participant);
  if (error.step >= 0) text += fmt::format(", step {}", error.step);
  if (!error.sqlstate.empty()) text += fmt::format(" (SQLSTATE {})", error.sqlstate);
  return text;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string or_dash(const std::optional<Error>& error) {
  return error ? sentence_of(*error) : "-";
}

std::string words_of(Outcome outcome) {
  std::string words(to_string(outcome));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string names_of(const TransactionSummary& transaction) {
  std::vector<std::string> names;
  for (const BranchSummary& branch : transaction.branches)
    names.push_back(fmt::format("{}={}", branch.xid.bqual, branch.state));
  return fmt::format("{}", fmt::join(names, " "));
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
  std::string text = words_of(answer.outcome);
  if (answer.gtrid) text += fmt::format(" {}", to_string(*answer.gtrid));
  if (answer.error) text += fmt::format(": {}", sentence_of(*answer.error));
  if (!answer.pending.empty())
    text += fmt::format("; still to be told: {}", fmt::join(answer.pending, ", "));
  text += '\n';
  for (const StatementResult& result : answer.results) {
    if (!result.columns.empty()) text += rows_of(result);
  }
  return text;
}

std::string to_text(const TransactionList& list) {
  if (list.transactions.empty()) return "no unfinished transaction\n";
  std::vector<Row> rows{{"GTRID", "PHASE", "OUTCOME", "AGE", "KEY", "BRANCHES"}};
  for (const TransactionSummary& each : list.transactions) {
    rows.push_back({to_string(each.gtrid), each.phase,
                    each.outcome ? std::string(to_string(*each.outcome)) : "-",
                    duration_of(each.age), or_dash(each.key), names_of(each)});
  }
  std::string text = table_of(rows);
  if (list.more > 0) text += fmt::format("and {} more\n", list.more);
  return text;
}

std::string to_text(const TransactionSummary& transaction) {
  std::string text = table_of({
      {"gtrid", to_string(transaction.gtrid)},
      {"key", or_dash(transaction.key)},
      {"phase", transaction.phase},
      {"outcome", transaction.outcome ? std::string(to_string(*transaction.outcome)) : "-"},
      {"age", duration_of(transaction.age)},
      {"reason", or_dash(transaction.reason)},
  });
  if (transaction.branches.empty()) return text;
  std::vector<Row> rows{{"BRANCH", "STATE", "TRIES", "NEXT TRY IN", "LAST ERROR"}};
  for (const BranchSummary& branch : transaction.branches) {
    rows.push_back({branch.xid.bqual, branch.state, fmt::format("{}", branch.tries),
                    branch.next_try_in > Duration::zero() ? duration_of(branch.next_try_in) : "-",
                    or_dash(branch.last_error)});
  }
  return text + '\n' + table_of(rows);
}

std::string to_text(const ParticipantList& list) {
  std::vector<Row> rows{{"NAME", "AGENT", "LINK", "SINCE", "KIND", "VERSION", "OPEN", "PREPARED",
                         "FOREIGN", "SCANNED", "LAST ERROR"}};
  for (const ParticipantSummary& each : list.participants) {
    rows.push_back({each.name, or_dash(each.agent_address), each.connected ? "up" : "down",
                    duration_of(each.since), or_dash(each.kind), or_dash(each.server_version),
                    fmt::format("{}", each.open_branches), fmt::format("{}", each.prepared_listed),
                    fmt::format("{}", each.foreign_listed),
                    each.last_scan_ago > Duration::zero()
                        ? fmt::format("{} ago", duration_of(each.last_scan_ago))
                        : "-",
                    or_dash(each.last_error)});
  }
  return table_of(rows);
}

std::string to_text(const Error& error) {
  return sentence_of(error) + '\n';
}

}  // namespace assent::tools
