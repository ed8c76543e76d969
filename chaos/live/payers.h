#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "chaos/workload/history.h"
#include "coordinator/client/client.h"

// Clients of the coordinator, as a shop would have them: each pays one payment after another.
namespace assent::live {

struct PayersSpec {
  std::string coordinator;  // "127.0.0.1:7400"
  int clients = 8;
  Duration call_timeout = std::chrono::seconds(5);
  // How long a payment is tried again that was refused, which had no effect.
  Duration patience = std::chrono::seconds(30);
  // Every so many payments of a client go statement by statement instead of as one submit; 0: none.
  int interactive_every = 0;
};

class Payers {
 public:
  // Called under a lock, from the clients' threads; nullopt: no more payments.
  using Next = std::function<std::optional<workload::Payment>()>;

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
  std::optional<workload::Payment> next();
  void pay(std::optional<Client>& client, const workload::Payment& payment, bool interactive,
           workload::History& history);
  bool connect(std::optional<Client>& client);
  void count(workload::Verdict verdict);

  const PayersSpec spec_;
  const Next next_;
  std::mutex next_mutex_;
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
Answer submit(Client& client, const workload::Payment& payment, workload::History& history,
              Duration timeout = std::chrono::seconds(5));

// The same statement by statement: begin, execute each step, commit; after an error rollback.
Answer pay_interactively(Client& client, const workload::Payment& payment,
                         workload::History& history, Duration timeout = std::chrono::seconds(5));

// Asks for the outcome of every open payment until none is left or the time is over; a key of which
// nothing is known is settled, which binds it to rolled back. True: none is open any more.
bool resolve_open(workload::History& history, Client& client, std::chrono::milliseconds patience);

}  // namespace assent::live
