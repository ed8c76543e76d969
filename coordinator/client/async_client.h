#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "coordinator/client/begin_result.h"
#include "coordinator/client/client_options.h"
#include "coordinator/client/open_transaction.h"
#include "coordinator/client/submission.h"
#include "protocol/base/result.h"
#include "protocol/message/client.h"

namespace assent {

/// The client library for programs on an Asio io_context: the same calls as Client (client.h says
/// what their answers mean), as coroutines. Many may be under way at once, over one connection. All
/// on the one thread that runs the io_context, which must outlive the client. Calls under way when
/// the client is destroyed end soon, kUnknown once anything of them was sent; nothing more is sent.
class AsyncClient {
 public:
  AsyncClient(boost::asio::io_context& io, ClientOptions options);
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  /// Not needed: calls connect when they must. Tells early whether there is a coordinator.
  boost::asio::awaitable<Result<>> connect();

  boost::asio::awaitable<Answer> submit(Submission submission);
  boost::asio::awaitable<Answer> outcome_of(std::string key);
  boost::asio::awaitable<Answer> settle(std::string key);

  boost::asio::awaitable<BeginResult<OpenTransaction>> begin(std::string key = {},
                                                             Duration timeout = {});
  boost::asio::awaitable<Result<StatementResult>> execute(OpenTransaction transaction, Step step);
  /// Neither sends a commit twice; either may be called after a commit that was answered kUnknown,
  /// and then says what became of it as far as that can be told.
  boost::asio::awaitable<Answer> commit(OpenTransaction transaction,
                                        WaitFor wait = WaitFor::kApplied, Duration timeout = {});
  boost::asio::awaitable<Answer> rollback(OpenTransaction transaction);

  boost::asio::awaitable<Result<TransactionList>> transactions();
  boost::asio::awaitable<Result<TransactionShown>> transaction(Gtrid gtrid);
  boost::asio::awaitable<Result<ParticipantList>> participants();
  boost::asio::awaitable<Result<InDoubtList>> in_doubt(ListInDoubt list);
  boost::asio::awaitable<Result<StoryTold>> story(TellStory tell);
  boost::asio::awaitable<Result<ActionTold>> act(ActionRequest request);
  boost::asio::awaitable<Result<CoordinatorStatus>> status();
  boost::asio::awaitable<Result<CoordinatorStatus>> drain(bool drain);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent
