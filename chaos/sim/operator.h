#pragma once

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
  Operator(World& world, Links& links, const Weather& weather, Client::FindCoordinator find);

 private:
  void look();
  void deal_with(const CoordinatorStatus& status);
  void act(ClientRequest request);

  World& world_;
  Process process_;
  Client client_;
};

}  // namespace assent::sim
