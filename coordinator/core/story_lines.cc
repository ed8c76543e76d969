#include "coordinator/core/story_lines.h"

#include <string>
#include <variant>

#include "coordinator/core/reason.h"

namespace assent::coordinator {
namespace {

std::string key_text(const std::string& key) {
  return key.empty() ? "" : ", key " + key;
}

std::string sentence(const CommitRecord& record) {
  std::string out = record.by_hand ? "commit was decided by hand" : "commit was decided";
  out += key_text(record.key) + "; branches:";
  if (record.branches.empty()) return out + " none that wrote";
  for (const DecidedBranch& branch : record.branches) {
    out += " " + branch.xid.bqual;
    if (branch.proof.transaction_id != 0) {
      out += " (transaction " + std::to_string(branch.proof.transaction_id) + ")";
    } else if (branch.proof.witness_row) {
      out += " (witness row)";
    }
  }
  return out;
}

std::string sentence(const RollbackRecord& record) {
  const std::string what = outcome_of(record) == Outcome::kExpired ? "the key was answered expired"
                                                                   : "rollback was decided";
  return what + key_text(record.key) + ": " + record.reason.message;
}

std::string sentence(const EndRecord& record) {
  std::string out = "nothing is left to be told";
  for (const BranchEnd& end : record.ends) {
    out += "; " + end.bqual + " shown by " + std::string(to_string(end.evidence));
  }
  return out;
}

std::string sentence(const HeuristicRecord& record) {
  return record.xid.bqual + ": " + std::string(to_string(record.heuristic)) +
         " against the decision " + std::string(to_string(record.decision)) + ": " + record.detail;
}

std::string what_was_done(const HandRecord& record) {
  const std::string decision = record.decision ? std::string(to_string(*record.decision)) : "";
  const std::string at = record.participant.empty() ? "" : " at " + record.participant;
  switch (record.action) {
    case HandAction::kResolve:
      return "asked for " + decision + " of the whole transaction";
    case HandAction::kFinish:
      return "said that the branch" + at + " is to end, or has ended, with " + decision;
    case HandAction::kForget:
      return "forgot the damage" + at;
    case HandAction::kAllow:
      return "allowed " + (record.allowance ? std::string(to_string(*record.allowance)) : "") + at;
  }
  return "did what a newer version knows";
}

std::string sentence(const HandRecord& record) {
  std::string out = "by hand: " + record.by + " " + what_was_done(record);
  if (!record.despite.empty()) {
    out += ", although not reached:";
    for (const std::string& name : record.despite) out += " " + name;
  }
  out += ", because: " + record.reason;
  for (const std::string& shown : record.evidence) out += "; shown then: " + shown;
  return out;
}

std::string sentence(const LossRecord& record) {
  return "decisions were found missing: " + record.what;
}

}  // namespace

StoryLine line_of(const ToldRecord& told) {
  return {told.number, told.log_time,
          std::visit([](const auto& record) { return sentence(record); }, told.record)};
}

}  // namespace assent::coordinator
