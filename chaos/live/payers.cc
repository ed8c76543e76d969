#include "chaos/live/payers.h"

#include <algorithm>
#include <utility>

#include "protocol/base/time.h"

namespace assent::live {
namespace {

using workload::History;
using workload::Payment;
using workload::Verdict;

constexpr std::chrono::milliseconds kPause{20};  // before a refused payment is tried again

Instant now() {
  return read_clocks().steady;
}

Answer run_statements(Client& client, const Payment& payment, Duration timeout) {
  auto transaction = client.begin(payment.key, timeout);
  if (transaction.has_error()) return transaction.error();
  for (const Step& step : workload::steps_of(payment)) {
    if (transaction->execute(step).has_error()) return transaction->rollback();
  }
  return transaction->commit(WaitFor::kApplied, timeout);
}

void ask(History& history, Client& client, const Payment& payment) {
  Instant asked = now();
  Answer answer = client.outcome_of(payment.key);
  history.note(payment, asked, now(), answer);
  if (answer.outcome != Outcome::kNoRecord) return;
  // A copy of the submit may still be under way; settle ends that.
  asked = now();
  answer = client.settle(payment.key);
  history.note(payment, asked, now(), answer);
}

}  // namespace

Payers::Payers(PayersSpec spec, Next next)
    : spec_(std::move(spec)),
      next_(std::move(next)),
      running_(spec_.clients),
      histories_(static_cast<std::size_t>(spec_.clients)) {
  for (History& history : histories_) threads_.emplace_back([this, &history] { run(history); });
}

Payers::~Payers() {
  stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

Payers::Counts Payers::counts() const {
  Counts counts;
  counts.committed = committed_;
  counts.no_effect = no_effect_;
  counts.open = open_;
  counts.answered = counts.committed + counts.no_effect + counts.open;
  return counts;
}

History Payers::finish() {
  for (std::thread& thread : threads_) thread.join();
  History all;
  for (const History& history : histories_) all.add(history);
  return all;
}

void Payers::run(History& history) {
  std::optional<Client> client;
  for (int number = 1; !stopping_; ++number) {
    const auto payment = next();
    if (!payment) break;
    const bool interactive = spec_.interactive_every != 0 && number % spec_.interactive_every == 0;
    pay(client, *payment, interactive, history);
  }
  --running_;
}

std::optional<Payment> Payers::next() {
  const std::lock_guard lock(next_mutex_);
  return next_();
}

void Payers::pay(std::optional<Client>& client, const Payment& payment, bool interactive,
                 History& history) {
  const Instant give_up = now() + spec_.patience;
  Answer answer;
  do {
    // Without a connection nothing is asked, so there is nothing to note.
    if (connect(client)) {
      answer = interactive ? pay_interactively(*client, payment, history, spec_.call_timeout)
                           : submit(*client, payment, history, spec_.call_timeout);
      if (answer.outcome != Outcome::kRefused) break;
    }
    std::this_thread::sleep_for(kPause);
  } while (!stopping_ && now() < give_up);
  const auto entry = history.entries().find(payment.key);
  count(entry == history.entries().end() ? Verdict::kNoEffect : entry->second.verdict());
}

bool Payers::connect(std::optional<Client>& client) {
  if (client) return true;
  auto connected = Client::connect(
      {.coordinator = spec_.coordinator, .application = "payers", .timeout = spec_.call_timeout});
  if (connected) client.emplace(std::move(*connected));
  return client.has_value();
}

void Payers::count(Verdict verdict) {
  switch (verdict) {
    case Verdict::kCommitted:
      ++committed_;
      return;
    case Verdict::kNoEffect:
      ++no_effect_;
      return;
    case Verdict::kOpen:
      ++open_;
      return;
  }
}

bool is_linked(Client& client) {
  const auto list = client.participants();
  return list && std::all_of(list->participants.begin(), list->participants.end(),
                             [](const ParticipantSummary& each) { return each.health == kWell; });
}

Answer submit(Client& client, const Payment& payment, History& history, Duration timeout) {
  Submission submission;
  submission.key = payment.key;
  submission.timeout = timeout;
  submission.steps = workload::steps_of(payment);
  const Instant asked = now();
  Answer answer = client.submit(std::move(submission));
  history.note(payment, asked, now(), answer);
  return answer;
}

Answer pay_interactively(Client& client, const Payment& payment, History& history,
                         Duration timeout) {
  const Instant asked = now();
  Answer answer = run_statements(client, payment, timeout);
  history.note(payment, asked, now(), answer);
  return answer;
}

bool resolve_open(History& history, Client& client, std::chrono::milliseconds patience) {
  const Instant give_up = now() + patience;
  for (auto open = history.open(); !open.empty(); open = history.open()) {
    for (const Payment& payment : open) ask(history, client, payment);
    if (now() >= give_up) break;
    std::this_thread::sleep_for(kPause);
  }
  return history.open().empty();
}

}  // namespace assent::live
