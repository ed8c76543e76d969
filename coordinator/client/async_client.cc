#include "coordinator/client/async_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
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

Answer unknown(Error error) {
  error.effect = Effect::kUnknown;
  return {.outcome = Outcome::kUnknown, .error = std::move(error)};
}

Answer refused(Error error) {
  error.effect = Effect::kNone;
  return {.outcome = Outcome::kRefused, .error = std::move(error)};
}

Error unexpected_reply() {
  return {.code = ErrorCode::kInvalid,
          .effect = Effect::kUnknown,
          .message = "the coordinator answered with something else than was asked for"};
}

Error too_late() {
  return {.code = ErrorCode::kTimeout,
          .effect = Effect::kNone,
          .message = "the time for the call was over before it could be sent"};
}

/// A log that has never heard of the transaction would execute it a second time, or say of its key
/// what is not true of the first (R15).
Error another_log() {
  return {.code = ErrorCode::kLogUnavailable,
          .effect = Effect::kUnknown,
          .message =
              "the coordinator came back with another decision log, which can't tell what "
              "became of this transaction; look at the old log or at the databases"};
}

Error connection_ended() {
  return {.code = ErrorCode::kConnectionLost,
          .effect = Effect::kNone,
          .message =
              "the connection of this transaction has ended: what was not asked to be "
              "committed is rolled back"};
}

/// A copy of the request that was sent earlier may still be on its way to the coordinator, unread.
/// So to a repeat "refused" and "no record" say nothing of the key (R15).
bool is_final_for_repeat(Outcome outcome) {
  return outcome != Outcome::kRefused && outcome != Outcome::kNoRecord;
}

/// The coordinator has just started, and can't tell of any key before it has heard its databases.
/// The request had no effect, and soon there is an answer.
bool is_too_early(const Answer& answer) {
  return answer.outcome == Outcome::kUnknown && answer.error &&
         answer.error->code == ErrorCode::kParticipantUnavailable;
}

}  // namespace

class AsyncClient::Impl {
 public:
  Impl(boost::asio::io_context& io, ClientOptions options)
      : io_(io), options_(std::move(options)), link_(CallLink::make(io, options_)) {}

  using Self = std::shared_ptr<Impl>;

  // Coroutines take what they need by value and keep the Impl alive; the client may be destroyed
  // while they wait.
  static awaitable<Result<>> connect(Self self, Instant deadline);
  static awaitable<Answer> submit(Self self, Submission submission);
  static awaitable<Answer> ask_outcome(Self self, OutcomeOf question);
  static awaitable<BeginResult<OpenTransaction>> begin(Self self, std::string key,
                                                       Duration timeout);
  static awaitable<Result<StatementResult>> execute(Self self, OpenTransaction transaction,
                                                    Step step);
  static awaitable<Answer> commit(Self self, OpenTransaction transaction, WaitFor wait,
                                  Duration timeout);
  static awaitable<Answer> rollback(Self self, OpenTransaction transaction);
  template <typename Reply>
  static awaitable<Result<Reply>> ask(Self self, ClientRequest request);

  void close() { link_->close(); }
  Instant default_deadline() const { return steady_now() + options_.timeout; }

 private:
  static awaitable<Result<ClientReply>> call(Self self, ClientRequest request, Instant deadline);
  static awaitable<Answer> send_until_answered(Self self, Submit request, Instant deadline);
  static awaitable<Answer> outcome_after_commit(Self self, OpenTransaction transaction,
                                                Instant deadline, Error why);
  /// nullopt: this connection did not bring the answer, `why` says the reason.
  static awaitable<std::optional<Answer>> ask_once(Self self, OutcomeOf question, Instant deadline,
                                                   Error& why);
  static awaitable<void> pause(Self self, Duration wait, Instant deadline);

  bool is_connected(const OpenTransaction& transaction) const {
    return link_->is_open() && link_->connection() == transaction.connection;
  }
  Duration or_default(Duration timeout) const {
    return timeout > Duration::zero() ? timeout : options_.timeout;
  }

  boost::asio::io_context& io_;
  const ClientOptions options_;
  const std::shared_ptr<CallLink> link_;
};

awaitable<Result<>> AsyncClient::Impl::connect(Self self, Instant deadline) {
  if (!self->link_->is_open()) {
    auto start = [link = self->link_, deadline](CallLink::OnConnected done) {
      link->connect(deadline, std::move(done));
    };
    const auto connected = co_await await_callback<Result<>>(std::move(start));
    if (connected.has_error()) co_return connected.error();
  }
  if (steady_now() >= deadline) co_return too_late();
  co_return Result<>();
}

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
  const Instant deadline = steady_now() + request.timeout;
  co_return co_await send_until_answered(self, std::move(request), deadline);
}

/// Once bytes of the submit may have left, only the coordinator's answer says what became of it.
awaitable<Answer> AsyncClient::Impl::send_until_answered(Self self, Submit request,
                                                         Instant deadline) {
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  std::optional<LogId> sent_to;
  Error last;
  do {
    const auto connected = co_await connect(self, deadline);
    if (connected.has_error()) {
      if (!sent_to) co_return refused(connected.error());
      last = connected.error();
    } else {
      const bool repeat = sent_to.has_value();
      if (repeat && *sent_to != self->link_->log_id()) co_return unknown(another_log());
      sent_to = self->link_->log_id();
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
        const bool too_early = is_too_early(*answer);
        const bool final = !repeat || is_final_for_repeat(answer->outcome);
        if (final && !too_early) co_return std::move(*answer);
        if (!repeat) sent_to.reset();  // no copy is left unread
        last = answer->error.value_or(Error{});
      }
    }
    if (self->link_->is_closed_for_good()) break;
    co_await pause(self, backoff.next(), deadline);
  } while (steady_now() < deadline);
  co_return unknown(last);
}

/// While the link is open. nullopt: to be asked again.
awaitable<std::optional<Answer>> AsyncClient::Impl::ask_once(Self self, OutcomeOf question,
                                                             Instant deadline, Error& why) {
  ClientRequest request = std::move(question);
  auto reply = co_await call(self, std::move(request), deadline);
  if (reply.has_error()) {
    why = reply.error();
    if (why.code != ErrorCode::kConnectionLost) co_return unknown(why);
    co_return std::nullopt;
  }
  auto* answer = std::get_if<Answer>(&*reply);
  if (answer == nullptr) co_return unknown(unexpected_reply());
  if (!is_too_early(*answer)) co_return std::move(*answer);
  why = *answer->error;
  co_return std::nullopt;
}

awaitable<Answer> AsyncClient::Impl::ask_outcome(Self self, OutcomeOf question) {
  const Instant deadline = self->default_deadline();
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  Error last;
  do {
    const auto connected = co_await connect(self, deadline);
    if (connected.has_error()) co_return unknown(connected.error());
    if (auto answer = co_await ask_once(self, question, deadline, last))
      co_return std::move(*answer);
    if (self->link_->is_closed_for_good()) break;
    co_await pause(self, backoff.next(), deadline);
  } while (steady_now() < deadline);
  co_return unknown(last);
}

/// The commit was sent and its answer lost: the key tells, to who asks the same log. Goes on trying
/// to connect until the deadline.
awaitable<Answer> AsyncClient::Impl::outcome_after_commit(Self self, OpenTransaction transaction,
                                                          Instant deadline, Error why) {
  if (transaction.key.empty()) co_return unknown(why);
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  do {
    const auto connected = co_await connect(self, deadline);
    if (connected.has_error()) {
      why = connected.error();
    } else if (self->link_->log_id() != transaction.gtrid.log_id) {
      co_return unknown(another_log());
    } else {
      OutcomeOf question{transaction.key, false};
      auto answer = co_await ask_once(self, std::move(question), deadline, why);
      // The commit that was sent may still be unread.
      if (answer && !is_final_for_repeat(answer->outcome)) co_return unknown(why);
      if (answer) co_return std::move(*answer);
    }
    if (self->link_->is_closed_for_good()) break;
    co_await pause(self, backoff.next(), deadline);
  } while (steady_now() < deadline);
  co_return unknown(why);
}

awaitable<BeginResult<OpenTransaction>> AsyncClient::Impl::begin(Self self, std::string key,
                                                                 Duration timeout) {
  if (timeout <= Duration::zero()) timeout = kInteractiveTimeout;
  const Instant deadline = self->default_deadline();
  Backoff backoff(kRetryFirst, kRetryLongest, random_bits);
  for (;;) {
    if (auto connected = co_await connect(self, deadline); connected.has_error())
      co_return refused(connected.error());
    const std::uint64_t connection = self->link_->connection();
    // Requests are named before they are awaited: g++ 12 destroys one written inside twice.
    ClientRequest request = Begin{key, timeout};
    auto reply = co_await call(self, std::move(request), deadline);
    // A transaction without a commit comes to nothing.
    if (reply.has_error()) co_return refused(reply.error());
    if (const auto* begun = std::get_if<Begun>(&*reply))
      co_return OpenTransaction{begun->gtrid, std::move(key), timeout, connection};
    auto* answer = std::get_if<Answer>(&*reply);
    if (answer == nullptr) co_return refused(unexpected_reply());
    if (!is_too_early(*answer) || steady_now() >= deadline) co_return std::move(*answer);
    co_await pause(self, backoff.next(), deadline);
  }
}

awaitable<Result<StatementResult>> AsyncClient::Impl::execute(Self self,
                                                              OpenTransaction transaction,
                                                              Step step) {
  if (!self->is_connected(transaction)) co_return connection_ended();
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
  const Instant deadline = steady_now() + timeout;
  if (!self->is_connected(transaction)) {
    if (!*transaction.commit_sent) co_return refused(connection_ended());
    co_return co_await outcome_after_commit(self, std::move(transaction), deadline,
                                            connection_ended());
  }
  *transaction.commit_sent = true;
  ClientRequest request = CommitTransaction{transaction.gtrid, wait, timeout};
  auto reply = co_await call(self, std::move(request), deadline + kAnswerSlack);
  if (!reply.has_error()) {
    auto* answer = std::get_if<Answer>(&*reply);
    co_return answer != nullptr ? std::move(*answer) : unknown(unexpected_reply());
  }
  Error why = reply.error();
  if (why.code != ErrorCode::kConnectionLost) co_return unknown(why);
  co_return co_await outcome_after_commit(self, std::move(transaction), deadline, why);
}

awaitable<Answer> AsyncClient::Impl::rollback(Self self, OpenTransaction transaction) {
  const Instant deadline = self->default_deadline();
  Error why = connection_ended();
  const bool connected = self->is_connected(transaction);
  if (connected) {
    ClientRequest request = RollbackTransaction{transaction.gtrid};
    auto reply = co_await call(self, std::move(request), deadline);
    if (!reply.has_error()) {
      auto* answer = std::get_if<Answer>(&*reply);
      co_return answer != nullptr ? std::move(*answer) : unknown(unexpected_reply());
    }
    why = reply.error();
  }
  if (*transaction.commit_sent)
    co_return co_await outcome_after_commit(self, std::move(transaction), deadline, why);
  if (!connected) co_return refused(why);
  // No commit was sent, so nothing takes effect; the rollback may have bound the key, or not.
  why.effect = Effect::kNone;
  co_return Answer{.outcome = Outcome::kUnknown, .error = std::move(why)};
}

template <typename Reply>
awaitable<Result<Reply>> AsyncClient::Impl::ask(Self self, ClientRequest request) {
  const Instant deadline = self->default_deadline();
  if (auto connected = co_await connect(self, deadline); connected.has_error())
    co_return connected.error();
  auto reply = co_await call(self, std::move(request), deadline);
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
  return Impl::connect(impl_, impl_->default_deadline());
}

awaitable<Answer> AsyncClient::submit(Submission submission) {
  return Impl::submit(impl_, std::move(submission));
}

awaitable<Answer> AsyncClient::outcome_of(std::string key) {
  return Impl::ask_outcome(impl_, OutcomeOf{std::move(key), false});
}

awaitable<Answer> AsyncClient::settle(std::string key) {
  return Impl::ask_outcome(impl_, OutcomeOf{std::move(key), true});
}

awaitable<BeginResult<OpenTransaction>> AsyncClient::begin(std::string key, Duration timeout) {
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

awaitable<Result<InDoubtList>> AsyncClient::in_doubt(ListInDoubt list) {
  return Impl::ask<InDoubtList>(impl_, list);
}

awaitable<Result<StoryTold>> AsyncClient::story(TellStory tell) {
  return Impl::ask<StoryTold>(impl_, tell);
}

awaitable<Result<ActionTold>> AsyncClient::act(ActionRequest request) {
  auto any = [](auto&& one) -> ClientRequest { return std::forward<decltype(one)>(one); };
  return Impl::ask<ActionTold>(impl_, std::visit(any, std::move(request)));
}

awaitable<Result<CoordinatorStatus>> AsyncClient::status() {
  return Impl::ask<CoordinatorStatus>(impl_, AskStatus{});
}

awaitable<Result<CoordinatorStatus>> AsyncClient::drain(bool drain) {
  return Impl::ask<CoordinatorStatus>(impl_, SetDrain{drain});
}

}  // namespace assent
