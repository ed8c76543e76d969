// What people look at. Walks the tables: asked by people, not by payments.

#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/reason.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kListedMax = 1000;

TransactionSummary one_branch(const Gtrid& gtrid, const Participant& participant,
                              std::string phase) {
  TransactionSummary out;
  out.gtrid = gtrid;
  out.phase = phase;
  BranchSummary& branch = out.branches.emplace_back();
  branch.xid = {gtrid, participant.name};
  branch.state = std::move(phase);
  return out;
}

TransactionSummary summary_of(const Gtrid& gtrid, const Participant& participant,
                              const Orphan& orphan) {
  TransactionSummary out = one_branch(gtrid, participant, "orphan");
  out.branches.front().state = to_string(BranchState::kRollingBack);
  out.branches.front().tries = orphan.tries;
  out.branches.front().last_error = orphan.last_error;
  return out;
}

TransactionSummary summary_of(const Decided& decided) {
  TransactionSummary out;
  out.phase = to_string(Phase::kEnded);
  if (const auto* commit = std::get_if<CommitRecord>(&decided.record)) {
    out.gtrid = commit->gtrid;
    out.key = commit->key;
    out.outcome = Outcome::kCommitted;
    for (const DecidedBranch& decided_branch : commit->branches) {
      BranchSummary& branch = out.branches.emplace_back();
      branch.xid = decided_branch.xid;
      branch.state = to_string(BranchState::kDone);
    }
  } else {
    const auto& rollback = std::get<RollbackRecord>(decided.record);
    out.gtrid = rollback.gtrid;
    out.key = rollback.key;
    out.outcome = outcome_of(rollback);
    out.reason = rollback.reason;
  }
  return out;
}

}  // namespace

void Coordinator::on_request(ClientRequested& asked, ListTransactions&) {
  TransactionList list;
  const auto add = [&list](TransactionSummary summary) {
    if (list.transactions.size() < kListedMax) {
      list.transactions.push_back(std::move(summary));
    } else {
      ++list.more;
    }
  };
  // What no transaction of ours owns comes first: it is older than all of them, or needs a person.
  for (const auto& [name, participant] : participants_) {
    for (const auto& [gtrid, error] : participant.hazards) {
      TransactionSummary summary = one_branch(gtrid, participant, "hazard");
      summary.branches.front().last_error = error;
      add(std::move(summary));
    }
    for (const auto& [gtrid, held] : participant.held) {
      TransactionSummary summary = one_branch(gtrid, participant, "hazard");
      summary.age = held.listed.age + (now_.steady - held.at);
      summary.branches.front().last_error = Error{.code = ErrorCode::kHazard,
                                                  .effect = assent::Effect::kUnknown,
                                                  .message = "prepared and in doubt: " + held.why,
                                                  .participant = name};
      add(std::move(summary));
    }
    for (const auto& [gtrid, orphan] : participant.orphans) {
      add(summary_of(gtrid, participant, orphan));
    }
  }
  for (const auto& [gtrid, tx] : transactions_) add(tx.summary(now_.steady));
  reply(asked.session, asked.request, std::move(list));
}

void Coordinator::on_request(ClientRequested& asked, ShowTransaction& show) {
  TransactionShown shown;
  if (const Transaction* tx = find(show.gtrid)) {
    shown.transaction = tx->summary(now_.steady);
  } else if (asked.known) {
    shown.transaction = summary_of(*asked.known);
  }
  reply(asked.session, asked.request, std::move(shown));
}

void Coordinator::on_request(ClientRequested& asked, ListParticipants&) {
  ParticipantList list;
  for (const auto& [name, participant] : participants_) {
    list.participants.push_back(participant.summary(now_.steady));
  }
  reply(asked.session, asked.request, std::move(list));
}

void Coordinator::on_request(ClientRequested& asked, BackUpLog& backup) {
  effects_.push_back(CopyLog{asked.session, asked.request, std::move(backup.path)});
}

}  // namespace assent::coordinator
