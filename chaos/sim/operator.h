#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chaos/sim/client.h"
#include "chaos/sim/link.h"
#include "chaos/sim/world.h"
#include "protocol/message/admin.h"

namespace assent::sim {

/// The person who looks after the house: asks every second or so how it is, and when it waits for a
/// person, does what it says.
class Operator {
 public:
  /// What a person can find out by asking around: how a transaction was decided, in truth.
  using Decided = std::function<Decision(const Gtrid&)>;
  /// And in a database that was put back: is a branch neither prepared nor its effects there? What
  /// can be done then is to put them there.
  struct Books {
    std::function<bool(const Xid&)> lack;
    std::function<void(const Xid&)> put_right;
  };

  Operator(World& world, Links& links, const Weather& weather, Client::FindCoordinator find,
           Decided decided, Books books, std::function<void()> restart);

  /// When something was done that he asked for.
  Instant last_deed() const { return last_deed_; }

 private:
  void look();
  void deal_with(const CoordinatorStatus& status);
  bool deal_with(const Finding& finding);
  void allow(Allowance what, std::string participant = {});
  void take_back(const std::string& participant, const std::vector<std::string>& lost);
  void put_right(const std::vector<std::string>& named);
  void put_right(const InDoubtList& list);
  void put_right(const Xid& xid);
  void list_doubts(std::function<void(const InDoubtList&)> then);
  void settle(const InDoubtList& list);
  std::optional<ClientRequest> deed_for(const InDoubtTransaction& transaction) const;
  void act(ClientRequest request);

  World& world_;
  const Decided decided_;
  const Books books_;
  const std::function<void()> restart_;  ///< the coordinator
  bool deposed_ = false;                 ///< it said so
  Instant last_deed_{};
  std::set<Xid> put_right_;
  Process process_;
  Client client_;
};

}  // namespace assent::sim
