#include "participant_agents/server/session_table.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "participant_agents/core/refusal.h"
#include "participant_agents/server/random_bits.h"
#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// For a message that names none.
constexpr Duration kDefaultDeadline = seconds(30);
/// What an interrupted call may still take. Longer than an optimistic lock wait (section 9): where
/// cards are hot, most interrupted calls are about to end by themselves, and a new connection costs
/// more than the wait.
constexpr Duration kInterruptPatience = milliseconds(100);

Instant now() {
  return read_clocks().steady;
}

Instant deadline_of(Duration wanted) {
  return now() + (wanted > Duration(0) ? wanted : kDefaultDeadline);
}

WorkEnded without_effect(const Xid& xid, Error error) {
  WorkEnded ended;
  ended.xid = xid;
  ended.vote = Vote::kRolledBack;
  ended.error = std::move(error);
  return ended;
}

const Xid& xid_of(const Job& job) {
  if (const auto* commit = std::get_if<RunCommit>(&job)) return commit->xid;
  return std::get<RunRollback>(job).xid;
}

}  // namespace

SessionTable::SessionTable(Turn& turn, rm::ResourceManager& manager, SessionLimits limits,
                           Hooks hooks)
    : turn_(turn),
      manager_(manager),
      limits_(limits),
      hooks_(std::move(hooks)),
      alarm_(turn.executor(), [this] { on_alarm(); }) {}

void SessionTable::begin() {
  first_opens_left_ = limits_.finish_sessions + limits_.work_sessions + 1;
  for (std::size_t i = 0; i < limits_.finish_sessions; ++i) add_slot(Purpose::kFinish);
  for (std::size_t i = 0; i < limits_.work_sessions; ++i) add_slot(Purpose::kWork);
  add_slot(Purpose::kLook);
}

void SessionTable::add_slot(Purpose purpose) {
  slots_.push_back(std::make_unique<Slot>());
  Slot& slot = *slots_.back();
  slot.purpose = purpose;
  slot.backoff.emplace(milliseconds(50), seconds(2), random_bits);
  ++threads_left_;
  slot.thread = std::make_unique<SessionThread>(
      turn_, manager_, [this, &slot](JobEnd end) { on_job_end(slot, std::move(end)); },
      [this] {
        if (--threads_left_ == 0) hooks_.ended();
      });
  slot.thread->run(OpenSession{});
}

void SessionTable::end() {
  ending_ = true;
  waiting_.clear();
  finishes_.clear();
  looks_.clear();
  if (slots_.empty()) return hooks_.ended();
  for (const auto& slot : slots_) {
    const bool at_work = slot->state == State::kBusy || slot->state == State::kHeld ||
                         slot->state == State::kVanishing;
    if (at_work) cut_at_end_.push_back(slot->session);
    slot->thread->ask_exit();
  }
}

// ---------------------------------------------------------------- what the core asks for

void SessionTable::start(StartWork&& effect) {
  Work& work = effect.work;
  const Instant deadline = deadline_of(work.deadline);
  if (work.first_index > 0) {
    Slot& slot = holder_of(work.xid);
    return run_work(slot, std::move(work), deadline);
  }
  // While a session is idle nobody waits who could have it.
  if (!idle_work_.empty() && (!work.interactive || interactive_allowed())) {
    return run_work(*take_idle(idle_work_), std::move(work), deadline);
  }
  if (auto error = forbidden(work)) {
    return hooks_.tell(without_effect(work.xid, std::move(*error)));
  }
  if (usable(Purpose::kWork) == 0) {
    return refuse(work, ErrorCode::kParticipantUnavailable,
                  "the agent has no session to its database: " + last_open_error_.message);
  }
  if (waiting_.size() >= limits_.queue_max) {
    return refuse(work, ErrorCode::kBusy,
                  "all database sessions are taken and the agent's queue is full; try again");
  }
  waiting_.push_back({std::move(work), deadline});
  alarm_.set(deadline);
}

/// Before it waits for a session; a session looks itself.
std::optional<Error> SessionTable::forbidden(const Work& work) const {
  for (std::size_t i = 0; i < work.statements.size(); ++i) {
    const auto allowed = manager_.check_statement(work.statements[i]);
    if (allowed) continue;
    Error error = allowed.error();
    error.step = static_cast<std::int32_t>(work.first_index + i);
    return error;
  }
  return std::nullopt;
}

void SessionTable::start(StartPrepare&& effect) {
  Slot& slot = holder_of(effect.xid);
  slot.stays_open = false;
  run(slot, RunPrepare{std::move(effect.xid)}, deadline_of(effect.deadline));
}

void SessionTable::start(StartRollBackOpen&& effect) {
  Slot& slot = holder_of(effect.xid);
  slot.stays_open = false;
  run(slot, RunRollBackOpen{std::move(effect.xid)}, now() + limits_.finish_timeout);
}

void SessionTable::start(StartCommit&& effect) {
  const auto by = effect.as_voted ? rm::PreparedBy::kThisIncarnation : rm::PreparedBy::kUnknown;
  enqueue_finish(RunCommit{std::move(effect.xid), std::move(effect.proof), by});
}

void SessionTable::start(StartRollback&& effect) {
  enqueue_finish(RunRollback{std::move(effect.xid), std::move(effect.proof)});
}

void SessionTable::enqueue_finish(Job job) {
  if (usable(Purpose::kFinish) + usable(Purpose::kWork) == 0) {
    hooks_.tell(FinishEnded{
        xid_of(job), Completion::kUnreached, Evidence::kNone,
        refusal(ErrorCode::kParticipantUnavailable,
                "the agent has no session to its database: " + last_open_error_.message)});
    return;
  }
  finishes_.push_back(std::move(job));
  dispatch_finishes();
}

void SessionTable::start(StartInspect&& effect) {
  if (usable(Purpose::kLook) == 0) return refuse_look(effect);
  looks_.push_back(std::move(effect));
  dispatch_looks();
}

void SessionTable::interrupt(const Xid& xid) {
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at->work.xid != xid) continue;
    const Work work = std::move(at->work);
    waiting_.erase(at);
    return refuse(work, ErrorCode::kRolledBackByCaller,
                  "rolled back while it waited for a database session");
  }
  for (const auto& slot : slots_) {
    if (slot->state == State::kBusy && slot->xid == xid) {
      slot->unwanted = refusal(ErrorCode::kRolledBackByCaller,
                               "cut because the transaction is to be rolled back");
      slot->deadline = std::min(slot->deadline, now() + kInterruptPatience);
      return alarm_.set(slot->deadline);
    }
  }
  // Its end is on its way already.
}

// ---------------------------------------------------------------- who gets a session

SessionTable::Slot& SessionTable::holder_of(const Xid& xid) {
  for (const auto& slot : slots_) {
    if (slot->state == State::kHeld && slot->xid == xid) return *slot;
  }
  check_failed(__FILE__, __LINE__, "an open branch has a session");
}

std::size_t SessionTable::usable(Purpose purpose) const {
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
        return slot->purpose == purpose && slot->state != State::kClosed &&
               slot->state != State::kOpening;
      }));
}

bool SessionTable::interactive_allowed() const {
  const auto held = std::count_if(slots_.begin(), slots_.end(),
                                  [](const auto& slot) { return slot->xid && slot->interactive; });
  return static_cast<std::size_t>(held) < std::max<std::size_t>(1, limits_.work_sessions / 2);
}

void SessionTable::refuse(const Work& work, ErrorCode code, std::string message) {
  hooks_.tell(without_effect(work.xid, refusal(code, std::move(message))));
}

void SessionTable::refuse_all_waiting() {
  for (const Waiting& one : std::exchange(waiting_, {})) {
    refuse(one.work, ErrorCode::kParticipantUnavailable,
           "the agent has lost its database sessions: " + last_open_error_.message);
  }
}

void SessionTable::refuse_look(const StartInspect& look) {
  hooks_.tell(InspectEnded{
      look.link,
      look.serial,
      {},
      {},
      refusal(ErrorCode::kParticipantUnavailable,
              "the agent has no session to look at its database: " + last_open_error_.message)});
}

void SessionTable::dispatch() {
  dispatch_finishes();
  dispatch_work();
  dispatch_looks();
}

void SessionTable::dispatch_looks() {
  while (!looks_.empty()) {
    Slot* slot = take_idle(idle_look_);
    if (slot == nullptr) return;
    StartInspect look = std::move(looks_.front());
    looks_.pop_front();
    slot->looker = look.link;
    slot->serial = look.serial;
    RunInspect job{std::move(look.logs), {}};
    for (LookedFor& one : look.branches) {
      job.branches.push_back({std::move(one.xid), std::move(one.proof)});
    }
    run(*slot, std::move(job), now() + limits_.finish_timeout);
  }
}

void SessionTable::dispatch_finishes() {
  while (!finishes_.empty()) {
    // The session that has just prepared is the warmest, in the agent and in the database.
    Slot* slot = take_idle(idle_work_);
    if (slot == nullptr) slot = take_idle(idle_finish_);
    if (slot == nullptr) return;
    Job job = std::move(finishes_.front());
    finishes_.pop_front();
    slot->xid = xid_of(job);
    run(*slot, std::move(job), now() + limits_.finish_timeout);
  }
}

void SessionTable::dispatch_work() {
  for (auto at = waiting_.begin(); at != waiting_.end() && !idle_work_.empty();) {
    if (at->work.interactive && !interactive_allowed()) {
      ++at;
      continue;
    }
    Waiting next = std::move(*at);
    at = waiting_.erase(at);
    run_work(*take_idle(idle_work_), std::move(next.work), next.deadline);
  }
}

SessionTable::Slot* SessionTable::take_idle(std::vector<Slot*>& idle) {
  if (idle.empty()) return nullptr;
  Slot* slot = idle.back();
  idle.pop_back();
  return slot;
}

void SessionTable::run_work(Slot& slot, Work work, Instant deadline) {
  slot.xid = work.xid;
  slot.interactive = work.interactive;
  slot.stays_open = work.then == AfterWork::kStayOpen;
  run(slot, RunWork{std::move(work)}, deadline);
}

void SessionTable::run(Slot& slot, Job job, Instant deadline) {
  slot.state = State::kBusy;
  slot.unwanted.reset();
  slot.deadline = deadline;
  slot.thread->run(std::move(job));
  alarm_.set(deadline);
}

void SessionTable::release(Slot& slot) {
  slot.xid.reset();
  slot.interactive = false;
  slot.stays_open = false;
  slot.state = State::kIdle;
  idle(slot.purpose).push_back(&slot);
  dispatch();
}

std::vector<SessionTable::Slot*>& SessionTable::idle(Purpose purpose) {
  switch (purpose) {
    case Purpose::kWork:
      return idle_work_;
    case Purpose::kFinish:
      return idle_finish_;
    case Purpose::kLook:
      return idle_look_;
  }
  check_failed(__FILE__, __LINE__, "a Purpose");
}

// ---------------------------------------------------------------- ends

void SessionTable::on_job_end(Slot& slot, JobEnd end) {
  if (ending_) return;
  if (slot.state == State::kOpening) return on_opened(slot, std::move(end));
  if (slot.state == State::kVanishing) return seek_gone(slot);
  on_call_end(slot, std::move(end));
}

void SessionTable::on_opened(Slot& slot, JobEnd end) {
  if (const auto* error = std::get_if<Error>(&end.report)) {
    if (last_open_error_.message != error->message) {
      spdlog::warn("a database session cannot be opened, trying on: {}", error->message);
    }
    last_open_error_ = *error;
    slot.state = State::kClosed;
    slot.deadline = now() + slot.backoff->next();
    alarm_.set(slot.deadline);
    if (usable(Purpose::kWork) == 0) refuse_all_waiting();
    if (usable(Purpose::kLook) == 0) {
      for (const StartInspect& look : std::exchange(looks_, {})) refuse_look(look);
    }
  } else {
    last_open_error_ = {};
    slot.backoff->reset();
    slot.session = end.session;
    release(slot);
  }
  if (!std::exchange(slot.tried, true) && --first_opens_left_ == 0) hooks_.opened();
}

void SessionTable::on_call_end(Slot& slot, JobEnd end) {
  const bool vanishes = slot.cut || !end.usable;
  Event event = event_of(slot, end, vanishes);
  if (vanishes && slot.purpose == Purpose::kLook) {
    // Nothing that is told depends on its being gone.
    vanish(slot, end.usable);
    return hooks_.tell(std::move(event));
  }
  if (vanishes) {
    slot.end = std::move(event);
    return vanish(slot, end.usable);
  }
  if (const auto* work = std::get_if<WorkEnded>(&event); work != nullptr && work->open) {
    slot.state = State::kHeld;
  } else {
    release(slot);
  }
  hooks_.tell(std::move(event));
}

Event SessionTable::event_of(Slot& slot, JobEnd& end, bool vanishes) const {
  if (auto* finish = std::get_if<rm::FinishReport>(&end.report)) {
    return FinishEnded{*slot.xid, finish->completion, finish->evidence, std::move(finish->error)};
  }
  if (auto* seen = std::get_if<Result<rm::Inspection>>(&end.report)) {
    InspectEnded looked{slot.looker, slot.serial, {}, {}, slot.cut};
    if (*seen && !looked.error) {
      looked.branches = std::move((*seen)->branches);
      looked.foreign = std::move((*seen)->foreign);
    } else if (!looked.error) {
      looked.error = seen->error();
    }
    return looked;
  }
  auto& work = std::get<rm::WorkReport>(end.report);
  WorkEnded ended;
  ended.xid = *slot.xid;
  ended.results = std::move(work.results);
  ended.error = std::move(work.error);
  ended.vote = work.vote;
  ended.proof = std::move(work.proof);
  ended.open = slot.stays_open && !ended.error;
  if (ended.open && vanishes) {
    // Open, never asked to prepare, and about to be closed: it takes the branch along.
    ended = without_effect(*slot.xid, slot.cut.value_or(refusal(ErrorCode::kConnectionLost,
                                                                "the database session was lost")));
  } else if (ended.error && slot.cut) {
    ended.error = slot.cut;
    if (ended.vote == Vote::kUnknown) ended.error->effect = assent::Effect::kUnknown;
  }
  return ended;
}

void SessionTable::vanish(Slot& slot, bool still_open) {
  slot.state = State::kVanishing;
  if (!still_open) return seek_gone(slot);
  slot.thread->run(CloseSession{});
}

void SessionTable::seek_gone(Slot& slot) {
  hooks_.see_gone(slot.session, [this, &slot] {
    if (ending_) return;
    std::optional<Event> event = std::exchange(slot.end, std::nullopt);
    reopen(slot);
    if (event) hooks_.tell(std::move(*event));
  });
}

void SessionTable::reopen(Slot& slot) {
  slot.xid.reset();
  slot.interactive = false;
  slot.stays_open = false;
  slot.cut.reset();
  slot.state = State::kOpening;
  slot.thread->run(OpenSession{});
}

// ---------------------------------------------------------------- time

void SessionTable::cut(Slot& slot, Error why) {
  if (slot.cut) return;
  slot.cut = std::move(why);
  crash_point("agent.session.cut");
  slot.thread->interrupt();
}

void SessionTable::cut_overdue(Slot& slot) {
  if (slot.unwanted) return cut(slot, *slot.unwanted);
  spdlog::warn("xid={} the database does not answer in time: session {} is cut",
               slot.xid ? to_string(*slot.xid) : "none", static_cast<std::uint64_t>(slot.session));
  cut(slot, refusal(ErrorCode::kTimeout, "the database did not answer before the deadline"));
}

void SessionTable::on_alarm() {
  if (ending_) return;
  const Instant at = now();
  for (const auto& slot : slots_) {
    if (slot->state == State::kBusy && !slot->cut) {
      if (slot->deadline > at) {
        alarm_.set(slot->deadline);
        continue;
      }
      cut_overdue(*slot);
    } else if (slot->state == State::kClosed) {
      if (slot->deadline > at) {
        alarm_.set(slot->deadline);
      } else {
        reopen(*slot);
      }
    }
  }
  expire_waiting(at);
}

void SessionTable::expire_waiting(Instant at) {
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    if (one->deadline > at) {
      alarm_.set(one->deadline);
      ++one;
      continue;
    }
    const Work work = std::move(one->work);
    one = waiting_.erase(one);
    refuse(work, ErrorCode::kBusy, "no database session came free before the deadline; try again");
  }
}

}  // namespace assent::agent
