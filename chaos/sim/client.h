#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "chaos/sim/coordinator.h"
#include "chaos/sim/link.h"
#include "chaos/sim/world.h"
#include "chaos/workload/history.h"
#include "chaos/workload/payment.h"

namespace assent::sim {

/// Who pays: one payment after another, as a shop does. A payment without a final answer is asked
/// for again, or submitted again under its key, until there is one; everything asked and told is
/// noted.
class Payer {
 public:
  using Next = std::function<std::optional<workload::Payment>()>;
  using FindCoordinator = std::function<Coordinator*()>;

  Payer(World& world, Links& links, const Weather& weather, FindCoordinator find, Next next);

  /// No payment is open, and no other one follows.
  bool is_done() const { return done_; }
  /// There may be another one now.
  void go_on();
  const workload::History& history() const { return history_; }

 private:
  void begin_next();
  void ask();
  ClientRequest question();
  void connect(Coordinator& coordinator);
  void on_reply(coordinator::RequestId request, const ClientReply& reply);
  void on_silence(std::uint64_t request);
  void on_lost();
  void take(const Answer& answer);
  void ask_again();

  World& world_;
  Links& links_;
  const Weather& weather_;
  const FindCoordinator find_;
  const Next next_;
  Process process_;

  std::optional<workload::Payment> payment_;
  bool submitted_ = false;  ///< a submit of it may be under way
  bool done_ = false;
  std::shared_ptr<Link> link_;
  Coordinator* coordinator_ = nullptr;  ///< at the other end of link_
  coordinator::ClientSessionId session_{};
  std::uint64_t request_ = 0;  ///< under way; 0: none
  std::uint64_t last_request_ = 0;
  Instant asked_;
  workload::History history_;
};

}  // namespace assent::sim
