#include "chaos/load/vanish.h"

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "coordinator/client/async_client.h"

namespace assent::live {
namespace {

using boost::asio::awaitable;
using workload::Transaction;

// A `talk` wants answers at once, so of such a transaction only the beginning is told.
awaitable<void> talk(AsyncClient& client, Transaction transaction) {
  auto open = co_await client.begin(transaction.key);
  if (open.has_error()) co_return;
  for (const Step& step : transaction.steps) {
    const auto executed = co_await client.execute(*open, step);
    if (executed.has_error()) co_return;
  }
  if (transaction.talk) {
    co_await client.execute(*open, workload::mark_step(transaction.key, transaction.marks.front()));
    co_return;
  }
  co_await client.commit(*open);
}

awaitable<void> submit(AsyncClient& client, Transaction transaction) {
  Submission submission;
  submission.key = transaction.key;
  submission.steps = std::move(transaction.steps);
  co_await client.submit(std::move(submission));
}

}  // namespace

void vanish(const std::string& coordinator, const Transaction& transaction,
            std::chrono::milliseconds after, workload::History& history) {
  const Instant asked = read_clocks().steady;
  {
    boost::asio::io_context io(1);
    AsyncClient client(io, {.coordinator = coordinator, .application = "vanishing"});
    boost::asio::co_spawn(
        io, transaction.interactive ? talk(client, transaction) : submit(client, transaction),
        boost::asio::detached);
    io.run_for(after);
  }
  Answer answer;
  answer.outcome = Outcome::kUnknown;
  history.note(transaction, asked, read_clocks().steady, answer);
}

}  // namespace assent::live
