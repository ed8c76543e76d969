#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "chaos/load/meter.h"
#include "chaos/workload/history.h"
#include "coordinator/client/client.h"

// Clients of the coordinator, as a shop would have them: each asks for one transaction after
// another.
namespace assent::live {

struct PayersSpec {
  std::string coordinator;  // "127.0.0.1:7400"
  int clients = 8;
  Duration call_timeout = std::chrono::seconds(5);
  // How long a payment is tried again that was refused, which had no effect.
  Duration patience = std::chrono::seconds(30);
  // Every so many payments of a client go statement by statement instead of as one submit, besides
  // those that must; 0: none.
  int interactive_every = 0;
  // After every so many a client drops its connection in the midst of one more, see vanish.h; 0:
  // never.
  int vanish_every = 0;
  // After every so many a client asks what became of one that was answered before, maybe to another
  // client; 0: never.
  int ask_every = 0;
  // Told of every call's end; outlives the payers. nullptr: none.
  Meter* meter = nullptr;
};

class Payers {
 public:
  // Called under a lock, from the clients' threads; nullopt: no more payments.
  using Next = std::function<std::optional<workload::Transaction>()>;

  struct Counts {
    std::uint64_t answered = 0;  // payments that are over, known outcome or not
    std::uint64_t committed = 0;
    std::uint64_t no_effect = 0;
    std::uint64_t open = 0;
  };

  Payers(PayersSpec spec, Next next);
  ~Payers();
  Payers(const Payers&) = delete;
  Payers& operator=(const Payers&) = delete;

  // Any thread, at any time.
  Counts counts() const;
  bool is_done() const { return running_ == 0; }

  // Each client ends after the payment it is at.
  void stop() { stopping_ = true; }

  // Waits for all clients: what they asked and were told.
  workload::History finish();

 private:
  void run(workload::History& history);
  std::optional<workload::Transaction> next();
  void pay(std::optional<Client>& client, const workload::Transaction& transaction,
           workload::History& history);
  void ask_after_another(Client& client, const workload::Transaction& transaction,
                         workload::History& history);
  bool connect(std::optional<Client>& client);
  void count(workload::Verdict verdict);

  const PayersSpec spec_;
  const Next next_;
  std::mutex next_mutex_;
  std::mutex answered_mutex_;
  workload::Transaction answered_;  // the last one of any client
  std::atomic<bool> stopping_{false};
  std::atomic<int> running_;
  std::atomic<std::uint64_t> committed_{0};
  std::atomic<std::uint64_t> no_effect_{0};
  std::atomic<std::uint64_t> open_{0};
  std::vector<workload::History> histories_;  // one for each thread, read after its end
  std::vector<std::thread> threads_;          // last: they use all of the above
};

// The coordinator can be asked, and every participant is well: linked, looked at, listed.
bool is_linked(Client& client);

// One submit, noted.
Answer submit(Client& client, const workload::Transaction& transaction, workload::History& history,
              Duration timeout = std::chrono::seconds(5));

// The same statement by statement: begin, execute each, commit; after an error rollback.
Answer pay_interactively(Client& client, const workload::Transaction& transaction,
                         workload::History& history, Duration timeout = std::chrono::seconds(5));

// Asks for the outcome of every open key until none is left or the time is over; a key of which
// nothing is known is settled, which binds it to rolled back. True: none is open any more.
bool resolve_open(workload::History& history, Client& client, std::chrono::milliseconds patience);

// Asks once more for the outcome of every key: somebody else may be told something else.
void ask_again(workload::History& history, Client& client);

}  // namespace assent::live
