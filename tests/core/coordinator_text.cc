#include "tests/core/coordinator_text.h"

#include <stdexcept>

#include "coordinator/core/wording.h"
#include "protocol/base/outcome.h"
#include "protocol/base/result.h"

namespace assent::coordinator {
namespace {

std::string ms(Duration d) {
  return std::to_string(d.count() / 1000) + "ms";
}

std::string error_text(const Error& error) {
  std::string out = "error=" + std::string(to_string(error.code));
  if (!error.participant.empty()) out += "@" + error.participant;
  if (error.step >= 0) out += " step=" + std::to_string(error.step);
  if (!error.sqlstate.empty()) out += " sqlstate=" + error.sqlstate;
  return out + " '" + error.message + "'";
}

std::string error_text(const std::optional<Error>& error) {
  return error ? " " + error_text(*error) : "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string proof_text(const BranchProof& proof) {
  std::string out = " proof=" + proof.database.id;
  if (proof.transaction_id != 0) out += ":" + std::to_string(proof.transaction_id);
  if (proof.witness_row) out += "+witness";
  return out;
}

// ---------------------------------------------------------------- to agents

std::string body(const Work& work) {
  std::string out = "work " + text(work.xid.gtrid) + " [";
  for (std::size_t i = 0; i < work.statements.size(); ++i) {
    if (i > 0) out += ' ';
    out += std::to_string(work.first_index + i) + ":" + work.statements[i].sql;
  }
  out += "]";
  out += work.then == AfterWork::kPrepare ? " then prepare" : " then stay open";
  if (work.access == Access::kReadOnly) out += " read-only";
  if (work.interactive) out += " interactive";
  return out + " lock_wait=" + ms(work.lock_wait) + " deadline=" + ms(work.deadline);
}

std::string body(const Prepare& prepare) {
  return "prepare " + text(prepare.xid.gtrid) +
         " statements=" + std::to_string(prepare.statements) + " deadline=" + ms(prepare.deadline);
}

std::string body(const Commit& commit) {
  return "commit " + text(commit.xid.gtrid) + proof_text(commit.proof);
}

std::string body(const Rollback& rollback) {
  return "rollback " + text(rollback.xid.gtrid) +
         (rollback.proof ? proof_text(*rollback.proof) : std::string());
}

std::string body(const ListPrepared& list) {
  return "list prepared, scan " + std::to_string(list.scan) +
         (list.log_top == kLogTop ? "" : ", fence row stays");
}

std::string body(const ForgetWitnesses& forget) {
  std::string out = "forget witnesses";
  for (const Gtrid& gtrid : forget.gtrids) out += " " + text(gtrid);
  return out;
}

std::string body(const Inspect& inspect) {
  std::string out = "inspect, serial " + std::to_string(inspect.serial);
  for (const BranchAsked& branch : inspect.branches) {
    out += " " + text(branch.xid.gtrid);
    if (branch.proof) out += proof_text(*branch.proof);
  }
  return out;
}

std::string body(const Ping&) {
  return "ping";
}

std::string line(const SendToAgent& send) {
  const auto& request = send.request;
  return send.participant + "#" + std::to_string(static_cast<std::uint64_t>(request.incarnation)) +
         " <- " + std::visit([](const auto& one) { return body(one); }, request.body) +
         " (lowest " + text(request.lowest_unfinished) + ")\n";
}

// ---------------------------------------------------------------- to clients

std::string rows(const std::vector<StatementResult>& results) {
  if (results.empty()) return "";
  std::string out = " rows=";
  for (std::size_t i = 0; i < results.size(); ++i) {
    out += (i == 0 ? "" : ",") + std::to_string(results[i].rows_affected);
  }
  return out;
}

std::string damage_text(const Damage& damage) {
  return " damaged=" + damage.participant + " (" + std::string(to_string(damage.heuristic)) + ": " +
         damage.detail + ")";
}

std::string body(const Answer& answer) {
  std::string out(to_string(answer.outcome));
  if (answer.gtrid) out += " " + text(*answer.gtrid);
  if (answer.applied) out += " applied";
  if (!answer.pending.empty()) out += " pending=" + joined(answer.pending);
  for (const Damage& damage : answer.damaged) out += damage_text(damage);
  return out + rows(answer.results) + error_text(answer.error) + "\n";
}

std::string body(const Begun& begun) {
  return "begun " + text(begun.gtrid) + "\n";
}

std::string body(const Executed& executed) {
  if (executed.error) return "not executed" + error_text(executed.error) + "\n";
  return "executed rows=" + std::to_string(executed.result.rows_affected) + "\n";
}

std::string line(const BranchSummary& branch) {
  std::string out = "      " + branch.xid.bqual + " " + branch.state;
  if (branch.tries > 0) out += " tries=" + std::to_string(branch.tries);
  if (branch.next_try_in > Duration{0}) out += " next_try_in=" + ms(branch.next_try_in);
  return out + error_text(branch.last_error) + "\n";
}

std::string line(const TransactionSummary& tx) {
  std::string out = "    " + text(tx.gtrid) + " " + tx.phase;
  if (!tx.key.empty()) out += " key=" + tx.key;
  if (tx.outcome) out += " outcome=" + std::string(to_string(*tx.outcome));
  out += " age=" + ms(tx.age) + error_text(tx.reason) + "\n";
  for (const auto& branch : tx.branches) out += line(branch);
  return out;
}

std::string body(const TransactionList& list) {
  std::string out = std::to_string(list.transactions.size()) + " transactions, " +
                    std::to_string(list.more) + " more\n";
  for (const auto& tx : list.transactions) out += line(tx);
  return out;
}

std::string body(const TransactionShown& shown) {
  return shown.transaction ? "shown\n" + line(*shown.transaction) : "no such transaction\n";
}

std::string line(const ParticipantSummary& participant) {
  std::string out = "    " + participant.name;
  out += participant.connected ? " connected" : " not connected";
  out += " since=" + ms(participant.since);
  if (!participant.database_id.empty()) out += " database=" + participant.database_id;
  out += " open=" + std::to_string(participant.open_branches) +
         " listed=" + std::to_string(participant.prepared_listed) +
         " foreign=" + std::to_string(participant.foreign_listed);
  if (!participant.health.empty()) out += " health=" + participant.health;
  return out + error_text(participant.last_error) + "\n";
}

std::string body(const ParticipantList& list) {
  std::string out = "participants\n";
  for (const auto& participant : list.participants) out += line(participant);
  return out;
}

std::string line(const BlockedSession& session) {
  return "        blocks " + std::to_string(session.session) + " " + session.user + ": " +
         session.query + "\n";
}

std::string line(const BranchTruth& branch) {
  std::string out = "      " + branch.xid.bqual + " logged=" + branch.logged +
                    " table=" + branch.state + " database=";
  out += branch.sight
             ? std::string(to_string(branch.sight->completion)) + " by " +
                   std::string(to_string(branch.sight->evidence)) + error_text(branch.sight->error)
             : "not reached";
  if (branch.damage) out += damage_text(*branch.damage);
  if (!branch.waits_for.empty()) out += " waits_for=" + branch.waits_for;
  if (branch.tries > 0) out += " tries=" + std::to_string(branch.tries);
  if (branch.next_try_in > Duration{0}) out += " next_try_in=" + ms(branch.next_try_in);
  out += error_text(branch.last_error) + "\n";
  if (branch.sight) {
    for (const BlockedSession& session : branch.sight->blocked) out += line(session);
  }
  return out;
}

std::string line(const InDoubtTransaction& tx) {
  std::string out = "    " + text(tx.gtrid) + " " + tx.phase;
  if (!tx.key.empty()) out += " key=" + tx.key;
  if (tx.outcome) out += " outcome=" + std::string(to_string(*tx.outcome));
  out += " age=" + ms(tx.age) + "\n";
  for (const BranchTruth& branch : tx.branches) out += line(branch);
  return out;
}

std::string body(const InDoubtList& list) {
  std::string out = std::to_string(list.transactions.size()) + " in doubt, " +
                    std::to_string(list.more) + " more\n";
  for (const auto& tx : list.transactions) out += line(tx);
  for (const ForeignAt& foreign : list.foreign) {
    out += "    foreign at " + foreign.participant + ": " + foreign.branch.name +
           " age=" + ms(foreign.branch.age) + "\n";
    for (const BlockedSession& session : foreign.branch.blocked) out += line(session);
  }
  for (const Error& error : list.unreached) out += "    unreached" + error_text(error) + "\n";
  return out;
}

std::string body(const StoryTold& story) {
  std::string out = "story\n";
  out += story.transaction ? line(*story.transaction) : "    no such transaction\n";
  for (const StoryLine& told : story.lines) {
    out += "    " + std::to_string(told.record) + " " + told.what + "\n";
  }
  return out;
}

std::string body(const ActionTold& action) {
  std::string out = action.refused ? "refused" + error_text(action.refused)
                    : action.acted ? "acted"
                                   : "would act";
  out += "\n";
  for (const std::string& sentence : action.plan) out += "    " + sentence + "\n";
  if (action.evidence) out += line(*action.evidence);
  if (!action.next.empty()) out += "    next: " + action.next + "\n";
  return out;
}

std::string body(const CoordinatorStatus& status) {
  std::string out = "status";
  out += status.ready ? " ready" : " not ready";
  if (status.draining) out += " draining";
  if (!status.presumes) out += " presumes nothing";
  if (!status.deposed.empty()) out += " deposed by " + status.deposed;
  out += " live=" + std::to_string(status.live) + " in_doubt=" + std::to_string(status.in_doubt) +
         " damaged=" + std::to_string(status.damaged) + "\n";
  for (const std::string& one : status.holding_up) out += "    waits for: " + one + "\n";
  for (const Finding& finding : status.findings) {
    out += "    finding: " + finding.what + "\n";
    for (const std::string& one : finding.at_stake) out += "      at stake: " + one + "\n";
    out += "      command: " + finding.command + "\n";
  }
  return out;
}

std::string line(const ReplyToClient& reply) {
  return "r" + std::to_string(static_cast<std::uint64_t>(reply.request)) + " <- " +
         std::visit([](const auto& one) { return body(one); }, reply.reply);
}

// ---------------------------------------------------------------- to the log

std::string key_text(const std::string& key) {
  return key.empty() ? "" : " key=" + key;
}

std::string body(const CommitRecord& record) {
  std::string out = "commit " + text(record.gtrid) + key_text(record.key) + " [";
  for (std::size_t i = 0; i < record.branches.size(); ++i) {
    out +=
        (i == 0 ? "" : ", ") + record.branches[i].xid.bqual + proof_text(record.branches[i].proof);
  }
  return out + "]";
}

std::string body(const RollbackRecord& record) {
  return "rollback " + text(record.gtrid) + key_text(record.key) + " " + error_text(record.reason);
}

std::string body(const EndRecord& record) {
  return "end " + text(record.gtrid);
}

std::string body(const HeuristicRecord& record) {
  return std::string(to_string(record.heuristic)) + " " + text(record.xid.gtrid) + "/" +
         record.xid.bqual + " against " + std::string(to_string(record.decision)) + " by " +
         std::string(to_string(record.evidence)) + ": " + record.detail;
}

std::string body(const HandRecord& record) {
  std::string out = "by hand " + std::string(to_string(record.action));
  if (record.gtrid) out += " " + text(*record.gtrid);
  if (!record.participant.empty()) out += "/" + record.participant;
  if (record.decision) out += " " + std::string(to_string(*record.decision));
  if (record.allowance) out += " " + std::string(to_string(*record.allowance));
  if (record.missing_to != 0) out += " missing to " + std::to_string(record.missing_to);
  for (const LogId id : record.lost_logs) out += " lost log " + to_string(id);
  if (record.above != Epoch{}) {
    out += " above epoch " + std::to_string(static_cast<std::uint32_t>(record.above));
  }
  for (const auto& participant : record.despite) out += " despite " + participant;
  for (const auto& sentence : record.evidence) out += " (" + sentence + ")";
  return out + " by " + record.by + ": " + record.reason;
}

std::string body(const LossRecord& record) {
  std::string out = "loss: " + record.what;
  if (record.missing_to != 0) out += ", missing to " + std::to_string(record.missing_to);
  return out;
}

std::string line(const AppendForced& append) {
  return "log <- force " + std::visit([](const auto& one) { return body(one); }, append.record) +
         "\n";
}

std::string line(const AppendUnforced& append) {
  return "log <- " + std::visit([](const auto& one) { return body(one); }, append.record) + "\n";
}

std::string line(const FindOutcomes& find) {
  std::string out = "log ?";
  for (const Gtrid& gtrid : find.gtrids) out += " " + text(gtrid);
  return out + "\n";
}

std::string line(const FindDecision& find) {
  return "log ? " + text(find.branch.xid.gtrid) + " listed by " + find.participant + "\n";
}

std::string line(const FindCommits& find) {
  const bool all = find.span.before == kNumberUnknown;
  return "log ? " + std::to_string(find.max) + " commits of " + find.participant +
         " after record " + std::to_string(find.span.after) +
         (all ? "" : " before record " + std::to_string(find.span.before)) + "\n";
}

std::string line(const CopyLog& copy) {
  return "log copied to " + copy.path + "\n";
}

std::string line(const CloseAgentLink& close) {
  return close.participant + " link closed: " + close.why.message + "\n";
}

std::string line(const Note& note) {
  static const char* const kLevels[] = {"info", "warning", "error"};
  return "note " + std::string(kLevels[static_cast<int>(note.level)]) + ": " + note.text + "\n";
}

}  // namespace

std::string text(const Gtrid& gtrid) {
  const std::string log = gtrid.log_id == kStoryLog ? "" : "~";
  return log + std::to_string(static_cast<std::uint32_t>(gtrid.epoch)) + "." +
         std::to_string(static_cast<std::uint64_t>(gtrid.sequence));
}

Gtrid gtrid_from(std::string_view text) {
  LogId log = kStoryLog;
  if (text.starts_with('~')) {
    log = kOtherLog;
    text.remove_prefix(1);
  }
  const auto dot = text.find('.');
  if (dot == std::string_view::npos)
    throw std::invalid_argument("not a gtrid: " + std::string(text));
  const auto epoch = std::stoul(std::string(text.substr(0, dot)));
  const auto sequence = std::stoull(std::string(text.substr(dot + 1)));
  return {log, Epoch{static_cast<std::uint32_t>(epoch)}, Sequence{sequence}};
}

std::string text(const Effect& effect) {
  return std::visit([](const auto& one) { return line(one); }, effect);
}

}  // namespace assent::coordinator
