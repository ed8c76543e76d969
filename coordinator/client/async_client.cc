#include "coordinator/client/async_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <variant>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "coordinator/client/await_callback.h"
#include "coordinator/client/call_link.h"
#include "coordinator/client/random_key.h"
#include "protocol/base/time.h"
#include "protocol/channel/backoff.h"

namespace assent {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// The coordinator answers at the timeout that it was told; its answer takes this long to arrive at
/// most (R11: timeouts nest).
constexpr Duration kAnswerSlack = seconds(1);
constexpr Duration kRetryFirst = milliseconds(20);
constexpr Duration kRetryLongest = milliseconds(500);
constexpr Duration kInteractiveTimeout = seconds(30);

std::uint64_t random_bits() {
  thread_local std::mt19937_64 source{std::random_device{}()};
  return source();
}

Instant steady_now() {
  return read_clocks().steady;
}

Error error_of(ErrorCode code, Effect effect, std::string message) {
  Error error;
  error.code = code;
  error.effect = effect;
  error.message = std::move(message);
  return error;
}

Answer answer_of(Outcome outcome, Error error) {
  Answer answer;
  answer.outcome = outcome;
  answer.error = std::move(error);
  return answer;
}

Answer unknown(Error error) {
  error.effect = Effect::kUnknown;
  return answer_of(Outcome::kUnknown, std::move(error));
}

Answer refused(Error error) {
  error.effect = Effect::kNone;
  return answer_of(Outcome::kRefused, std::move(error));
}

Error unexpected_reply() {
  return error_of(ErrorCode::kInvalid, Effect::kUnknown,
                  "the coordinator answered with something else than was asked for");
}

/// A copy of the request that was sent earlier may still be on its way to the coordinator, unread.
/// So to a repeat "refused" and "no record" say nothing of the key (R15).
bool is_final_for_repeat(Outcome outcome) {
  return outcome != Outcome::kRefused && outcome != Outcome::kNoRecord;
}

}  // namespace

class AsyncClient::Impl {
 public:
  Impl(boost::asio::io_context& io, ClientOptions options)
      : io_(io), options_(std::move(options)), link_(CallLink::make(io, options_)) {}

  using Self = std::shared_ptr<Impl>;

  // Coroutines take what they need by value and keep the Impl alive; the client may be destroyed
  // while they wait.
  static awaitable<Result<>> connect(Self self);
  static awaitable<Answer> submit(Self self, Submission submission);
  /// Patient: goes on trying to connect until the timeout.
  static awaitable<Answer> ask_outcome(Self self, OutcomeOf question, Duration timeout,
                                       bool patient = false);
  static awaitable<Result<OpenTransaction>> begin(Self self, std::string key, Duration timeout);
  static awaitable<Result<StatementResult>> execute(Self self, OpenTransaction transaction,
                                                    Step step);
  static awaitable<Answer> commit(Self self, OpenTransaction transaction, WaitFor wait,
                                  Duration timeout);
  static awaitable<Answer> rollback(Self self, OpenTransaction transaction);
  template <typename Reply>
  static awaitable<Result<Reply>> ask(Self self, ClientRequest request);

  void close() { link_->close(); }
  Duration timeout() const { return options_.timeout; }

 private:
  static awaitable<Result<ClientReply>> call(Self self, ClientRequest request, Instant deadline);
  static awaitable<Answer> send_until_answered(Self self, Submit request, Instant deadline);
  static awaitable<void> pause(Self self, Duration wait, Instant deadline);

  Duration or_default(Duration timeout) const {
    return timeout > Duration::zero() ? timeout : options_.timeout;
  }

  boost::asio::io_context& io_;
  const ClientOptions options_;
  const std::shared_ptr<CallLink> link_;
};

awaitable<Result<>> AsyncClient::Impl::connect(Self self) {
  if (self->link_->is_open()) co_return Result<>();
  auto start = [link = self->link_](CallLink::OnConnected done) { link->connect(std::move(done)); };
  co_return co_await await_callback<Result<>>(std::move(start));
}

/// While the link is open.
awaitable<Result<ClientReply>> AsyncClient::Impl::call(Self self, ClientRequest request,
                                                       Instant deadline) {
  auto start = [link = self->link_, request = std::move(request),
                deadline](CallLink::OnReply done) mutable {
    link->call(std::move(request), deadline, std::move(done));
  };
  co_return co_await await_callback<Result<ClientReply>>(std::move(start));
}

awaitable<void> AsyncClient::Impl::pause(Self self, Duration wait, Instant deadline) {
  const Duration left = deadline - steady_now();
  boost::asio::steady_timer timer(self->io_, std::min(wait, left));
  co_await timer.async_wait(boost::asio::use_awaitable);
}

awaitable<Answer> AsyncClient::Impl::submit(Self self, Submission submission) {
  Submit request;
  request.key = submission.key.empty() ? random_key() : std::move(submission.key);
  request.wait = submission.wait;
  request.timeout = self->or_default(submission.timeout);
  request.not_after = submission.not_after;
  request.steps = std::move(submission.steps);
  if (auto connected = co_await connect(self); connected.has_error())
    co_return refused(connected.error());
  const Instant deadline = steady_now() + request.timeout;
  co_return co_await send_until_answered(self, std::move(request), deadline);
}

/// From here on bytes of the submit may have left: only the coordinator's answer says what became
/// of it.
awaitable<Answer> AsyncClient::Impl::send_until_answered(Self self, Submit request,
                                                         Instant deadline) {
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  Error last;
  for (bool repeat = false;; repeat = true) {
    const auto connected = co_await connect(self);
    if (connected.has_error()) {
      last = connected.error();
    } else {
      request.timeout = std::max<Duration>(deadline - steady_now(), milliseconds(1));
      ClientRequest copy = request;
      auto reply = co_await call(self, std::move(copy), deadline + kAnswerSlack);
      if (reply.has_error()) {
        last = reply.error();
        if (last.effect == Effect::kNone && !repeat) co_return refused(last);
        if (last.code == ErrorCode::kTimeout) co_return unknown(last);
      } else {
        auto* answer = std::get_if<Answer>(&*reply);
        if (answer == nullptr) co_return unknown(unexpected_reply());
        if (!repeat || is_final_for_repeat(answer->outcome)) co_return std::move(*answer);
        last = answer->error.value_or(Error{});
      }
    }
    if (steady_now() >= deadline) co_return unknown(last);
    co_await pause(self, backoff.next(), deadline);
  }
}

awaitable<Answer> AsyncClient::Impl::ask_outcome(Self self, OutcomeOf question, Duration timeout,
                                                 bool patient) {
  const Instant deadline = steady_now() + timeout;
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  Error last;
  for (;;) {
    const auto connected = co_await connect(self);
    if (connected.has_error()) {
      last = connected.error();
      if (!patient) co_return unknown(last);
    } else {
      ClientRequest request = question;
      auto reply = co_await call(self, std::move(request), deadline);
      if (!reply.has_error()) {
        auto* answer = std::get_if<Answer>(&*reply);
        co_return answer != nullptr ? std::move(*answer) : unknown(unexpected_reply());
      }
      last = reply.error();
      if (last.code != ErrorCode::kConnectionLost) co_return unknown(last);
    }
    if (steady_now() >= deadline) co_return unknown(last);
    co_await pause(self, backoff.next(), deadline);
  }
}

awaitable<Result<OpenTransaction>> AsyncClient::Impl::begin(Self self, std::string key,
                                                            Duration timeout) {
  if (timeout <= Duration::zero()) timeout = kInteractiveTimeout;
  if (auto connected = co_await connect(self); connected.has_error()) co_return connected.error();
  // Requests are named before they are awaited: g++ 12 destroys one written inside twice.
  ClientRequest request = Begin{key, timeout};
  auto reply = co_await call(self, std::move(request), steady_now() + self->options_.timeout);
  if (reply.has_error()) {
    // A transaction without a commit comes to nothing.
    Error error = reply.error();
    error.effect = Effect::kNone;
    co_return error;
  }
  if (const auto* begun = std::get_if<Begun>(&*reply))
    co_return OpenTransaction{begun->gtrid, std::move(key), timeout};
  if (const auto* answer = std::get_if<Answer>(&*reply); answer != nullptr && answer->error)
    co_return *answer->error;
  co_return unexpected_reply();
}

awaitable<Result<StatementResult>> AsyncClient::Impl::execute(Self self,
                                                              OpenTransaction transaction,
                                                              Step step) {
  if (!self->link_->is_open())
    co_return error_of(ErrorCode::kConnectionLost, Effect::kNone,
                       "the connection of this transaction ended, so it is rolled back");
  ClientRequest request = Execute{transaction.gtrid, std::move(step)};
  auto reply =
      co_await call(self, std::move(request), steady_now() + transaction.timeout + kAnswerSlack);
  if (reply.has_error()) {
    Error error = reply.error();
    error.effect = Effect::kNone;
    co_return error;
  }
  if (auto* executed = std::get_if<Executed>(&*reply)) {
    if (executed->error) co_return std::move(*executed->error);
    co_return std::move(executed->result);
  }
  if (const auto* answer = std::get_if<Answer>(&*reply); answer != nullptr && answer->error)
    co_return *answer->error;
  co_return unexpected_reply();
}

awaitable<Answer> AsyncClient::Impl::commit(Self self, OpenTransaction transaction, WaitFor wait,
                                            Duration timeout) {
  timeout = self->or_default(timeout);
  if (!self->link_->is_open())
    co_return answer_of(
        Outcome::kRolledBack,
        error_of(ErrorCode::kRolledBackByCaller, Effect::kNone,
                 "the connection of this transaction ended before its commit was asked for"));
  const Instant deadline = steady_now() + timeout;
  ClientRequest request = CommitTransaction{transaction.gtrid, wait, timeout};
  auto reply = co_await call(self, std::move(request), deadline + kAnswerSlack);
  if (!reply.has_error()) {
    auto* answer = std::get_if<Answer>(&*reply);
    co_return answer != nullptr ? std::move(*answer) : unknown(unexpected_reply());
  }
  if (reply.error().code != ErrorCode::kConnectionLost || transaction.key.empty())
    co_return unknown(reply.error());
  OutcomeOf question{transaction.key, false};
  Answer found =
      co_await ask_outcome(self, std::move(question),
                           std::max<Duration>(deadline - steady_now(), milliseconds(1)), true);
  // The commit that was sent may still be unread.
  if (found.outcome == Outcome::kNoRecord) co_return unknown(reply.error());
  co_return found;
}

awaitable<Answer> AsyncClient::Impl::rollback(Self self, OpenTransaction transaction) {
  Answer rolled_back;
  rolled_back.gtrid = transaction.gtrid;
  rolled_back.outcome = Outcome::kRolledBack;
  rolled_back.error =
      error_of(ErrorCode::kRolledBackByCaller, Effect::kNone, "rollback was asked for");
  if (!self->link_->is_open()) co_return rolled_back;
  ClientRequest request = RollbackTransaction{transaction.gtrid};
  auto reply = co_await call(self, std::move(request), steady_now() + self->options_.timeout);
  // Without its connection the transaction is rolled back all the same.
  if (reply.has_error()) co_return rolled_back;
  auto* answer = std::get_if<Answer>(&*reply);
  co_return answer != nullptr ? std::move(*answer) : rolled_back;
}

template <typename Reply>
awaitable<Result<Reply>> AsyncClient::Impl::ask(Self self, ClientRequest request) {
  if (auto connected = co_await connect(self); connected.has_error()) co_return connected.error();
  auto reply = co_await call(self, std::move(request), steady_now() + self->options_.timeout);
  if (reply.has_error()) co_return reply.error();
  if (auto* wanted = std::get_if<Reply>(&*reply)) co_return std::move(*wanted);
  if (const auto* answer = std::get_if<Answer>(&*reply); answer != nullptr && answer->error)
    co_return *answer->error;
  co_return unexpected_reply();
}

AsyncClient::AsyncClient(boost::asio::io_context& io, ClientOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

AsyncClient::~AsyncClient() {
  impl_->close();
}

awaitable<Result<>> AsyncClient::connect() {
  return Impl::connect(impl_);
}

awaitable<Answer> AsyncClient::submit(Submission submission) {
  return Impl::submit(impl_, std::move(submission));
}

awaitable<Answer> AsyncClient::outcome_of(std::string key) {
  return Impl::ask_outcome(impl_, OutcomeOf{std::move(key), false}, impl_->timeout());
}

awaitable<Answer> AsyncClient::settle(std::string key) {
  return Impl::ask_outcome(impl_, OutcomeOf{std::move(key), true}, impl_->timeout());
}

awaitable<Result<OpenTransaction>> AsyncClient::begin(std::string key, Duration timeout) {
  return Impl::begin(impl_, std::move(key), timeout);
}

awaitable<Result<StatementResult>> AsyncClient::execute(OpenTransaction transaction, Step step) {
  return Impl::execute(impl_, std::move(transaction), std::move(step));
}

awaitable<Answer> AsyncClient::commit(OpenTransaction transaction, WaitFor wait, Duration timeout) {
  return Impl::commit(impl_, std::move(transaction), wait, timeout);
}

awaitable<Answer> AsyncClient::rollback(OpenTransaction transaction) {
  return Impl::rollback(impl_, std::move(transaction));
}

awaitable<Result<TransactionList>> AsyncClient::transactions() {
  return Impl::ask<TransactionList>(impl_, ListTransactions{});
}

awaitable<Result<TransactionShown>> AsyncClient::transaction(Gtrid gtrid) {
  return Impl::ask<TransactionShown>(impl_, ShowTransaction{gtrid});
}

awaitable<Result<ParticipantList>> AsyncClient::participants() {
  return Impl::ask<ParticipantList>(impl_, ListParticipants{});
}

}  // namespace assent
