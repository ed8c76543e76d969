#include "chaos/sim/operator.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace assent::sim {
namespace {

using std::chrono::milliseconds;

/// The one that the command names.
std::string participant_in(const std::string& command) {
  const std::string option = "--participant ";
  const std::size_t begin = command.find(option) + option.size();
  return command.substr(begin, command.find(' ', begin) - begin);
}

ByHand in_person() {
  return {.by = "operator", .reason = "I have looked at it", .act = true};
}

}  // namespace

Operator::Operator(World& world, Links& links, const Weather& weather, Client::FindCoordinator find,
                   Decided decided, std::function<void()> restart)
    : world_(world),
      decided_(std::move(decided)),
      restart_(std::move(restart)),
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
  deposed_ = !status.deposed.empty();
  for (const Finding& finding : status.findings) {
    if (deal_with(finding)) return;
  }
  look();
}

/// Does what the finding says. False: it will pass by itself.
bool Operator::deal_with(const Finding& finding) {
  const auto says = [&finding](const char* command) {
    return finding.command.starts_with(std::string("assentctl ") + command);
  };
  if (says("allow clock")) {
    allow(Allowance::kClock);
  } else if (says("allow presume")) {
    allow(Allowance::kPresume);
  } else if (says("allow history")) {
    allow(Allowance::kHistory, participant_in(finding.command));
  } else if (says("resolve") || says("list --in-doubt")) {
    look_into_doubts();
  } else {
    return false;
  }
  return true;
}

void Operator::allow(Allowance what, std::string participant) {
  Allow allow;
  allow.what = what;
  allow.participant = std::move(participant);
  allow.hand = in_person();
  act(allow);
}

void Operator::look_into_doubts() {
  const bool asked = client_.ask(ListInDoubt{}, [this](const std::optional<ClientReply>& reply) {
    if (!reply) return look();
    settle(std::get<InDoubtList>(*reply));
  });
  if (!asked) look();
}

/// The first that a person has to do something about.
void Operator::settle(const InDoubtList& list) {
  for (const InDoubtTransaction& transaction : list.transactions) {
    if (auto request = deed_for(transaction)) return act(std::move(*request));
  }
  look();
}

/// A branch in hazard ends as its transaction was decided, what is damaged has been seen, and what
/// nobody knows a decision of ends as it was decided in truth.
std::optional<ClientRequest> Operator::deed_for(const InDoubtTransaction& transaction) const {
  const Gtrid& gtrid = transaction.gtrid;
  const bool commit = transaction.outcome == Outcome::kCommitted;
  for (const BranchTruth& branch : transaction.branches) {
    if (branch.state == "hazard" && transaction.outcome)
      return ResolveTransaction{gtrid,
                                commit ? Decision::kCommit : Decision::kRollback,
                                branch.xid.bqual,
                                {},
                                in_person()};
    if (branch.damage && transaction.phase == "none") return ForgetDamage{gtrid, {}, in_person()};
  }
  if (transaction.phase != "none" || transaction.outcome) return std::nullopt;
  return ResolveTransaction{gtrid, decided_(gtrid), {}, {}, in_person()};
}

void Operator::act(ClientRequest request) {
  const bool asked =
      client_.ask(std::move(request), [this](const std::optional<ClientReply>& reply) {
        if (reply) {
          const auto& told = std::get<ActionTold>(*reply);
          world_.trace("operator", told.acted     ? "did it: " + told.next
                                   : told.refused ? "was refused: " + told.refused->message
                                                  : "was refused");
          if (told.acted && deposed_) restart_();  // as the finding says
        }
        look();
      });
  if (!asked) look();
}

}  // namespace assent::sim
