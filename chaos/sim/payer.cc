#include "chaos/sim/payer.h"

#include <chrono>
#include <string>
#include <utility>
#include <variant>

namespace assent::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Answer unknown() {
  Answer answer;
  answer.outcome = Outcome::kUnknown;
  return answer;
}

/// A not_after that is too far ahead stays so for long: clocks were set back since it was chosen.
bool is_the_last(const Answer& answer) {
  const bool refused_for_good = answer.outcome == Outcome::kRefused && answer.error &&
                                answer.error->code == ErrorCode::kInvalid;
  return refused_for_good || answer.outcome == Outcome::kCommitted ||
         answer.outcome == Outcome::kRolledBack || answer.outcome == Outcome::kExpired;
}

/// Declared as read-only, so a participant where nothing else is done has no second phase (R13).
Step look_step(const std::string& participant) {
  Step step;
  step.participant = participant;
  step.statement.sql = "SELECT points FROM card WHERE id = ?";
  step.statement.params = {std::int64_t{1}};
  step.statement.expect_rows = 1;
  step.read_only = true;
  return step;
}

std::vector<Step> steps_of(const Order& order) {
  std::vector<Step> steps;
  for (const std::string& participant : order.looked_at) steps.push_back(look_step(participant));
  for (Step& step : workload::steps_of(order.payment)) steps.push_back(std::move(step));
  return steps;
}

}  // namespace

Payer::Payer(World& world, Links& links, const Weather& weather, Client::FindCoordinator find,
             Next next, Judge judge)
    : world_(world),
      next_(std::move(next)),
      judge_(std::move(judge)),
      process_(world, "payer"),
      client_(process_, links, weather, std::move(find)) {
  process_.soon([this] { begin_next(); });
}

void Payer::begin_next() {
  order_ = next_();
  begun_ = false;
  done_ = !order_;
  if (done_) return;
  steps_ = steps_of(*order_);
  ask();
}

void Payer::go_on() {
  if (done_) begin_next();
}

void Payer::tell(const std::string& key, Outcome outcome) {
  if (!order_ || order_->payment.key != key) return;
  client_.give_up();
  ++turn_;
  open_.reset();
  Answer answer;
  answer.outcome = outcome;
  history_.note(order_->payment, asked_, world_.now(), answer);
  begin_next();
}

void Payer::ask() {
  asked_ = world_.now();
  const bool asked = client_.ask(open_ ? next_in_transaction() : question(),
                                 [this](const std::optional<ClientReply>& reply) {
                                   if (reply) return take(*reply);
                                   open_.reset();
                                   take(unknown());
                                 });
  if (!asked) ask_again();
}

/// The first begins the payment; later ones ask, bind the key, or begin again.
ClientRequest Payer::question() {
  const std::string& key = order_->payment.key;
  const std::uint64_t kind = world_.random().below(4);
  if (begun_ && kind < 2) {
    // Who may be later than the retention binds nothing: that it was committed may be forgotten.
    const bool settle = kind == 1 && !order_->not_after && world_.random().one_in(4);
    return OutcomeOf{key, settle};
  }
  begun_ = true;
  if (is_interactive()) return Begin{key, seconds(60)};
  return submit();
}

/// Always in the same way, whoever asks for it. A begin has no not_after.
bool Payer::is_interactive() const {
  return order_->payment.amount % 5 == 0 && !order_->not_after;
}

ClientRequest Payer::submit() const {
  Submit submit;
  submit.key = order_->payment.key;
  submit.wait = world_.random().one_in(2) ? WaitFor::kApplied : WaitFor::kDecided;
  submit.timeout = seconds(5);
  submit.not_after = order_->not_after;
  submit.steps = steps_;
  return submit;
}

ClientRequest Payer::next_in_transaction() {
  if (doomed_) return RollbackTransaction{*open_};
  if (next_step_ < steps_.size()) return Execute{*open_, steps_[next_step_++]};
  return CommitTransaction{*open_, WaitFor::kApplied, seconds(5)};
}

void Payer::take(const ClientReply& reply) {
  if (const auto* answer = std::get_if<Answer>(&reply)) {
    open_.reset();
    return take(*answer);
  }
  if (const auto* begun = std::get_if<Begun>(&reply)) {
    open_ = begun->gtrid;
    next_step_ = 0;
    doomed_ = false;
  } else {
    doomed_ = std::get<Executed>(reply).error.has_value();
  }
  if (world_.random().one_in(25)) return vanish();
  const Duration thought = world_.random().one_in(10) ? seconds(2) : milliseconds(50);
  later(thought, &Payer::ask);
}

/// In the middle of a transaction, without a word.
void Payer::vanish() {
  world_.trace("payer", order_->payment.key + " is left in the middle");
  client_.give_up();
  open_.reset();
  ask_again();
}

void Payer::take(Answer answer) {
  judge_(*order_, client_.asked(), answer);
  history_.note(order_->payment, asked_, world_.now(), answer);
  world_.trace("payer", order_->payment.key + " " + std::string(to_string(answer.outcome)) +
                            (answer.error ? ": " + answer.error->message : ""));
  if (!is_the_last(answer)) return ask_again();
  later(milliseconds(50), &Payer::begin_next);
}

void Payer::ask_again() {
  later(milliseconds(400), &Payer::ask);
}

void Payer::later(Duration at_most, void (Payer::*what)()) {
  process_.in(world_.random().between(milliseconds(1), at_most), [this, what, turn = ++turn_] {
    if (turn == turn_) (this->*what)();
  });
}

}  // namespace assent::sim
