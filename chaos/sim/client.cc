#include "chaos/sim/client.h"

#include <chrono>
#include <utility>
#include <variant>

namespace assent::sim {
namespace {

using coordinator::RequestId;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = seconds(10);

Answer unknown() {
  Answer answer;
  answer.outcome = Outcome::kUnknown;
  return answer;
}

}  // namespace

Payer::Payer(World& world, Links& links, const Weather& weather, FindCoordinator find, Next next)
    : world_(world),
      links_(links),
      weather_(weather),
      find_(std::move(find)),
      next_(std::move(next)),
      process_(world, "payer") {
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
  if (!link_) {
    Coordinator* coordinator = find_();
    if (coordinator == nullptr) return ask_again();
    connect(*coordinator);
  }
  request_ = ++last_request_;
  asked_ = world_.now();
  link_->send(Link::Side::kCaller,
              [coordinator = coordinator_, session = session_, id = RequestId{request_},
               body = question()] { coordinator->request(session, id, body); });
  process_.in(kPatience, [this, request = request_] { on_silence(request); });
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

void Payer::connect(Coordinator& coordinator) {
  link_ = links_.make(world_, weather_);
  coordinator_ = &coordinator;
  link_->attach(Link::Side::kCaller, process_, [this](const Error&) { on_lost(); });
  session_ = coordinator.accept(
      link_, [this](RequestId request, const ClientReply& reply) { on_reply(request, reply); });
}

void Payer::on_reply(RequestId request, const ClientReply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer == nullptr || static_cast<std::uint64_t>(request) != request_) return;
  request_ = 0;
  take(*answer);
}

void Payer::on_silence(std::uint64_t request) {
  if (request_ != request) return;
  link_->close(Link::Side::kCaller);
  on_lost();
}

void Payer::on_lost() {
  link_.reset();
  if (std::exchange(request_, 0) != 0) take(unknown());
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
