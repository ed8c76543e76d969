#include "coordinator/client/client.h"

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "coordinator/client/async_client.h"
#include "protocol/base/check.h"

namespace assent {

/// Runs the awaitable client in the caller's thread, for as long as a call takes.
class Client::Impl {
 public:
  explicit Impl(ClientOptions options)
      : io_(1), async_(std::make_unique<AsyncClient>(io_, std::move(options))) {}

  ~Impl() {
    async_.reset();
    // Lets the connection tell its end, which breaks the circle of its callbacks.
    io_.restart();
    io_.poll();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  AsyncClient& async() { return *async_; }

  template <typename T>
  T run(boost::asio::awaitable<T> work) {
    io_.restart();
    // What happened since the last call, the connection's end above all, is noticed before anything
    // is sent.
    io_.poll();
    std::optional<T> result;
    auto done = [&result](std::exception_ptr failed, T value) {
      if (failed) std::rethrow_exception(failed);
      result = std::move(value);
    };
    boost::asio::co_spawn(io_, std::move(work), done);
    io_.restart();
    while (!result) {
      const auto handlers = io_.run_one();
      ASSENT_CHECK(handlers > 0);
    }
    return std::move(*result);
  }

 private:
  boost::asio::io_context io_;
  std::unique_ptr<AsyncClient> async_;
};

Result<Client> Client::connect(ClientOptions options) {
  auto impl = std::make_shared<Impl>(std::move(options));
  if (auto connected = impl->run(impl->async().connect()); connected.has_error())
    return connected.error();
  return Client(std::move(impl));
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;
Client::Client(Client&& other) noexcept = default;
Client& Client::operator=(Client&& other) noexcept = default;

Answer Client::submit(Submission submission) {
  return impl_->run(impl_->async().submit(std::move(submission)));
}

BeginResult<Transaction> Client::begin(std::string key, Duration timeout) {
  auto begun = impl_->run(impl_->async().begin(std::move(key), timeout));
  if (begun.has_error()) return begun.error();
  return Transaction(impl_, std::move(*begun));
}

Answer Client::outcome_of(std::string key) {
  return impl_->run(impl_->async().outcome_of(std::move(key)));
}

Answer Client::settle(std::string key) {
  return impl_->run(impl_->async().settle(std::move(key)));
}

Result<TransactionList> Client::transactions() {
  return impl_->run(impl_->async().transactions());
}

Result<TransactionShown> Client::transaction(const Gtrid& gtrid) {
  return impl_->run(impl_->async().transaction(gtrid));
}

Result<ParticipantList> Client::participants() {
  return impl_->run(impl_->async().participants());
}

Result<InDoubtList> Client::in_doubt(ListInDoubt list) {
  return impl_->run(impl_->async().in_doubt(list));
}

Result<StoryTold> Client::story(const TellStory& tell) {
  return impl_->run(impl_->async().story(tell));
}

Result<CoordinatorStatus> Client::status() {
  return impl_->run(impl_->async().status());
}

Result<ActionTold> Client::act(ActionRequest request) {
  return impl_->run(impl_->async().act(std::move(request)));
}

Result<CoordinatorStatus> Client::drain(bool drain) {
  return impl_->run(impl_->async().drain(drain));
}

Transaction::Transaction(std::shared_ptr<Client::Impl> client, OpenTransaction open)
    : client_(std::move(client)), open_(std::move(open)) {}

Transaction::~Transaction() {
  if (client_) rollback();
}

Transaction::Transaction(Transaction&& other) noexcept = default;

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this == &other) return *this;
  if (client_) rollback();
  client_ = std::move(other.client_);
  open_ = std::move(other.open_);
  return *this;
}

Result<StatementResult> Transaction::execute(Step step) {
  ASSENT_CHECK(client_ != nullptr);
  return client_->run(client_->async().execute(open_, std::move(step)));
}

Result<StatementResult> Transaction::execute(std::string participant, std::string sql,
                                             std::vector<Value> params) {
  Step step;
  step.participant = std::move(participant);
  step.statement.sql = std::move(sql);
  step.statement.params = std::move(params);
  return execute(std::move(step));
}

Answer Transaction::commit(WaitFor wait, Duration timeout) {
  ASSENT_CHECK(client_ != nullptr);
  const auto client = std::exchange(client_, nullptr);
  return client->run(client->async().commit(open_, wait, timeout));
}

Answer Transaction::rollback() {
  ASSENT_CHECK(client_ != nullptr);
  const auto client = std::exchange(client_, nullptr);
  return client->run(client->async().rollback(open_));
}

}  // namespace assent
