#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "coordinator/tools/text_out.h"
#include "coordinator/tools/words.h"

namespace assent::tools {
namespace {

std::string list_of(const std::vector<std::string>& sentences, std::string_view indent) {
  std::string text;
  for (const std::string& sentence : sentences) text += fmt::format("{}{}\n", indent, sentence);
  return text;
}

/// "1 transaction", "2 transactions".
std::string count_of(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Whose databases did not answer, of a list; nullptr: every database was asked, and a branch of
/// which nothing is said is of one that did not.
using Unreached = const std::vector<Error>*;

/// What the database says, in one cell.
std::string seen(const BranchTruth& branch, Unreached unreached) {
  const auto is_its = [&branch](const Error& error) {
    return error.participant == branch.xid.bqual;
  };
  if (!branch.sight) {
    const bool asked =
        unreached == nullptr || std::any_of(unreached->begin(), unreached->end(), is_its);
    return asked ? "not reached" : "not asked here; show asks it";
  }
  const BranchSight& sight = *branch.sight;
  std::string text = words_of(to_string(sight.completion));
  if (sight.evidence != Evidence::kNone) {
    text += fmt::format(" ({})", words_of(to_string(sight.evidence)));
  }
  if (sight.age > Duration::zero()) text += fmt::format(" for {}", age_of(sight.age));
  return text;
}

std::string blocks(const std::vector<BlockedSession>& blocked, std::string_view indent) {
  if (blocked.empty()) return "";
  std::vector<Row> rows;
  for (const BlockedSession& session : blocked) {
    rows.push_back({fmt::format("session {}", session.session), or_dash(session.user),
                    session.waiting > Duration::zero()
                        ? fmt::format("waits {}", age_of(session.waiting))
                        : "waits",
                    or_dash(session.lock), or_dash(session.query)});
  }
  const std::string_view or_more = blocked.size() == kBlockedMax ? " or more" : "";
  return fmt::format("{}blocks {}{}:\n", indent, blocked.size(), or_more) +
         table_of(rows, fmt::format("{}  ", indent));
}

/// What stands under a branch's line.
std::string details(const BranchTruth& branch) {
  constexpr std::string_view kIndent = "      ";
  std::string text;
  if (branch.damage) {
    text += fmt::format("{}{}: {}\n", kIndent, to_string(branch.damage->heuristic),
                        branch.damage->detail);
  }
  if (!branch.waits_for.empty()) text += fmt::format("{}waits for {}\n", kIndent, branch.waits_for);
  if (branch.tries > 0) {
    text += fmt::format("{}told {}", kIndent, count_of(branch.tries, "time"));
    if (branch.next_try_in > Duration::zero())
      text += fmt::format(", again in {}", age_of(branch.next_try_in));
    text += '\n';
  }
  if (branch.last_error)
    text += fmt::format("{}last error: {}\n", kIndent, sentence_of(*branch.last_error));
  if (!branch.sight) return text;
  if (branch.sight->error)
    text += fmt::format("{}the look: {}\n", kIndent, sentence_of(*branch.sight->error));
  return text + blocks(branch.sight->blocked, kIndent);
}

std::string branches_of(const InDoubtTransaction& transaction, Unreached unreached = nullptr) {
  if (transaction.branches.empty()) return "";
  std::vector<Row> rows{{"BRANCH", "LOG", "COORDINATOR", "DATABASE"}};
  for (const BranchTruth& branch : transaction.branches) {
    rows.push_back(
        {branch.xid.bqual, or_dash(branch.logged), or_dash(branch.state), seen(branch, unreached)});
  }
  // The lines of the table, each with its branch's details under it.
  const std::string table = table_of(rows, "    ");
  std::string text;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t end = table.find('\n', begin) + 1;
    text += table.substr(begin, end - begin);
    if (i > 0) text += details(transaction.branches[i - 1]);
    begin = end;
  }
  return text;
}

bool is_damaged(const InDoubtTransaction& transaction) {
  return std::any_of(transaction.branches.begin(), transaction.branches.end(),
                     [](const BranchTruth& branch) { return branch.damage.has_value(); });
}

std::string head_of(const InDoubtTransaction& transaction) {
  std::string text = to_string(transaction.gtrid);
  if (transaction.age > Duration::zero()) text += fmt::format("  age {}", age_of(transaction.age));
  // Not in the table: it has ended, or nobody knows it.
  if (transaction.phase != "none") text += fmt::format("  {}", words_of(transaction.phase));
  if (transaction.outcome) text += fmt::format("  {}", words_of(to_string(*transaction.outcome)));
  if (is_damaged(transaction)) text += "  damaged";
  if (!transaction.key.empty()) text += fmt::format("  key {}", transaction.key);
  return text + '\n';
}

std::string foreign_of(const std::vector<ForeignAt>& foreign) {
  if (foreign.empty()) return "";
  std::string text = fmt::format(
      "\nforeign branches ({}), of other transaction managers, never touched:\n", foreign.size());
  for (const ForeignAt& each : foreign) {
    text += fmt::format("  {}  {}", each.participant, or_dash(each.branch.name));
    if (each.branch.age > Duration::zero())
      text += fmt::format("  age {}", age_of(each.branch.age));
    text += '\n' + blocks(each.branch.blocked, "      ");
  }
  return text;
}

std::string unreached_of(const std::vector<Error>& unreached) {
  if (unreached.empty()) return "";
  std::string text = "\nnot reached; what these databases hold may be missing above:\n";
  for (const Error& error : unreached) text += fmt::format("  {}\n", sentence_of(error));
  return text;
}

std::string line_of(const StoryLine& line) {
  const std::string when = line.when ? time_of(*line.when) : "now";
  const std::string record = line.record == 0 ? "-" : fmt::format("record {}", line.record);
  return fmt::format("  {:<20}  {:<12}  {}\n", when, record, line.what);
}

std::string text_of(const Finding& finding) {
  std::string text = fmt::format("  {}\n", finding.what);
  if (!finding.at_stake.empty()) text += "    at stake:\n" + list_of(finding.at_stake, "      ");
  if (!finding.command.empty()) text += fmt::format("    to go on:\n      {}\n", finding.command);
  return text;
}

/// "ready" never stands alone where a person is needed.
std::string headline(const CoordinatorStatus& status) {
  const std::string who = "coordinator " + status.coordinator;
  if (!status.deposed.empty()) {
    return fmt::format("{} takes no new work: deposed by {}\n", who, status.deposed);
  }
  return fmt::format("{}: {}{}{}{}\n", who, status.ready ? "ready" : "not ready",
                     status.draining ? ", draining: it takes no new work" : "",
                     status.presumes ? "" : "; decisions may be missing from its log",
                     status.findings.empty() ? "" : "; needs a person, see below");
}

}  // namespace

std::string to_text(const InDoubtList& list) {
  std::string text;
  for (const InDoubtTransaction& each : list.transactions)
    text += head_of(each) + branches_of(each, &list.unreached);
  const std::size_t count = list.transactions.size();
  if (count == 0) text += "nothing is in doubt\n";
  if (list.more > 0) text += fmt::format("and {} more\n", list.more);
  if (count > 1) text += fmt::format("{} in all\n", count + list.more);
  return text + foreign_of(list.foreign) + unreached_of(list.unreached);
}

std::string to_text(const StoryTold& story) {
  std::string text;
  if (story.transaction) {
    text = head_of(*story.transaction) + branches_of(*story.transaction);
  }
  if (!story.lines.empty()) text += "\nstory\n";
  for (const StoryLine& line : story.lines) text += line_of(line);
  return text;
}

std::string to_text(const LogStats& log) {
  return table_of(
      {{"log records", fmt::format("{} to {}, newest forced {}", log.oldest, log.newest, log.top)},
       {"log size",
        fmt::format("{}, {} free beside it", bytes_of(log.bytes), bytes_of(log.disk_free))},
       {"log time", time_of(log.log_time)},
       {"removed up to", log.low_water ? to_string(*log.low_water) : "nothing yet"}});
}

std::string to_text(const CoordinatorStatus& status) {
  std::string text = headline(status);
  text += fmt::format("{} live, {} in doubt, {} damaged\n", count_of(status.live, "transaction"),
                      status.in_doubt, status.damaged);
  text += to_text(status.log);
  if (!status.holding_up.empty()) text += "\nwaits for\n" + list_of(status.holding_up, "  ");
  if (!status.findings.empty()) text += "\nneeds a person\n";
  for (const Finding& finding : status.findings) text += text_of(finding);
  return text;
}

std::string to_text(const ActionTold& action, const std::string& again) {
  std::string text;
  if (action.refused) {
    text = fmt::format("refused, nothing was done: {}\n", sentence_of(*action.refused));
  } else {
    text = action.acted ? "done\n" : "nothing is done yet; this would be done\n";
  }
  text += list_of(action.plan, "  ");
  if (action.evidence) {
    text += "\nevidence\n" + head_of(*action.evidence) + branches_of(*action.evidence);
  }
  const bool planned = !action.acted && !action.refused && !again.empty();
  if (planned) return text + fmt::format("\nto do it\n  {}\n", again);
  if (!action.next.empty()) text += fmt::format("\nto go on\n  {}\n", action.next);
  return text;
}

}  // namespace assent::tools
