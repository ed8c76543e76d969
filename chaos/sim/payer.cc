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

/// Always in the same way, whoever asks for it.
bool is_interactive(const workload::Payment& payment) {
  return payment.amount % 5 == 0;
}

}  // namespace

Payer::Payer(World& world, Links& links, const Weather& weather, Client::FindCoordinator find,
             Next next)
    : world_(world),
      next_(std::move(next)),
      process_(world, "payer"),
      client_(process_, links, weather, std::move(find)) {
  process_.soon([this] { begin_next(); });
}

void Payer::begin_next() {
  payment_ = next_();
  begun_ = false;
  done_ = !payment_;
  if (done_) return;
  steps_ = workload::steps_of(*payment_);
  ask();
}

void Payer::go_on() {
  if (done_) begin_next();
}

void Payer::tell(const std::string& key, Outcome outcome) {
  if (!payment_ || payment_->key != key) return;
  client_.give_up();
  ++turn_;
  open_.reset();
  Answer answer;
  answer.outcome = outcome;
  history_.note(*payment_, asked_, world_.now(), answer);
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
  const std::uint64_t kind = world_.random().below(4);
  if (begun_ && kind < 2) return OutcomeOf{payment_->key, kind == 1 && world_.random().one_in(4)};
  begun_ = true;
  if (is_interactive(*payment_)) return Begin{payment_->key, seconds(60)};
  return submit();
}

ClientRequest Payer::submit() const {
  Submit submit;
  submit.key = payment_->key;
  submit.wait = world_.random().one_in(2) ? WaitFor::kApplied : WaitFor::kDecided;
  submit.timeout = seconds(5);
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
  const Duration thought = world_.random().one_in(10) ? seconds(2) : milliseconds(50);
  later(thought, &Payer::ask);
}

void Payer::take(const Answer& answer) {
  history_.note(*payment_, asked_, world_.now(), answer);
  world_.trace("payer", payment_->key + " " + std::string(to_string(answer.outcome)) +
                            (answer.error ? ": " + answer.error->message : ""));
  const bool final =
      answer.outcome == Outcome::kCommitted || answer.outcome == Outcome::kRolledBack;
  if (!final) return ask_again();
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
