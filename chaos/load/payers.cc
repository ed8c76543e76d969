#include "chaos/load/payers.h"

#include <algorithm>
#include <utility>

#include "chaos/load/vanish.h"
#include "protocol/base/time.h"

namespace assent::live {
namespace {

using workload::History;
using workload::Transaction;
using workload::Verdict;

constexpr std::chrono::milliseconds kPause{20};  // of who was refused, or told nothing

Instant now() {
  return read_clocks().steady;
}

Answer run_statements(Client& client, const Transaction& asked, Duration timeout) {
  auto transaction = client.begin(asked.key, timeout);
  if (transaction.has_error()) return transaction.error();
  const auto execute = [&](const Step& step) { return transaction->execute(step); };
  if (workload::carry_out(asked, execute).has_error()) return transaction->rollback();
  return transaction->commit(WaitFor::kApplied, timeout);
}

Answer ask(History& history, Client& client, const std::string& key) {
  const Instant asked = now();
  Answer answer = client.outcome_of(key);
  history.note(key, asked, now(), answer);
  return answer;
}

void resolve(History& history, Client& client, const std::string& key) {
  if (ask(history, client, key).outcome != Outcome::kNoRecord) return;
  // A copy of the submit may still be under way; settle ends that.
  const Instant asked = now();
  const Answer answer = client.settle(key);
  history.note(key, asked, now(), answer);
}

bool is_turn(int number, int every) {
  return every != 0 && number % every == 0;
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
    auto transaction = next();
    if (!transaction) break;
    if (is_turn(number, spec_.interactive_every)) transaction->interactive = true;
    if (is_turn(number, spec_.vanish_every)) {
      // By its number alone, so that the draws of a seed stay what they are.
      vanish(spec_.coordinator, *transaction, std::chrono::milliseconds(number % 23), history);
      ++open_;
      continue;
    }
    pay(client, *transaction, history);
    if (client && is_turn(number, spec_.ask_every))
      ask_after_another(*client, *transaction, history);
  }
  --running_;
}

std::optional<Transaction> Payers::next() {
  const std::lock_guard lock(next_mutex_);
  return next_();
}

void Payers::pay(std::optional<Client>& client, const Transaction& transaction, History& history) {
  const Instant give_up = now() + spec_.patience;
  do {
    // Without a connection nothing is asked, so there is nothing to note.
    if (connect(client)) {
      const Instant asked = now();
      const Answer answer =
          transaction.interactive
              ? pay_interactively(*client, transaction, history, spec_.call_timeout)
              : submit(*client, transaction, history, spec_.call_timeout);
      if (spec_.meter != nullptr) spec_.meter->note(answer.outcome, now() - asked);
      if (answer.outcome == Outcome::kUnknown) std::this_thread::sleep_for(kPause);
      if (answer.outcome != Outcome::kRefused) break;
    }
    std::this_thread::sleep_for(kPause);
  } while (!stopping_ && now() < give_up);
  const auto entry = history.entries().find(transaction.key);
  count(entry == history.entries().end() ? Verdict::kNoEffect : entry->second.verdict());
}

void Payers::ask_after_another(Client& client, const Transaction& transaction, History& history) {
  Transaction other;
  {
    const std::lock_guard lock(answered_mutex_);
    other = std::exchange(answered_, transaction);
  }
  if (other.key.empty()) return;
  const Instant asked = now();
  const Answer answer = client.outcome_of(other.key);
  history.note(other, asked, now(), answer);
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

Answer submit(Client& client, const Transaction& transaction, History& history, Duration timeout) {
  Submission submission;
  submission.key = transaction.key;
  submission.timeout = timeout;
  submission.steps = transaction.steps;
  const Instant asked = now();
  Answer answer = client.submit(std::move(submission));
  history.note(transaction, asked, now(), answer);
  return answer;
}

Answer pay_interactively(Client& client, const Transaction& transaction, History& history,
                         Duration timeout) {
  const Instant asked = now();
  Answer answer = run_statements(client, transaction, timeout);
  history.note(transaction, asked, now(), answer);
  return answer;
}

bool resolve_open(History& history, Client& client, std::chrono::milliseconds patience) {
  const Instant give_up = now() + patience;
  for (auto open = history.open(); !open.empty(); open = history.open()) {
    for (const std::string& key : open) resolve(history, client, key);
    if (now() >= give_up) break;
    std::this_thread::sleep_for(kPause);
  }
  return history.open().empty();
}

void ask_again(History& history, Client& client) {
  std::vector<std::string> keys;
  for (const auto& [key, entry] : history.entries()) keys.push_back(key);
  for (const std::string& key : keys) ask(history, client, key);
}

}  // namespace assent::live
