// A person rolls a prepared branch of ours back in the database, while its vote or its commit is on
// the way.

#include <chrono>
#include <mutex>
#include <optional>

#include "chaos/faults/faults.h"
#include "chaos/faults/person.h"
#include "chaos/faults/sandbox_fault.h"
#include "protocol/base/xid.h"

namespace assent::live {
namespace {

constexpr int kTries = 20;
constexpr std::chrono::milliseconds kComesWithin{1'000};
constexpr std::chrono::milliseconds kDetachedWithin{1'000};
constexpr std::chrono::seconds kNoticedWithin{5};

/// The branch that a held message speaks of. Of the proxy's thread and ours.
class Caught {
 public:
  void set(const Xid& xid) {
    const std::lock_guard lock(mutex_);
    xid_ = xid;
  }
  std::optional<Xid> get() {
    const std::lock_guard lock(mutex_);
    return xid_;
  }

 private:
  std::mutex mutex_;
  std::optional<Xid> xid_;
};

bool is_vote(const Frame& frame, Caught& caught) {
  const auto* voted = message_in<Voted>(frame);
  if (voted == nullptr || voted->vote != Vote::kPrepared) return false;
  caught.set(voted->xid);
  return true;
}

bool is_commit(const Frame& frame, Caught& caught) {
  const auto* commit = message_in<Commit>(frame);
  if (commit == nullptr) return false;
  caught.set(commit->xid);
  return true;
}

std::string rollback_sql(DatabaseKind kind, const Xid& xid) {
  if (kind == DatabaseKind::kPostgres) return "ROLLBACK PREPARED '" + to_gid(xid) + "';";
  return "XA ROLLBACK '" + to_string(xid.gtrid) + "','" + xid.bqual + "'," +
         std::to_string(kFormatId) + ";";
}

class Hand : public SandboxFault {
  std::string name() const override { return "hand"; }

  void prepare(SandboxSpec& spec) override {
    if (!spec.proxy_seed) spec.proxy_seed = 1;
  }

  std::string aim(workload::Random& random, Site&) override {
    at_ = random.one_of(sandbox().spec().participants);
    before_decision_ = random.one_in(2);
    return "a branch at " + at_.name + (before_decision_ ? ", its vote" : ", its commit") +
           " on the way";
  }
  std::vector<std::string> parts() const override {
    return {"coordinator", "agent-" + at_.name, "db-" + at_.name};
  }

  // Until one comes that may be damaged; under load soon.
  void start(Scene& scene) override {
    for (int i = 0; i < kTries && !gtrid_; ++i) {
      const auto caught = std::make_shared<Caught>();
      Trap trap = sandbox()
                      .proxy()
                      .link("agent-" + at_.name)
                      .trap([caught, before = before_decision_](const Frame& frame) {
                        return before ? is_vote(frame, *caught) : is_commit(frame, *caught);
                      });
      if (!trap.wait(kComesWithin)) continue;
      const auto xid = caught->get();
      if (xid && may_be_damaged(*xid) && roll_back(*xid)) {
        scene.injected.rolled_back.push_back({at_.name, to_string(xid->gtrid)});
        gtrid_ = xid->gtrid;
      }
    }
  }
  void heal(Scene&) override {
    if (gtrid_) wait_until([&] { return is_dealt_with(); }, kNoticedWithin);
    gtrid_.reset();
  }

  // Not of the ring: nobody could tell afterwards whether it is broken by this hand alone.
  bool may_be_damaged(const Xid& xid) const {
    auto person = Person::at(sandbox().coordinator_address());
    if (!person) return false;
    const auto shown = person->transaction(xid.gtrid);
    return shown && shown->transaction && !shown->transaction->key.starts_with("ring-");
  }

  // Its session lets go of it right after the vote.
  bool roll_back(const Xid& xid) const {
    const std::string sql = rollback_sql(at_.kind, xid);
    return wait_until(
        [&] { return sandbox().database(at_.name).run_sql(at_.name, sql).end.succeeded(); },
        kDetachedWithin);
  }

  // It was noticed, and allowed; or its transaction was rolled back anyway.
  bool is_dealt_with() const {
    auto person = Person::at(sandbox().coordinator_address());
    if (!person) return false;
    if (person->allow(Allowance::kViolation, "a branch was rolled back by hand")) return true;
    const auto shown = person->transaction(*gtrid_);
    return shown && shown->transaction && shown->transaction->outcome == Outcome::kRolledBack;
  }

  Participant at_;
  bool before_decision_ = false;
  std::optional<Gtrid> gtrid_;  // of the branch that was rolled back
};

}  // namespace

std::unique_ptr<Fault> make_hand() {
  return std::make_unique<Hand>();
}

}  // namespace assent::live
