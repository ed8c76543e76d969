#include "tests/crash/crash_trials.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "protocol/base/crash_points.h"
#include "tests/log/losing.h"

namespace assent::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kPayments = 24;
constexpr int kFewPayments = 6;
constexpr auto kLastPassing = 1s;  ///< what follows the last answer, such as an end record
constexpr auto kOccasionLasts = 20s;
constexpr auto kCallMax = 2s;
constexpr const char* kCoordinator = "coordinator";

ByHand by_hand() {
  return {.by = "crash trials", .reason = "a drill", .act = true};
}

/// A branch in every participant, and nothing for the books.
Submission changes_nothing(const Setup& setup) {
  Submission submission;
  submission.wait = WaitFor::kDecided;
  for (const auto& [name, kind, schema] : setup.participants) {
    const bool cards = schema == live::Schema::kCards;
    submission.step(name, cards ? "UPDATE card SET points = points WHERE id = 1"
                                : "UPDATE bill SET due = due WHERE card_id = 1");
  }
  return submission;
}

bool is_agent(std::string_view part) {
  return part.starts_with("agent-");
}

std::string participant_of(const std::string& part) {
  return part.substr(part.find('-') + 1);
}

}  // namespace

CrashTrials::CrashTrials()
    : till_(postgres_and_mariadb(), [](live::SandboxSpec& spec) {
        spec.coordinator_settings = "[limits]\nretention_hours = 1\nscan_interval_ms = 200\n";
        spec.changes_host = true;
      }) {
  House& house = till_.house();
  house.wait_until_linked();
  const Answer paid = house.client().submit(changes_nothing(house.setup()));
  if (paid.gtrid) known_ = *paid.gtrid;
}

std::vector<std::string> CrashTrials::victims_of(std::string_view point) {
  if (point.starts_with("coordinator.") || point.starts_with("log.")) return {kCoordinator};
  std::vector<std::string> agents;
  for (const auto& participant : till_.house().setup().participants)
    agents.push_back("agent-" + participant.name);
  return agents;
}

bool CrashTrials::comes_by_itself(std::string_view point) {
  const Occasion occasion = occasion_of(point);
  return occasion.before == nullptr && occasion.during == nullptr;
}

CrashTrials::Occasion CrashTrials::occasion_of(std::string_view point) {
  using T = CrashTrials;
  static const std::vector<std::pair<std::string_view, Occasion>> occasions = {
      // By the beginning of their names; the first that fits.
      {"coordinator.stop.", {nullptr, &T::stop_victim, nullptr}},
      {"agent.stop.", {nullptr, &T::stop_victim, nullptr}},
      {"coordinator.settle.", {nullptr, &T::settle, nullptr}},
      {"coordinator.retry.", {nullptr, &T::retry, nullptr}},
      {"coordinator.resolve.", {nullptr, &T::resolve, nullptr}},
      {"coordinator.backup.", {nullptr, &T::back_up, nullptr}},
      {"coordinator.action.", {nullptr, &T::back_up, nullptr}},
      {"log.copy.", {nullptr, &T::back_up, nullptr}},
      {"coordinator.inspect", {nullptr, &T::look, nullptr}},
      {"coordinator.orphan.", {&T::leave_orphan, nullptr, nullptr}},
      {"agent.inspect", {nullptr, &T::look, nullptr}},
      {"coordinator.link.lost", {nullptr, &T::restart_other_side, nullptr}},
      {"agent.link.gone", {nullptr, &T::restart_other_side, nullptr}},
      {"agent.open_rollback.", {nullptr, &T::give_up_open_work, nullptr}},
      {"rm.commit.looked", {&T::leave_decided, nullptr, nullptr}},
      {"agent.session.", {nullptr, &T::let_database_stand_still, nullptr}},
      {"agent.incarnation.", {nullptr, &T::restart_database, nullptr}},
      {"coordinator.heuristic_record.", {&T::do_damage, &T::show_damage, &T::repair_damage}},
      {"coordinator.hand_record.", {&T::do_damage, &T::deal_with_damage, &T::repair_damage}},
      {"coordinator.forget.", {&T::do_damage, &T::deal_with_damage, &T::repair_damage}},
      {"coordinator.allow.", {&T::do_damage, &T::deal_with_damage, &T::repair_damage}},
      {"log.checkpoint.", {nullptr, &T::move_clock, &T::confirm_clock}},
      {"log.removal.", {nullptr, &T::move_clock, &T::confirm_clock}},
      {"log.space.", {nullptr, &T::move_clock, &T::confirm_clock}},
      {"log.damaged_mark.", {&T::lose_mark, nullptr, &T::allow_to_presume}},
      {"log.new_mark.", {&T::lose_mark, nullptr, &T::allow_to_presume}},
      {"log.origin.", {&T::lose_origin, nullptr, nullptr}},
      {"log.folder.made", {&T::lose_log, nullptr, &T::allow_to_presume}},
      {"log.unread.", {&T::damage_end_of_log, nullptr, &T::allow_to_presume}},
      {"log.missing.", {&T::lose_old_record, nullptr, &T::allow_to_presume_once_known}},
      {"coordinator.loss_record.", {&T::put_old_log_back, nullptr, &T::allow_to_presume}},
  };
  for (const auto& [beginning, occasion] : occasions) {
    if (point.starts_with(beginning)) return occasion;
  }
  return {};
}

// ---- a death

Trial CrashTrials::run(const Death& death) {
  const auto begun = live::Clock::now();
  const Occasion occasion = occasion_of(death.point);
  Trial trial;
  victim_ = death.victim;
  if (occasion.before != nullptr) {
    trial.wrong = till_.settle_up(*till_.pay(kFewPayments));
    (this->*occasion.before)();
  }
  const auto payers = till_.pay(occasion.before == nullptr ? kPayments : kFewPayments);
  launch_to_die(death);
  trial.died = has_died(*payers, occasion);
  start_all_again({death.victim});
  if (occasion.after != nullptr) (this->*occasion.after)();
  trial.wrong += till_.settle_up(*payers);
  trial.seconds = std::chrono::duration<double>(live::Clock::now() - begun).count();
  return trial;
}

Trial CrashTrials::run(const Death& first, const Death& second) {
  const auto begun = live::Clock::now();
  Trial trial;
  const auto payers = till_.pay(kPayments);
  victim_ = first.victim;
  launch_to_die(first);
  trial.died = has_died(*payers, {});
  victim_ = second.victim;
  launch_to_die(second);
  if (second.victim != kCoordinator && !service(kCoordinator).is_running())
    till_.sandbox().start(kCoordinator);
  trial.died_again = has_died(*payers, {});
  start_all_again({first.victim, second.victim});
  trial.wrong = till_.settle_up(*payers);
  trial.seconds = std::chrono::duration<double>(live::Clock::now() - begun).count();
  return trial;
}

live::Service& CrashTrials::service(const std::string& part) {
  return is_agent(part) ? till_.sandbox().agent(participant_of(part))
                        : till_.sandbox().coordinator();
}

void CrashTrials::launch_to_die(const Death& death) {
  if (service(death.victim).is_running()) till_.house().kill(death.victim);
  service(death.victim)
      .launch({{"ASSENT_CRASH_POINT", death.point + ":" + std::to_string(death.count)}});
}

/// Without an occasion the payers are it.
bool CrashTrials::has_died(const live::Payers& payers, const Occasion& occasion) {
  if (occasion.during == nullptr) {
    comes_true([&] { return !victim().is_running() || payers.is_done(); });
    return victim().wait_for_end(kLastPassing);
  }
  const auto deadline = live::Clock::now() + kOccasionLasts;
  while (victim().is_running() && live::Clock::now() < deadline) {
    (this->*occasion.during)();
    victim().wait_for_end(100ms);
  }
  return !victim().is_running();
}

/// Who has not come to its point has to forget it.
void CrashTrials::start_all_again(const std::vector<std::string>& victims) {
  for (const auto& victim : victims) till_.house().kill(victim);
  till_.sandbox().start_databases();
  for (const std::string& part : till_.sandbox().names()) {
    if (!till_.sandbox().is_running(part)) till_.sandbox().launch(part);
  }
}

// ---- occasions of a client or a person

/// What it is told does not matter, and may be nothing.
template <typename Ask>
void CrashTrials::ask(Ask question) {
  auto client =
      Client::connect({.coordinator = till_.sandbox().coordinator_address(), .timeout = kCallMax});
  if (client) question(*client);
}

void CrashTrials::look() {
  ask([](Client& client) { client.in_doubt(); });
}

void CrashTrials::settle() {
  ask([this](Client& client) { client.settle(till_.house().fresh_key()); });
}

void CrashTrials::retry() {
  ask([this](Client& client) { client.act(RetryTransaction{known_}); });
}

void CrashTrials::resolve() {
  ask([this](Client& client) {
    client.act(ResolveTransaction{.gtrid = known_, .hand = by_hand()});
  });
}

void CrashTrials::back_up() {
  const auto copy = till_.sandbox().spec().directory / ("copy-" + std::to_string(++copies_));
  ask([&](Client& client) { client.act(BackUpLog{copy}); });
}

void CrashTrials::give_up_open_work() {
  ask([this](Client& client) {
    auto begun = client.begin();
    if (!begun) return;
    begun->execute(participant_of(victim_), "SELECT 1");
    begun->rollback();
  });
}

// ---- occasions of processes

/// False: the victim is dead already.
bool CrashTrials::lives_linked() {
  comes_true([&] { return !victim().is_running() || live::is_linked(till_.house().client()); });
  return victim().is_running();
}

void CrashTrials::stop_victim() {
  if (!lives_linked()) return;
  ::kill(victim().pid(), SIGTERM);
  victim().wait_for_end(kOccasionLasts);
}

void CrashTrials::restart_other_side() {
  if (!lives_linked()) return;
  const std::string other = is_agent(victim_) ? kCoordinator : "agent-points";
  till_.house().kill(other);
  till_.sandbox().start(other);
}

void CrashTrials::restart_database() {
  if (!lives_linked()) return;
  till_.house().database(participant_of(victim_)).restart();
}

/// Its answer comes too late for its caller: the session that waits for it is cut, and seen gone
/// once the database goes on.
void CrashTrials::let_database_stand_still() {
  if (!lives_linked()) return;
  const std::string participant = participant_of(victim_);
  Submission late{.timeout = 1s};
  late.step(participant, "SELECT 1");
  till_.sandbox().pause("db-" + participant);
  ask([&](Client& client) { client.submit(late); });
  victim().wait_for_end(kLastPassing);
  till_.sandbox().resume("db-" + participant);
}

/// Prepared everywhere, and the coordinator dies before it decides.
void CrashTrials::leave_orphan() {
  leave_behind({.point = "coordinator.commit_record.before", .victim = kCoordinator});
}

/// Prepared and decided, and the agent dies before it commits.
void CrashTrials::leave_decided() {
  leave_behind({.point = "agent.commit.before", .victim = victim_});
}

void CrashTrials::leave_behind(const Death& death) {
  launch_to_die(death);
  comes_true([&] {
    ask([&](Client& client) { client.submit(changes_nothing(till_.house().setup())); });
    return !victim().is_running();
  });
}

// ---- a branch that a person rolled back after the decision

void CrashTrials::do_damage() {
  House& house = till_.house();
  house.kill("agent-payments");
  house.sandbox().agent("payments").start({{"ASSENT_CRASH_POINT", "agent.commit.before:1"}});
  house.wait_until_linked();
  damaged_ = house.payment(1, 1, "damaged-" + house.fresh_key());
  Submission submission = House::submission(damaged_);
  submission.wait = WaitFor::kDecided;
  const Answer answer = house.client().submit(submission);
  if (answer.outcome != Outcome::kCommitted || !answer.gtrid)
    throw live::SandboxError("the payment that is to be damaged was not committed");
  damaged_gtrid_ = *answer.gtrid;
  comes_true([&] { return !house.sandbox().agent("payments").is_running(); });
  const live::Participant& participant = house.setup().participants.back();
  for (const auto& branch : live::prepared_branches(house.sandbox(), participant))
    house.database("payments").query("payments", "XA ROLLBACK " + branch + ";");
}

void CrashTrials::show_damage() {
  if (!till_.sandbox().is_running("agent-payments")) till_.sandbox().start("agent-payments");
}

/// After a restart in between nobody but a person can say that the database was not put back: who
/// answers first, it or the search through the log, decides whether they are asked.
void CrashTrials::deal_with_damage() {
  show_damage();
  ask([this](Client& client) {
    client.act(Allow{.what = Allowance::kViolation, .hand = by_hand()});
    client.act(ForgetDamage{.gtrid = damaged_gtrid_, .hand = by_hand()});
    client.act(Allow{.what = Allowance::kHistory, .participant = "payments", .hand = by_hand()});
  });
}

/// And the books are as if there had been no such payment.
void CrashTrials::repair_damage() {
  House& house = till_.house();
  const bool seen = comes_true([&] {
    const auto status = house.client().status();
    return status && (status->damaged > 0 || status->findings.empty());
  });
  comes_true([&] {
    deal_with_damage();
    const auto status = house.client().status();
    return status && status->ready && status->damaged == 0 && status->findings.empty();
  });
  if (!seen) throw live::SandboxError("the coordinator does not tell how it is");
  house.database("points").query(
      "points",
      "UPDATE card SET points = points + 1 WHERE id = 1; DELETE FROM ledger WHERE tx_key "
      "= '" +
          damaged_.key + "';");
}

// ---- time

void CrashTrials::move_clock() {
  if (!lives_linked()) return;
  clock_ += std::chrono::hours(3);
  till_.sandbox().host().set_clock(clock_);
  const auto deadline = live::Clock::now() + 5s;
  while (victim().is_running() && live::Clock::now() < deadline) {
    ask([](Client& client) { client.act(Allow{.what = Allowance::kClock, .hand = by_hand()}); });
    victim().wait_for_end(100ms);
  }
}

void CrashTrials::confirm_clock() {
  act_until_done(Allow{.what = Allowance::kClock, .hand = by_hand()});
}

// ---- the log's folder

std::filesystem::path CrashTrials::log() {
  return till_.sandbox().spec().directory / kCoordinator;
}

void CrashTrials::lose_mark() {
  till_.sandbox().stop(kCoordinator);
  std::filesystem::remove(log() / "high_water_mark");
}

void CrashTrials::lose_origin() {
  till_.sandbox().stop(kCoordinator);
  std::filesystem::remove(log() / "origin");
}

void CrashTrials::lose_log() {
  till_.sandbox().stop(kCoordinator);
  std::filesystem::remove_all(log());
}

void CrashTrials::damage_end_of_log() {
  till_.sandbox().stop(kCoordinator);
  for (const auto& entry : std::filesystem::directory_iterator(log() / "decisions")) {
    if (entry.path().extension() != ".log" || entry.file_size() == 0) continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(-1, std::ios::end);
    const char last = static_cast<char>(file.peek());
    file.put(static_cast<char>(~last));
    if (!file.flush()) throw live::SandboxError("can't write " + entry.path().string());
  }
}

/// A start after some time makes a checkpoint.
void CrashTrials::lose_old_record() {
  std::uint64_t old = 0;
  const bool found = comes_true([&] {
    till_.sandbox().stop(kCoordinator);
    old = newest_unread_record(log());
    if (old != 0) return true;
    clock_ += std::chrono::minutes(2);
    till_.sandbox().host().set_clock(clock_);
    till_.sandbox().start(kCoordinator);
    confirm_clock();
    return false;
  });
  if (!found) throw live::SandboxError("the log makes no checkpoints");
  lose_record(log(), old);
}

/// The databases were told of records that it lacks.
void CrashTrials::put_old_log_back() {
  House& house = till_.house();
  const auto old = till_.sandbox().spec().directory / "old-log";
  till_.sandbox().stop(kCoordinator);
  std::filesystem::copy(log(), old, std::filesystem::copy_options::recursive);
  till_.sandbox().start(kCoordinator);
  house.wait_until_linked();
  house.client().submit(changes_nothing(house.setup()));
  till_.sandbox().stop(kCoordinator);
  std::filesystem::remove_all(log());
  std::filesystem::rename(old, log());
}

void CrashTrials::allow_to_presume() {
  act_until_done(Allow{.what = Allowance::kPresume, .hand = by_hand()});
}

/// What was found and not written down is found once more, and ends the coordinator once more.
void CrashTrials::allow_to_presume_once_known() {
  comes_true([this] {
    if (!till_.sandbox().is_running(kCoordinator)) {
      till_.sandbox().reap();
      till_.sandbox().launch(kCoordinator);
    }
    const auto status = till_.house().client().status();
    return status && !status->presumes;
  });
  allow_to_presume();
}

/// Until there is nothing more for a person to do.
void CrashTrials::act_until_done(const ActionRequest& request) {
  House& house = till_.house();
  const bool done = comes_true([&] {
    house.client().act(request);
    const auto status = house.client().status();
    return status && status->ready && status->findings.empty();
  });
  if (done) return;
  const auto status = house.client().status();
  std::string findings;
  if (status)
    for (const auto& finding : status->findings) findings += finding.what + "\n";
  throw live::SandboxError("there is still something for a person to do:\n" + findings);
}

}  // namespace assent::testing
