// A person rolls a prepared branch of ours back in the database, while the coordinator stands
// still.

#include <algorithm>
#include <chrono>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"
#include "coordinator/client/client.h"
#include "protocol/base/xid.h"

namespace assent::live {
namespace {

constexpr int kTries = 20;
constexpr std::chrono::seconds kNoticedWithin{5};
constexpr std::chrono::milliseconds kInFlight{30};  // what the agents were told already is done

// Not of the ring: nobody could tell afterwards whether it is broken by this hand alone.
constexpr const char* kPrepared =
    "SELECT p.gid FROM pg_prepared_xacts p WHERE p.gid LIKE 'assent\\_%' AND NOT EXISTS (SELECT "
    "FROM pg_locks t JOIN pg_locks r ON r.virtualtransaction = t.virtualtransaction WHERE "
    "t.locktype = 'transactionid' AND t.transactionid = p.transaction AND r.locktype = 'relation' "
    "AND r.relation = to_regclass('node')) LIMIT 1;";

class Hand : public SandboxFault {
  std::string name() const override { return "hand"; }

  std::string aim(workload::Random& random, Site&) override {
    std::vector<std::string> candidates;
    for (const Participant& each : sandbox().spec().participants) {
      if (each.kind == DatabaseKind::kPostgres) candidates.push_back(each.name);
    }
    if (!candidates.empty()) at_ = random.one_of(candidates);
    return "a branch at " + at_;
  }
  std::vector<std::string> parts() const override {
    return {"coordinator", "agent-" + at_, "db-" + at_};
  }

  // Until there is a branch at the moment of the look; under load soon.
  void start(Scene& scene) override {
    bool found = false;
    for (int i = 0; i < kTries && !found; ++i) {
      sandbox().pause("coordinator");
      wait_until([] { return false; }, kInFlight);
      found = roll_one_back(scene);
      sandbox().resume("coordinator");
    }
  }
  void heal(Scene&) override {
    if (gtrid_) wait_until([&] { return is_dealt_with(); }, kNoticedWithin);
    gtrid_.reset();
  }

  // It was noticed, and allowed; or its transaction was rolled back anyway.
  bool is_dealt_with() const {
    auto client = Client::connect({.coordinator = sandbox().coordinator_address()});
    if (!client) return false;
    Allow allow;
    allow.what = Allowance::kViolation;
    allow.hand = {.by = "chaos", .reason = "a branch was rolled back by hand", .act = true};
    const auto told = client->act(allow);
    if (told && told->acted) return true;
    const auto shown = client->transaction(*gtrid_);
    return shown && shown->transaction && shown->transaction->outcome == Outcome::kRolledBack;
  }

  bool roll_one_back(Scene& scene) {
    DatabaseServer& postgres = sandbox().database(at_);
    const std::vector<Row> prepared = postgres.query(at_, kPrepared);
    if (prepared.empty()) return false;
    const std::string& gid = prepared.front().front();
    const auto xid = parse_gid(gid);
    if (!xid || !postgres.run_sql(at_, "ROLLBACK PREPARED '" + gid + "';").end.succeeded())
      return false;
    scene.injected.rolled_back.push_back({at_, to_string(xid->gtrid)});
    gtrid_ = xid->gtrid;
    return true;
  }

  std::string at_;
  std::optional<Gtrid> gtrid_;  // of the branch that was rolled back
};

}  // namespace

std::unique_ptr<Fault> make_hand() {
  return std::make_unique<Hand>();
}

}  // namespace assent::live
