#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "chaos/sim/client.h"
#include "chaos/sim/link.h"
#include "chaos/sim/world.h"
#include "chaos/workload/history.h"
#include "chaos/workload/payment.h"
#include "protocol/message/statement.h"

namespace assent::sim {

/// What a payer is to pay for.
struct Order {
  workload::Payment payment;
  std::vector<std::string> looked_at;  ///< participants where a card is only looked at, before
  std::optional<WallTime> not_after;
};

/// Who pays: one payment after another, as a shop does, in one message or statement by statement. A
/// payment without a final answer is asked for again, or begun again under its key, until there is
/// one, or until it has expired; everything asked and told is noted.
class Payer {
 public:
  using Next = std::function<std::optional<Order>()>;
  /// Looks at an answer, and who gave it, before it is noted.
  using Judge = std::function<void(const Order&, const Coordinator*, Answer&)>;

  Payer(World& world, Links& links, const Weather& weather, Client::FindCoordinator find, Next next,
        Judge judge);

  /// No payment is open, and no other one follows.
  bool is_done() const { return done_; }
  /// There may be another one now.
  void go_on();
  /// A person tells what became of the payment of this key, if that is the one that is open.
  void tell(const std::string& key, Outcome outcome);
  const workload::History& history() const { return history_; }

 private:
  void begin_next();
  void ask();
  ClientRequest question();
  ClientRequest next_in_transaction();
  ClientRequest submit() const;
  void take(const ClientReply& reply);
  void take(Answer answer);
  bool is_interactive() const;
  void vanish();
  void ask_again();
  /// Unless something else comes first.
  void later(Duration at_most, void (Payer::*what)());

  World& world_;
  const Next next_;
  const Judge judge_;
  Process process_;
  Client client_;

  std::optional<Order> order_;
  std::vector<Step> steps_;
  bool begun_ = false;         ///< something of it may be under way
  std::optional<Gtrid> open_;  ///< its interactive transaction
  std::size_t next_step_ = 0;  ///< of that
  bool doomed_ = false;        ///< a statement of it has failed
  bool done_ = false;
  Instant asked_;
  std::uint64_t turn_ = 0;
  workload::History history_;
};

}  // namespace assent::sim
