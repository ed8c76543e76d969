// The fast path: a whole transaction in one message, in one or more attempts (sections 3 and 9).

#include <algorithm>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/request_rules.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

constexpr std::int64_t kWholeRate = 65'536;
constexpr std::int64_t kOrderedAbove = kWholeRate * 5 / 100;  ///< conflicts among attempts
/// Weight of one attempt in the rate. Ordered attempts say less about what optimistic ones would
/// meet: they only let the rate decay, until optimistic ones are tried again.
constexpr std::int64_t kOptimisticWeight = 64;
constexpr std::int64_t kOrderedWeight = 512;

Error expired() {
  return {.code = ErrorCode::kExpired,
          .effect = assent::Effect::kNone,
          .message = "the key's not_after has passed; this submit had no effect"};
}

}  // namespace

void Coordinator::on_request(ClientRequested& asked, Submit& submit) {
  const Duration timeout = timeout_or(submit.timeout, config_.default_timeout, config_.timeout_max);
  const Instant deadline = now_.steady + timeout;
  const Waiter waiter{asked.session, asked.request, submit.wait, deadline, true};
  Request request;
  request.waiters = {waiter};
  if (const auto complaint = complaint_about_length(submit.key)) return refuse(request, *complaint);
  // Keys come before any limit (R14) and any rule that a configuration may change: who asks again
  // must get the outcome.
  if (answered_by_key(asked, submit.key, waiter)) return;
  if (const auto complaint = complaint_about(submit, config_, log_time_)) {
    return refuse(request, *complaint);
  }
  if (clock_ && !submit.key.empty()) return refuse(request, *clock_);
  if (const auto why = why_key_unknown(); why && !submit.key.empty()) {
    return reply(asked.session, asked.request, unknown_key(*why));
  }
  const bool is_late = submit.not_after && log_time_ > *submit.not_after;
  if (is_late && !mutant("an expired key is a new one")) {
    // Bound, because after a restart the clock may say that there is time left (R15).
    return bind_without_transaction(std::move(submit.key), asked.hash, submit.not_after, expired(),
                                    waiter);
  }
  if (asked.busy) return refuse(request, *asked.busy);
  request.key = std::move(submit.key);
  request.hash = asked.hash;
  request.not_after = submit.not_after;
  request.results.resize(submit.steps.size());
  request.steps = std::move(submit.steps);
  request.deadline = deadline;
  const Form form = form_of_first_attempt(request);
  start_attempt(std::move(request), form);
}

/// One participant needs no order: its database sees every deadlock there can be. Shared reads need
/// one: their branch keeps its session open until all work is done, and sessions are as scarce as
/// locks; two pools whose sessions wait for each other's are a deadlock that no lock wait ends.
Form Coordinator::form_of_first_attempt(const Request& request) const {
  const auto elsewhere = [&request](const Step& step) {
    return step.participant != request.steps.front().participant;
  };
  const auto& steps = request.steps;
  const bool alone = std::none_of(steps.begin(), steps.end(), elsewhere);
  const bool shared_reads =
      std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.shared_reads; });
  const bool ordered = alone || shared_reads || conflict_rate_ > kOrderedAbove;
  return ordered ? Form::kOrdered : Form::kOptimistic;
}

void Coordinator::note_conflict(const Transaction& tx, bool conflict) {
  if (tx.branches.size() < 2) return;
  if (tx.form == Form::kOptimistic) {
    conflict_rate_ += ((conflict ? kWholeRate : 0) - conflict_rate_) / kOptimisticWeight;
  } else {
    conflict_rate_ -= conflict_rate_ / kOrderedWeight;
  }
}

void Coordinator::start_attempt(Request request, Form form) {
  if (const auto why = refusal(request)) return refuse(request, *why);
  const Gtrid gtrid = take_gtrid();
  Transaction& tx = transactions_.emplace_hint(transactions_.end(), gtrid, Transaction{})->second;
  tx.gtrid = gtrid;
  tx.form = form;
  tx.begun = now_.steady;
  tx.request = std::move(request);
  hold_key(tx.request.key, gtrid);
  if (form == Form::kOrdered) ++tx.request.ordered_attempts;
  enlist_steps(tx);
  drive(tx);
}

/// Nothing is left of the attempt before: the request, its key and those who wait go over to a new
/// gtrid.
void Coordinator::start_next_attempt(Transaction& tx) {
  release_key(tx);
  const Gtrid before = tx.gtrid;
  const Gtrid next = next_gtrid();
  Request request = std::move(tx.request);
  remove(tx);
  start_attempt(std::move(request), Form::kOrdered);
  if (find(next) != nullptr) note_next_attempt(before, next);
}

/// One branch for each participant, in the order of the names, which is the order in which ordered
/// attempts take their locks.
void Coordinator::enlist_steps(Transaction& tx) {
  const auto& steps = tx.request.steps;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    Participant& participant = *find_participant(steps[i].participant);
    Branch* branch = tx.find_branch(participant);
    if (branch == nullptr) {
      branch = &enlist(tx, participant);
      branch->access = Access::kReadOnly;
    }
    if (!steps[i].read_only) branch->access = Access::kReadWrite;
    if (steps[i].shared_reads) branch->shared_reads = true;
    branch->steps.push_back(i);
  }
  std::sort(tx.branches.begin(), tx.branches.end(), [](const Branch& a, const Branch& b) {
    return a.participant->name < b.participant->name;
  });
}

Branch& Coordinator::enlist(Transaction& tx, Participant& participant) {
  participant.branches.insert(participant.branches.end(), tx.gtrid);
  participant.remembered.insert(participant.remembered.end(), tx.gtrid);
  Branch& branch = tx.branches.emplace_back();
  branch.participant = &participant;
  return branch;
}

// ---------------------------------------------------------------- refusals: no effect

std::optional<Error> Coordinator::refusal(const Request& request) const {
  if (auto why = refusal_of_new_work()) return why;
  for (const Step& step : request.steps) {
    if (auto why = refusal_of(participants_.at(step.participant))) return why;
  }
  return std::nullopt;
}

std::optional<Error> Coordinator::refusal_of_new_work() const {
  if (auto why = why_not_presume()) return why;
  if (auto why = refusal_while_draining()) return why;
  if (frozen_) {
    return Error{.code = ErrorCode::kHazard,
                 .effect = assent::Effect::kNone,
                 .message = "no new work is taken since a violation was seen: " + frozen_->message,
                 .participant = frozen_->participant};
  }
  if (transactions_.size() < config_.transactions_max) return std::nullopt;
  return Error{.code = ErrorCode::kBusy,
               .effect = assent::Effect::kNone,
               .message = "as many transactions as transactions_max are unfinished; try later"};
}

std::optional<Error> Coordinator::refusal_of(const Participant& participant) const {
  if (!participant.connected) return participant.no_link();
  if (auto why = refusal_for_history(participant)) return why;
  if (participant.branches.size() < participant.branches_max(config_.branches_per_participant_max))
    return std::nullopt;
  return Error{.code = ErrorCode::kBusy,
               .effect = assent::Effect::kNone,
               .message = "as many branches as the participant may hold are unfinished; try later",
               .participant = participant.name};
}

void Coordinator::refuse(Request& request, const Error& why) {
  Answer answer;
  answer.outcome = Outcome::kRefused;
  answer.error = why;
  for (const Waiter& waiter : request.waiters) reply(waiter.session, waiter.request, answer);
}

}  // namespace assent::coordinator
