// Idempotency keys: one key, one outcome (R15).

#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/reason.h"
#include "coordinator/core/request_rules.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

/// Who comes later is answered at once that it is in progress, which is never wrong (R14).
constexpr std::size_t kWaitersMax = 100;

Answer key_reused() {
  Answer answer;
  answer.outcome = Outcome::kRefused;
  answer.error = Error{.code = ErrorCode::kKeyReused,
                       .effect = assent::Effect::kNone,
                       .message =
                           "the idempotency key belongs to a request with other content; "
                           "choose a new key for a new transaction"};
  return answer;
}

Answer bare(Outcome outcome) {
  Answer answer;
  answer.outcome = outcome;
  return answer;
}

Answer refused(const Error& why) {
  Answer answer = bare(Outcome::kRefused);
  answer.error = why;
  return answer;
}

Error settled() {
  return {.code = ErrorCode::kSettled,
          .effect = assent::Effect::kNone,
          .message = "the key was bound to rolled back by settle"};
}

/// A key that was settled without a request is rolled back whatever would be asked under it.
bool is_about(const RollbackRecord& rollback, const RequestHash& hash) {
  if (rollback.request_hash == hash) return true;
  return rollback.gtrid.sequence == Sequence{0} && rollback.reason.code == ErrorCode::kSettled;
}

bool is_about(const Decided& decided, const RequestHash& hash) {
  if (const auto* commit = std::get_if<CommitRecord>(&decided.record)) {
    return commit->request_hash == hash;
  }
  return is_about(std::get<RollbackRecord>(decided.record), hash);
}

}  // namespace

bool Coordinator::answered_by_key(ClientRequested& asked, const std::string& key, Waiter waiter) {
  if (key.empty()) return false;
  waiter.wants_results = false;
  if (Transaction* tx = find_key(key)) {
    if (tx->request.hash == asked.hash) {
      join(*tx, waiter);
    } else {
      reply(asked.session, asked.request, key_reused());
    }
    return true;
  }
  if (const auto found = settlements_.find(key); found != settlements_.end()) {
    if (is_about(found->second.record, asked.hash)) {
      join(found->second, waiter);
    } else {
      reply(asked.session, asked.request, key_reused());
    }
    return true;
  }
  if (!asked.known) {
    const auto why = why_not_presume();
    if (why) reply(asked.session, asked.request, unknown_key(*why));
    return why.has_value();
  }
  reply(asked.session, asked.request,
        is_about(*asked.known, asked.hash) ? answer_from(*asked.known) : key_reused());
  return true;
}

void Coordinator::on_request(ClientRequested& asked, OutcomeOf& outcome_of) {
  const auto answer = [&](Answer what) { reply(asked.session, asked.request, std::move(what)); };
  const std::string& key = outcome_of.key;
  if (const auto complaint = complaint_about_key(key)) return answer(refused(*complaint));
  const Waiter waiter{asked.session, asked.request, WaitFor::kDecided,
                      now_.steady + config_.default_timeout};
  if (Transaction* tx = find_key(key)) {
    if (!outcome_of.settle) return answer(answer_of(*tx));
    if (tx->unbound()) settle(*tx);
    return join(*tx, waiter);
  }
  if (const auto found = settlements_.find(key); found != settlements_.end()) {
    if (!outcome_of.settle) return answer(bare(Outcome::kInProgress));
    return join(found->second, waiter);
  }
  if (asked.known) return answer(answer_from(*asked.known));
  if (const auto why = why_key_unknown()) return answer(unknown_key(*why));
  if (mutant("no record is rolled back")) return answer(bare(Outcome::kRolledBack));
  if (!outcome_of.settle) return answer(bare(Outcome::kNoRecord));
  bind_without_transaction(key, {}, std::nullopt, settled(), waiter);
}

void Coordinator::join(Transaction& tx, const Waiter& waiter) {
  if (tx.request.waiters.size() >= kWaitersMax) {
    return reply(waiter.session, waiter.request, answer_of(tx));
  }
  tx.request.waiters.push_back(waiter);
  answer_waiters(tx);
  drive(tx);
}

void Coordinator::join(Settlement& settlement, const Waiter& waiter) {
  if (settlement.waiters.size() >= kWaitersMax) {
    return reply(waiter.session, waiter.request, bare(Outcome::kInProgress));
  }
  settlement.waiters.push_back(waiter);
}

/// The caller drives the transaction on.
void Coordinator::settle(Transaction& tx) {
  if (tx.undecided()) {
    decide_rollback(tx, settled());
  } else {
    tx.reason = settled();
  }
  if (tx.unbound()) conclude_rollback(tx);
}

void Coordinator::bind_without_transaction(std::string key, const RequestHash& hash,
                                           std::optional<WallTime> not_after, Error reason,
                                           const Waiter& waiter) {
  Settlement& settlement = settlements_[key];
  settlement.waiters = {waiter};
  settlement.record = {{log_id_, epoch_, Sequence{0}}, key, hash, not_after, std::move(reason)};
  if (mutant("settled is told at once")) return on_durable(key);
  append_forced(settlement.record, std::move(key));
}

void Coordinator::on_durable(const std::string& key) {
  auto node = settlements_.extract(key);
  ASSENT_CHECK(!node.empty());
  const Settlement& settlement = node.mapped();
  const Answer answer = answer_from({settlement.record});
  for (const Waiter& waiter : settlement.waiters) reply(waiter.session, waiter.request, answer);
}

Transaction* Coordinator::find_key(const std::string& key) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return nullptr;
  Transaction* tx = find(found->second);
  ASSENT_CHECK(tx != nullptr);  // else a second transaction could be committed under the key
  return tx;
}

void Coordinator::hold_key(const std::string& key, const Gtrid& gtrid) {
  if (mutant("a live key is free")) return;
  if (!key.empty()) ASSENT_CHECK(keys_.emplace(key, gtrid).second);
}

void Coordinator::release_key(const Transaction& tx) {
  const auto found = keys_.find(tx.request.key);
  if (found != keys_.end() && found->second == tx.gtrid) keys_.erase(found);
}

/// The log's answer. A transaction that is in no table is finished everywhere, whether or not its
/// end record is durable yet.
Answer Coordinator::answer_from(const Decided& decided) {
  Answer answer;
  if (const auto* commit = std::get_if<CommitRecord>(&decided.record)) {
    answer.gtrid = commit->gtrid;
    answer.outcome = Outcome::kCommitted;
  } else {
    const auto& rollback = std::get<RollbackRecord>(decided.record);
    if (rollback.gtrid.sequence != Sequence{0}) answer.gtrid = rollback.gtrid;
    answer.outcome = outcome_of(rollback);
    answer.error = rollback.reason;
  }
  if (const Transaction* tx = answer.gtrid ? find(*answer.gtrid) : nullptr) {
    answer.pending = tx->pending();
  }
  if (answer.gtrid) answer.damaged = damage_of(*answer.gtrid);
  answer.applied = answer.pending.empty() && answer.damaged.empty();
  return answer;
}

Answer Coordinator::answer_of(const Transaction& tx) const {
  Answer answer = tx.answer();
  if (!tx.outcome) return answer;
  answer.damaged = damage_of(tx.gtrid);
  answer.applied = answer.applied && answer.damaged.empty();
  return answer;
}

}  // namespace assent::coordinator
