#include "chaos/sim/operator.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "chaos/sim/message_text.h"

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
                   Decided decided, Books books, std::function<void()> restart)
    : world_(world),
      decided_(std::move(decided)),
      books_(std::move(books)),
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
  } else if (says("allow violation")) {
    list_doubts([this](const InDoubtList& list) {
      put_right(list);
      allow(Allowance::kViolation);
    });
  } else if (says("allow history")) {
    if (finding.what.find("still being gone through") != std::string::npos) return false;
    take_back(participant_in(finding.command), finding.at_stake);
  } else if (says("resolve") || says("list --in-doubt")) {
    list_doubts([this](const InDoubtList& list) { settle(list); });
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

void Operator::list_doubts(std::function<void(const InDoubtList&)> then) {
  const bool asked =
      client_.ask(ListInDoubt{}, [this, then](const std::optional<ClientReply>& reply) {
        if (!reply) return look();
        then(std::get<InDoubtList>(*reply));
      });
  if (!asked) look();
}

/// Each payment that is named is put right first, and of what is unfinished is said how it ended.
void Operator::take_back(const std::string& participant, const std::vector<std::string>& lost) {
  list_doubts([this, participant, lost](const InDoubtList& list) {
    put_right(lost);
    put_right(list);
    // What was put right there before may have gone with what it was put back from.
    for (const Xid& xid : put_right_) {
      if (xid.bqual == participant) put_right(xid);
    }
    const auto hazard = std::find_if(
        list.transactions.begin(), list.transactions.end(), [&](const auto& transaction) {
          return std::any_of(transaction.branches.begin(), transaction.branches.end(),
                             [&](const BranchTruth& branch) {
                               return branch.state == "hazard" && branch.xid.bqual == participant;
                             });
        });
    if (hazard == list.transactions.end()) return allow(Allowance::kHistory, participant);
    auto deed = deed_for(*hazard);
    deed ? act(std::move(*deed)) : look();
  });
}

/// What a finding names as lost. Its damage is listed only when the record of that is durable.
void Operator::put_right(const std::vector<std::string>& named) {
  for (const std::string& what : named) {
    if (what.find("is not there any more") == std::string::npos) continue;
    put_right(xid_in(what));
  }
}

void Operator::put_right(const Xid& xid) {
  if (!books_.lack(xid)) return;
  books_.put_right(xid);
  put_right_.insert(xid);
}

/// What is committed, and whose branch is damaged, is done by hand, if it is not there.
void Operator::put_right(const InDoubtList& list) {
  for (const InDoubtTransaction& transaction : list.transactions) {
    if (transaction.outcome != Outcome::kCommitted) continue;
    for (const BranchTruth& branch : transaction.branches) {
      if (branch.damage && branch.state != "hazard") put_right(branch.xid);
    }
  }
}

/// The first that a person has to do something about.
void Operator::settle(const InDoubtList& list) {
  put_right(list);
  for (const InDoubtTransaction& transaction : list.transactions) {
    if (auto request = deed_for(transaction)) return act(std::move(*request));
  }
  look();
}

/// A branch in hazard has ended as its effects tell, what is damaged has been put right, and what
/// nobody knows a decision of ends as it was decided in truth.
std::optional<ClientRequest> Operator::deed_for(const InDoubtTransaction& transaction) const {
  const Gtrid& gtrid = transaction.gtrid;
  const bool commit = transaction.outcome == Outcome::kCommitted;
  for (const BranchTruth& branch : transaction.branches) {
    if (branch.state == "hazard" && transaction.outcome) {
      const bool there = commit && !books_.lack(branch.xid);
      return ResolveTransaction{gtrid,
                                there ? Decision::kCommit : Decision::kRollback,
                                branch.xid.bqual,
                                {},
                                in_person()};
    }
    if (branch.damage && transaction.phase == "none")
      return ForgetDamage{gtrid, branch.xid.bqual, in_person()};
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
          if (told.acted) last_deed_ = world_.now();
          if (told.acted && deposed_) restart_();  // as the finding says
        }
        look();
      });
  if (!asked) look();
}

}  // namespace assent::sim
