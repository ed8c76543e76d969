#include "chaos/faults/person.h"

#include <algorithm>
#include <utility>

#include "chaos/load/payers.h"

namespace assent::live {
namespace {

ByHand in_person(const std::string& reason) {
  return {.by = "chaos", .reason = reason, .act = true};
}

}  // namespace

std::optional<Person> Person::at(const std::string& coordinator,
                                 std::chrono::milliseconds patience) {
  auto client =
      Client::connect({.coordinator = coordinator, .application = "chaos", .timeout = patience});
  if (!client) return std::nullopt;
  return Person(std::move(*client));
}

std::optional<TransactionShown> Person::transaction(const Gtrid& gtrid) {
  auto shown = client_.transaction(gtrid);
  if (!shown) return std::nullopt;
  return std::move(*shown);
}

bool Person::finds_all_well() {
  const auto status = client_.status();
  return status && status->findings.empty() && is_linked(client_);
}

bool Person::is_told(const std::string& command) {
  const auto status = client_.status();
  return status && std::any_of(status->findings.begin(), status->findings.end(),
                               [&command](const Finding& finding) {
                                 return finding.command.starts_with(command);
                               });
}

bool Person::finds_quarantined(const std::string& participant) {
  return is_told("assentctl allow history --participant " + participant + " ");
}

bool Person::allow(Allowance what, const std::string& reason, const std::string& participant) {
  Allow allow;
  allow.what = what;
  allow.participant = participant;
  allow.hand = in_person(reason);
  const auto told = client_.act(std::move(allow));
  return told && told->acted;
}

void Person::roll_back_undecided(const std::string& reason) {
  const auto list = client_.in_doubt();
  if (!list) return;
  for (const InDoubtTransaction& transaction : list->transactions) {
    if (transaction.outcome || transaction.phase != "none") continue;
    ResolveTransaction resolve;
    resolve.gtrid = transaction.gtrid;
    resolve.decision = Decision::kRollback;
    resolve.hand = in_person(reason);
    static_cast<void>(client_.act(std::move(resolve)));  // it is listed again, if it was not done
  }
}

void Person::forget_damage(const std::string& reason) {
  const auto list = client_.in_doubt();
  if (!list) return;
  for (const InDoubtTransaction& transaction : list->transactions) {
    const auto& branches = transaction.branches;
    const bool damaged = std::any_of(branches.begin(), branches.end(),
                                     [](const BranchTruth& b) { return b.damage.has_value(); });
    if (!damaged || transaction.phase != "none") continue;
    static_cast<void>(
        client_.act(ForgetDamage{.gtrid = transaction.gtrid, .hand = in_person(reason)}));
  }
}

}  // namespace assent::live
