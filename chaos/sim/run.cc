#include "chaos/sim/run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "chaos/sim/agent.h"
#include "chaos/sim/coordinator.h"
#include "chaos/sim/database.h"
#include "chaos/sim/link.h"
#include "chaos/sim/log.h"
#include "chaos/sim/log_check.h"
#include "chaos/sim/operator.h"
#include "chaos/sim/payer.h"
#include "chaos/sim/world.h"
#include "chaos/workload/evidence.h"
#include "chaos/workload/payment.h"
#include "coordinator/core/config.h"
#include "protocol/base/check.h"

namespace assent::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kBalance = 100;
constexpr Duration kPauseMax = seconds(40);
/// Nothing prepared, no row locked, every payer answered.
constexpr Duration kQuietWithin = seconds(15);
/// There may be dozens of damages.
constexpr Duration kForAllDeeds = minutes(5);

std::string text(Duration duration) {
  return std::to_string(duration.count() / 1'000'000) + " s";
}

class House {
 public:
  House(std::uint64_t seed, bool tracing);
  RunResult run();

 private:
  /// A participant: its database, and its agent while that runs.
  struct Branch {
    std::unique_ptr<Database> database;
    std::unique_ptr<Agent> agent;
  };
  struct Fault {
    const char* name;
    std::function<void()> inject;
  };

  void build();
  void draw_log_habits();
  std::optional<Order> next_order();
  std::optional<Order> old_order();
  void judge_answer(const Order& order, const Coordinator* teller, Answer& answer);
  void start_coordinator();
  Branch& branch_of(const std::string& participant);
  void start_agent(Branch& branch);
  void kill_coordinator(Coordinator& victim);
  void replace_coordinator();
  void lose_log_end();
  void tell_payers(const coordinator::StoredRecord& lost);
  Decision decided_in_truth(const Gtrid& gtrid) const;
  void end_deposed(const std::weak_ptr<const Process::State>& which);
  void kill_agent(Branch& branch);
  void kill_database(Branch& branch);
  void copy_or_put_back(Branch& branch);
  void put_back(Branch& branch);
  Duration a_pause();

  void permit_faults();
  void swizzle();
  Duration clocks_jump_most();
  void plan_fault();
  void strike_soon(std::function<void()> strike);
  void on_step();
  void between_events();
  void heal();
  bool is_over() const;
  void run_until_over();
  void pay_again();
  void let_operator_finish();
  void violated(const char* invariant, std::string what) {
    result_.violations.push_back({invariant, std::move(what)});
  }
  workload::Evidence evidence() const;
  void judge(const workload::Evidence& before);

  World world_;
  Links links_;
  Weather weather_;         ///< between coordinator and agents
  Weather client_weather_;  ///< nothing is repeated there: only agents are promised to bear it (R6)
  coordinator::Config config_;
  LogDisk disk_;
  std::vector<Branch> branches_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<std::unique_ptr<Coordinator>> deposed_;  ///< and do not know it, perhaps
  std::unique_ptr<Operator> operator_;
  std::vector<std::unique_ptr<Payer>> payers_;
  std::vector<Fault> faults_;
  Duration between_faults_{};
  bool healing_ = false;
  bool by_hand_ = false;  ///< something has to be done

  bool spares_log_ = false;         ///< else no database is put back
  std::set<std::string> put_back_;  ///< participants whose databases were

  std::uint64_t strike_at_step_ = 0;  ///< 0: nothing is planned
  std::function<void()> strike_;
  std::vector<std::function<void()>> ends_;  ///< of those that have died in the midst of something

  std::int64_t cards_ = 0;
  std::uint64_t payments_left_ = 0;
  std::uint64_t payments_made_ = 0;
  std::vector<Order> orders_;  ///< that may be asked for again, oldest first
  RunResult result_;
};

House::House(std::uint64_t seed, bool tracing) : world_(seed) {
  world_.set_tracing(tracing);
  world_.set_hooks([this] { on_step(); }, [this] { between_events(); });
  build();
}

// ---------------------------------------------------------------- the house

void House::build() {
  Random& random = world_.random();
  cards_ = static_cast<std::int64_t>(1 + random.below(12));
  payments_left_ = 10 + random.below(80);
  disk_.log_id = LogId{random.bits()};
  draw_log_habits();
  config_.name = "coordinator";
  const std::size_t participants = 2 + random.below(2);
  for (std::size_t i = 0; i < participants; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    config_.participants.push_back(name);
    const auto kind = random.one_in(2) ? DatabaseKind::kPostgres : DatabaseKind::kMariadb;
    branches_.push_back(
        {std::make_unique<Database>(world_, name, kind, cards_, kBalance), nullptr});
    branches_.back().database->start();
    if (random.one_in(3)) branches_.back().database->lose_one_in(20 + random.below(200));
    start_agent(branches_.back());
  }
  if (random.one_in(3)) weather_.delay_most = milliseconds(40);
  client_weather_ = weather_;
  if (random.one_in(3)) weather_.repeat_one_in = 20 + random.below(200);
  if (random.one_in(4)) weather_.reorder_one_in = 20 + random.below(200);
  start_coordinator();
  permit_faults();
  const auto find = [this] { return coordinator_.get(); };
  operator_ = std::make_unique<Operator>(
      world_, links_, client_weather_, find,
      [this](const Gtrid& gtrid) { return decided_in_truth(gtrid); },
      Operator::Books{[this](const Xid& xid) {
                        return put_back_.contains(xid.bqual) &&
                               branch_of(xid.bqual).database->lacks(xid);
                      },
                      [this](const Xid& xid) { branch_of(xid.bqual).database->put_right(xid); }},
      [this] {
        if (coordinator_) kill_coordinator(*coordinator_);
      });
  const std::size_t payers = 1 + random.below(6);
  for (std::size_t i = 0; i < payers; ++i) {
    payers_.push_back(std::make_unique<Payer>(
        world_, links_, client_weather_, find, [this] { return next_order(); },
        [this](const Order& order, const Coordinator* teller, Answer& answer) {
          judge_answer(order, teller, answer);
        }));
  }
}

/// Some forget soon: what they remember, and how they find it again, shows within a run.
void House::draw_log_habits() {
  Random& random = world_.random();
  const std::array<std::uint64_t, 4> often = {0, 2, 10, 60};
  disk_.checkpoint_one_in = often.at(random.below(often.size()));
  if (!random.one_in(3)) return;
  disk_.retention = random.between(seconds(8), seconds(60));
  config_.retention = disk_.retention;
  config_.timeout_max = disk_.retention / 2;
  config_.default_timeout = std::min(config_.default_timeout, config_.timeout_max);
}

/// Some are asked for twice, by two payers at once; where outcomes are forgotten, also late.
std::optional<Order> House::next_order() {
  Random& random = world_.random();
  if (auto old = old_order()) return old;
  if (payments_left_ == 0) return std::nullopt;
  --payments_left_;
  Order order;
  workload::Payment& payment = order.payment;
  payment.key = "payment-" + std::to_string(++payments_made_);
  payment.amount = static_cast<std::int64_t>(1 + random.below(30));
  const std::size_t spared = branches_.size() > 2 ? random.below(branches_.size() + 1) : 99;
  const bool only_looks = random.one_in(30);
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    const std::string& participant = branches_[i].database->participant();
    const bool looks = only_looks || random.one_in(i == spared ? 2 : 12);
    if (looks) order.looked_at.push_back(participant);
    if (only_looks || i == spared) continue;
    payment.legs.push_back(
        {participant, workload::Balance::kPoints,
         1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(cards_)))});
  }
  if (disk_.retention > Duration{})
    order.not_after = world_.clocks().wall + random.between(milliseconds(1), disk_.retention / 2);
  orders_.push_back(order);
  return order;
}

std::optional<Order> House::old_order() {
  Random& random = world_.random();
  if (orders_.empty()) return std::nullopt;
  if (random.one_in(10)) return orders_.back();
  const bool late = disk_.retention > Duration{} && random.one_in(6);
  return late ? std::optional(random.one_of(orders_)) : std::nullopt;
}

/// R15: nothing expires before its time, or while the log says something else. That a key has been
/// decided is known as long as its record is there, and to the opening of the log that is in
/// charge: one that was deposed and has not heard of it decides nothing more, but knows of no later
/// decision.
void House::judge_answer(const Order& order, const Coordinator* teller, Answer& answer) {
  const std::string& key = order.payment.key;
  if (answer.outcome == Outcome::kExpired) {
    if (!order.not_after || world_.latest() <= *order.not_after)
      violated("R15", key + " was told expired before its time");
    const coordinator::StoredRecord* decision = disk_.decision_of(key);
    const auto* rollback =
        decision ? std::get_if<coordinator::RollbackRecord>(&decision->payload) : nullptr;
    const bool expired = rollback != nullptr && rollback->reason.code == ErrorCode::kExpired;
    if (decision != nullptr && !expired)
      violated("R15", key + " was told expired, and the log says something else");
  }
  const bool unknowing =
      answer.outcome == Outcome::kNoRecord || answer.outcome == Outcome::kInProgress;
  const bool in_charge = teller == coordinator_.get();
  if (unknowing && (disk_.has_forgotten(key) || !in_charge)) answer.outcome = Outcome::kUnknown;
}

void House::start_coordinator() {
  if (coordinator_) return;
  coordinator_ = std::make_unique<Coordinator>(
      world_, config_, disk_, links_, weather_,
      Coordinator::Hooks{
          [this](const std::string& participant) { return branch_of(participant).agent.get(); },
          [this](Coordinator& halted) { kill_coordinator(halted); },
          [this](const char* invariant, const std::string& what) { violated(invariant, what); },
          [this](const std::string& participant) -> const Database& {
            return *branch_of(participant).database;
          },
          [this] { return !disk_.lost.empty(); },
          [this]() -> const std::set<std::string>& { return put_back_; },
          [this] { by_hand_ = true; }});
}

House::Branch& House::branch_of(const std::string& participant) {
  const auto found = std::find_if(
      branches_.begin(), branches_.end(),
      [&participant](const auto& each) { return each.database->participant() == participant; });
  ASSENT_CHECK(found != branches_.end());
  return *found;
}

void House::start_agent(Branch& branch) {
  if (!branch.agent) branch.agent = std::make_unique<Agent>(world_, *branch.database);
}

// ---------------------------------------------------------------- faults

/// Usually a moment, sometimes longer than every timer.
Duration House::a_pause() {
  Random& random = world_.random();
  if (healing_) return milliseconds(1);
  return random.one_in(8) ? random.between(seconds(5), kPauseMax)
                          : random.between(milliseconds(1), milliseconds(1500));
}

void House::kill_coordinator(Coordinator& victim) {
  if (victim.process().is_dead()) return;
  victim.process().die();
  ends_.emplace_back([this, &victim] {
    std::erase_if(deposed_, [&victim](const auto& each) { return each.get() == &victim; });
    if (coordinator_.get() != &victim) return;
    coordinator_.reset();
    world_.in(a_pause(), [this] { start_coordinator(); });
  });
}

/// It stands still so long that somebody takes it for dead and starts another one at its disk; and
/// ends it some time after it goes on.
void House::replace_coordinator() {
  if (!coordinator_ || coordinator_->process().is_dead()) return;
  const Duration still = a_pause();
  coordinator_->process().stand_still(still);
  coordinator_->log().lose_disk();
  deposed_.push_back(std::move(coordinator_));
  world_.in(still + a_pause(),
            [this, state = deposed_.back()->process().state()] { end_deposed(state); });
  start_coordinator();
}

/// Decisions are lost of which every database was told: whoever opens the log learns of it, and a
/// person has to find out what was decided.
void House::lose_log_end() {
  std::uint64_t told = disk_.records.size();
  for (const Branch& branch : branches_)
    told = std::min(told, branch.database->fence_top(disk_.log_id));
  if (!disk_.lost.empty() || spares_log_ || told < 3) return;
  coordinator_.reset();
  deposed_.clear();
  disk_.lose_from(2 + world_.random().below(told - 2), world_.random().one_in(2));
  world_.trace("disk", std::to_string(disk_.lost.size()) + " records of the log are lost");
  for (const coordinator::StoredRecord& record : disk_.lost) tell_payers(record);
  world_.in(a_pause(), [this] { start_coordinator(); });
}

void House::tell_payers(const coordinator::StoredRecord& lost) {
  const std::string* key = key_of(lost.payload);
  if (key == nullptr) return;
  const auto* rollback = std::get_if<coordinator::RollbackRecord>(&lost.payload);
  const bool expired = rollback != nullptr && rollback->reason.code == ErrorCode::kExpired;
  const Outcome outcome = rollback == nullptr ? Outcome::kCommitted
                          : expired           ? Outcome::kExpired
                                              : Outcome::kRolledBack;
  std::erase_if(orders_, [key](const Order& order) { return order.payment.key == *key; });
  for (const auto& payer : payers_) payer->tell(*key, outcome);
}

/// Also where the log does not know it any more.
Decision House::decided_in_truth(const Gtrid& gtrid) const {
  const auto commits = [&gtrid](const coordinator::StoredRecord& record) {
    const auto* commit = std::get_if<coordinator::CommitRecord>(&record.payload);
    return commit != nullptr && commit->gtrid == gtrid;
  };
  const auto kept = disk_.decided.find(gtrid);
  const bool committed = std::any_of(disk_.lost.begin(), disk_.lost.end(), commits) ||
                         (kept != disk_.decided.end() && commits(disk_.records.at(kept->second)));
  return committed ? Decision::kCommit : Decision::kRollback;
}

void House::end_deposed(const std::weak_ptr<const Process::State>& which) {
  const auto found = std::find_if(deposed_.begin(), deposed_.end(), [&which](const auto& each) {
    return each->process().state().lock() == which.lock();
  });
  if (found != deposed_.end()) kill_coordinator(**found);
}

void House::kill_agent(Branch& branch) {
  if (!branch.agent || branch.agent->process().is_dead()) return;
  branch.agent->process().die();
  ends_.emplace_back([this, &branch] {
    branch.agent.reset();
    world_.in(a_pause(), [this, &branch] { start_agent(branch); });
  });
}

void House::kill_database(Branch& branch) {
  ends_.emplace_back([this, &branch] {
    branch.database->crash();
    world_.in(a_pause(), [&branch] { branch.database->start(); });
  });
}

/// Not where the log does not know all decisions: then nobody can tell in the end what has to be
/// there.
void House::copy_or_put_back(Branch& branch) {
  if (!spares_log_ || disk_.retention > Duration{}) return;
  Database& database = *branch.database;
  const bool puts_back = world_.random().one_in(2) && put_back_.size() < 2;
  if (!database.has_copy() || (!puts_back && world_.random().one_in(3))) return database.back_up();
  if (puts_back) put_back(branch);
}

/// Also below an agent that goes on.
void House::put_back(Branch& branch) {
  ends_.emplace_back([this, &branch] {
    branch.database->put_back();
    put_back_.insert(branch.database->participant());
    by_hand_ = true;
    if (world_.random().one_in(2)) branch.agent.reset();
    world_.in(a_pause(), [this, &branch] {
      branch.database->start();
      start_agent(branch);
    });
  });
}

/// At a moment that no clock would find: with one of the next things that somebody does, perhaps
/// between two that he does at once.
void House::strike_soon(std::function<void()> strike) {
  strike_at_step_ = world_.steps() + 1 + world_.random().below(40);
  strike_ = std::move(strike);
}

void House::on_step() {
  if (strike_at_step_ == 0 || world_.steps() < strike_at_step_) return;
  strike_at_step_ = 0;
  std::exchange(strike_, nullptr)();
}

void House::between_events() {
  for (const auto& end : std::exchange(ends_, {})) end();
}

void House::permit_faults() {
  Random& random = world_.random();
  const auto some_branch = [this]() -> Branch& { return world_.random().one_of(branches_); };
  const std::vector<Fault> all = {
      {"coordinator killed",
       [this] {
         strike_soon([this] {
           if (coordinator_) kill_coordinator(*coordinator_);
         });
       }},
      {"coordinator replaced",
       [this] { strike_soon([this] { ends_.emplace_back([this] { replace_coordinator(); }); }); }},
      {"log loses its end, if it can",
       [this] {
         if (world_.random().one_in(4)) ends_.emplace_back([this] { lose_log_end(); });
       }},
      {"agent killed",
       [this, some_branch] { strike_soon([this, some_branch] { kill_agent(some_branch()); }); }},
      {"database killed",
       [this, some_branch] { strike_soon([this, some_branch] { kill_database(some_branch()); }); }},
      {"database copied or put back", [this, some_branch] { copy_or_put_back(some_branch()); }},
      {"sync of the log fails",
       [this] {
         if (coordinator_) coordinator_->log().set_failing(true);
       }},
      {"coordinator stands still",
       [this] {
         if (coordinator_) coordinator_->process().stand_still(a_pause());
       }},
      {"agent stands still",
       [this, some_branch] {
         if (Branch& branch = some_branch(); branch.agent)
           branch.agent->process().stand_still(a_pause());
       }},
      {"database stands still",
       [this, some_branch] {
         if (Process* process = some_branch().database->process()) process->stand_still(a_pause());
       }},
      {"database's connections cut",
       [this, some_branch] {
         strike_soon([some_branch] { some_branch().database->cut_connections(); });
       }},
      {"connection cut",
       [this] {
         auto standing = links_.standing();
         if (!standing.empty()) world_.random().one_of(standing)->cut();
       }},
      {"nothing gets through, one way",
       [this] {
         auto standing = links_.standing();
         const Link::Side side =
             world_.random().one_in(2) ? Link::Side::kCaller : Link::Side::kCallee;
         if (!standing.empty()) world_.random().one_of(standing)->hold(side, a_pause());
       }},
      {"links swizzled", [this] { swizzle(); }},
      {"clocks jump",
       [this] {
         const Duration most = clocks_jump_most();
         world_.set_clocks(world_.random().between(-most, most));
       }},
  };
  spares_log_ = random.one_in(2);
  const bool any = !random.one_in(10);
  for (const Fault& fault : all) {
    if (any && !random.one_in(3)) faults_.push_back(fault);
  }
  between_faults_ = random.between(milliseconds(20), seconds(3));
  plan_fault();
}

/// Some are cut off one after another, and come back one after another, in an order of its own.
void House::swizzle() {
  Random& random = world_.random();
  std::vector<std::string> places = config_.participants;
  places.emplace_back("payer");
  for (const std::string& place : places) {
    if (random.one_in(3)) continue;
    world_.in(random.between(Duration(0), seconds(4)), [this, place] {
      if (!healing_) links_.part(place);
    });
    world_.in(seconds(4) + random.between(Duration(0), seconds(random.one_in(4) ? 30 : 8)),
              [this, place] { links_.mend(place); });
  }
}

/// Where outcomes are forgotten soon, not so far that all that is paid later has expired.
Duration House::clocks_jump_most() {
  if (disk_.retention > Duration{}) return 2 * disk_.retention;
  return std::chrono::hours(world_.random().one_in(4) ? 100 : 1);
}

void House::plan_fault() {
  if (faults_.empty()) return;
  world_.in(world_.random().between(Duration(0), 2 * between_faults_), [this] {
    if (healing_) return;
    const Fault& fault = world_.random().one_of(faults_);
    ++result_.faults[fault.name];
    world_.trace("fault", fault.name);
    fault.inject();
    plan_fault();
  });
}

void House::heal() {
  healing_ = true;
  payments_left_ = 0;
  strike_at_step_ = 0;
  strike_ = nullptr;
  world_.trace("healing", "everything starts or goes on, and nothing fails any more");
  for (Branch& branch : branches_) {
    branch.database->start();
    branch.database->lose_one_in(0);
    branch.database->process()->go_on();
    start_agent(branch);
    branch.agent->process().go_on();
  }
  start_coordinator();
  coordinator_->process().go_on();
  coordinator_->log().set_failing(false);
  for (const auto& deposed : deposed_) {
    deposed->process().go_on();
    world_.in(world_.random().between(milliseconds(0), seconds(3)),
              [this, state = deposed->process().state()] { end_deposed(state); });
  }
  links_.release_all();
}

// ---------------------------------------------------------------- a run

workload::Evidence House::evidence() const {
  workload::Evidence evidence;
  for (const Branch& branch : branches_) evidence.push_back(branch.database->evidence());
  return evidence;
}

bool House::is_over() const {
  return std::all_of(payers_.begin(), payers_.end(),
                     [](const auto& payer) { return payer->is_done(); }) &&
         workload::is_quiet(evidence());
}

RunResult House::run() {
  const workload::Evidence before = evidence();
  world_.run_until(Instant{} + world_.random().between(seconds(1), seconds(60)));
  heal();
  const Instant healed = world_.now();
  run_until_over();
  result_.until_quiet = world_.now() - healed;
  pay_again();
  // Whatever was under way, held or waited for has come by then.
  world_.run_until(world_.now() + kPauseMax + config_.scan_interval);
  let_operator_finish();
  judge(before);
  result_.events = world_.events();
  result_.lived = world_.now() - Instant{};
  result_.trace = world_.traced();
  return std::move(result_);
}

/// A person's deeds begin the time anew: he settles one damage after another.
void House::run_until_over() {
  const Instant begin = world_.now();
  const auto is_late = [&] {
    const Instant now = world_.now();
    return now >= begin + kForAllDeeds ||
           now >= std::max(begin, operator_->last_deed()) + kQuietWithin;
  };
  while (!is_over() && !is_late()) world_.run_until(world_.now() + milliseconds(100));
  if (!is_over())
    violated("L3", "not all is quiet " + text(kQuietWithin) + " after all was healed");
}

void House::let_operator_finish() {
  const Instant end = world_.now() + kForAllDeeds;
  while (by_hand_ && !coordinator_->status().findings.empty() && world_.now() < end)
    world_.run_until(world_.now() + seconds(1));
}

/// A healed house works.
void House::pay_again() {
  payments_left_ = 2 * payers_.size();
  for (const auto& payer : payers_) payer->go_on();
  run_until_over();
}

void House::judge(const workload::Evidence& before) {
  workload::History history;
  for (const auto& payer : payers_) history.add(payer->history());
  for (const workload::Violation& violation : workload::check(before, history, evidence()))
    result_.violations.push_back(violation);
  for (std::size_t i = 0; i < payers_.size(); ++i) {
    if (!payers_[i]->is_done()) violated("L4", "payer " + std::to_string(i) + " still waits");
  }
  std::vector<const Database*> databases;
  for (const Branch& branch : branches_) databases.push_back(branch.database.get());
  for (const workload::Violation& violation : check_log(disk_, databases, put_back_))
    result_.violations.push_back(violation);
  for (const Database* database : databases) {
    for (const Xid& xid : database->zombies())
      violated("R9", to_string(xid) + " was prepared after its absence had been told");
  }
  const CoordinatorStatus status = coordinator_->status();
  if (status.live != 0)
    violated("L1", "the coordinator's table holds " + std::to_string(status.live) +
                       " transactions, and nothing is left of them anywhere");
  for (const Finding& finding : status.findings) violated("I12", finding.what);
  if (status.damaged != 0)
    violated("I12", std::to_string(status.damaged) + " branches are recorded as damaged");
  result_.payments = history.entries().size();
  result_.committed = history.count(workload::Verdict::kCommitted);
}

}  // namespace

RunResult run(std::uint64_t seed, bool tracing) {
  return House(seed, tracing).run();
}

}  // namespace assent::sim
