#include "chaos/sim/operator.h"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace assent::sim {
namespace {

using std::chrono::milliseconds;

}  // namespace

Operator::Operator(World& world, Links& links, const Weather& weather, Client::FindCoordinator find)
    : world_(world),
      process_(world, "operator"),
      client_(process_, links, weather, std::move(find)) {
  look();
}

void Operator::look() {
  process_.in(world_.random().between(milliseconds(500), milliseconds(1500)), [this] {
    const bool asked = client_.ask(AskStatus{}, [this](const std::optional<ClientReply>& reply) {
      if (!reply) return look();
      deal_with(std::get<CoordinatorStatus>(*reply));
    });
    if (!asked) look();
  });
}

void Operator::deal_with(const CoordinatorStatus& status) {
  for (const Finding& finding : status.findings) {
    if (!finding.command.starts_with("assentctl allow clock")) continue;
    Allow allow;
    allow.what = Allowance::kClock;
    allow.hand = {.by = "operator", .reason = "I have looked at it", .act = true};
    return act(allow);
  }
  look();
}

void Operator::act(ClientRequest request) {
  const bool asked =
      client_.ask(std::move(request), [this](const std::optional<ClientReply>& reply) {
        if (reply) {
          const auto& told = std::get<ActionTold>(*reply);
          world_.trace("operator", told.acted ? "did it" : "was refused");
        }
        look();
      });
  if (!asked) look();
}

}  // namespace assent::sim
