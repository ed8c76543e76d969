#include "chaos/sim/payer.h"

#include <chrono>
#include <string>
#include <utility>
#include <variant>

namespace assent::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Answer answer_of(const std::optional<ClientReply>& reply) {
  if (reply) return std::get<Answer>(*reply);
  Answer unknown;
  unknown.outcome = Outcome::kUnknown;
  return unknown;
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
  submitted_ = false;
  done_ = !payment_;
  if (!done_) ask();
}

void Payer::go_on() {
  if (done_) begin_next();
}

void Payer::ask() {
  asked_ = world_.now();
  const bool asked = client_.ask(
      question(), [this](const std::optional<ClientReply>& reply) { take(answer_of(reply)); });
  if (!asked) ask_again();
}

/// The first is always a submit; later ones ask, bind the key, or submit again.
ClientRequest Payer::question() {
  const std::uint64_t kind = world_.random().below(4);
  if (submitted_ && kind < 2)
    return OutcomeOf{payment_->key, kind == 1 && world_.random().one_in(4)};
  submitted_ = true;
  Submit submit;
  submit.key = payment_->key;
  submit.wait = world_.random().one_in(2) ? WaitFor::kApplied : WaitFor::kDecided;
  submit.timeout = seconds(5);
  submit.steps = workload::steps_of(*payment_);
  return submit;
}

void Payer::take(const Answer& answer) {
  history_.note(*payment_, asked_, world_.now(), answer);
  world_.trace("payer", payment_->key + " " + std::string(to_string(answer.outcome)) +
                            (answer.error ? ": " + answer.error->message : ""));
  const bool final =
      answer.outcome == Outcome::kCommitted || answer.outcome == Outcome::kRolledBack;
  if (!final) return ask_again();
  process_.in(world_.random().between(milliseconds(0), milliseconds(50)), [this] { begin_next(); });
}

void Payer::ask_again() {
  process_.in(world_.random().between(milliseconds(5), milliseconds(400)), [this] { ask(); });
}

}  // namespace assent::sim
