#include "participant_agents/server/incarnation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "participant_agents/server/control_work.h"
#include "participant_agents/server/random_bits.h"
#include "protocol/base/check.h"
#include "protocol/base/crash_point.h"

namespace assent::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Between heartbeats, and between looks at how long the control session's call takes.
constexpr Duration kHeartbeat = seconds(1);
/// How long one try to see a session gone may keep the control session from everything else: short,
/// since sessions often vanish many at a time, and each is told to end at the first try.
constexpr Duration kGoneWait = milliseconds(100);
/// The same when nothing else is left to do.
constexpr Duration kLastGoneWait = seconds(1);
constexpr Duration kLookAgain = milliseconds(100);

Incarnation draw_incarnation() {
  std::uint64_t bits = 0;
  while (bits == 0) bits = random_bits();
  return Incarnation{bits};
}

}  // namespace

IncarnationLife::IncarnationLife(Turn& turn, rm::ResourceManager& manager, LinkPort& links,
                                 IncarnationSettings settings, Duration lock_wait, Hooks hooks)
    : links_(links),
      settings_(std::move(settings)),
      hooks_(std::move(hooks)),
      alarm_(turn.executor(), [this] { on_alarm(); }),
      heartbeat_(turn.executor(), [this] { on_heartbeat(); }),
      look_again_(turn.executor(), [this] { on_look_again(); }),
      sessions_(turn, manager, settings_.sessions,
                {.tell = [this](Event event) { handle(std::move(event)); },
                 .see_gone = [this](rm::SessionId session,
                                    std::function<void()> gone) { see_gone(session, gone); },
                 .opened = [this] { on_opened(); },
                 .ended = [this] { on_sessions_ended(); }}),
      control_(turn, manager, lock_wait,
               {.taken = [this](Result<ControlTaken> taken) { on_taken(std::move(taken)); },
                .exited = [this] { hooks_.over(*ending_); }}) {}

void IncarnationLife::handle(Event event) {
  if (!ending_) driver_->handle(std::move(event));
}

// ---------------------------------------------------------------- begin and end

void IncarnationLife::on_taken(Result<ControlTaken> taken) {
  if (!taken) {
    control_lost_ = true;
    if (!ending_) ending_ = taken.error();
    return control_.ask_exit();
  }
  if (ending_) return control_.ask_exit();
  taken_ = std::move(*taken);
  crash_point("agent.start.in_control");
  for (const std::string& warning : taken_->warnings) spdlog::warn("{}", warning);
  on_heartbeat();
  sessions_.begin();
}

void IncarnationLife::on_opened() {
  AgentConfig config;
  config.participant = settings_.participant;
  config.incarnation = draw_incarnation();
  config.kind = settings_.kind;
  config.server_version = taken_->server_version;
  config.prepared_max = taken_->prepared_max;
  config.work_sessions = static_cast<std::uint32_t>(settings_.sessions.work_sessions);
  config.link_grace = settings_.link_grace;
  driver_ = std::make_unique<Driver>(std::move(config), Ports{links_, sessions_, *this, *this});
  hooks_.serving();
}

void IncarnationLife::end(Error why) {
  if (ending_) return;
  ending_ = std::move(why);
  crash_point("agent.incarnation.ending");
  hooks_.ending(*ending_);
  // Without control its thread is still trying to take it; on_taken goes on from there.
  if (taken_) sessions_.end();
}

void IncarnationLife::on_sessions_ended() {
  cut_ones_left_ = control_lost_ ? 0 : sessions_.cut_at_end().size();
  if (cut_ones_left_ == 0) return control_.ask_exit();
  see_cut_ones_gone();
}

/// A statement that waits for a lock does not notice that its client is gone, and the next agent
/// may be long in coming (F 8).
void IncarnationLife::see_cut_ones_gone() {
  for (const rm::SessionId session : sessions_.cut_at_end()) {
    control_.run<Result<>>(
        [session](rm::Control& control) { return control.end_session(session, kLastGoneWait); },
        [this, session](Result<> gone) {
          if (!gone) {
            spdlog::warn("session {} was not seen gone: {}", static_cast<std::uint64_t>(session),
                         gone.error().message);
          }
          if (--cut_ones_left_ == 0) control_.ask_exit();
        });
  }
}

// ---------------------------------------------------------------- the control session

/// It goes on after end(), so that no call of the control session lasts for ever.
void IncarnationLife::on_heartbeat() {
  heartbeat_.set(now() + kHeartbeat);
  control_.cut_if_longer(settings_.control_timeout);
  if (!ending_) beat();
}

void IncarnationLife::beat() {
  if (std::exchange(beating_, true)) return;
  control_.heartbeat([this](Result<> alive) {
    beating_ = false;
    if (ending_ || alive) return;
    control_lost_ = true;
    end(alive.error());
  });
}

/// Whether control is lost, only the heartbeat can say. A database that is unfit, or was put back,
/// while in control is not what was taken control of: the next incarnation looks at it anew.
void IncarnationLife::on_control_error(const Error& error) {
  if (ending_) return;
  if (error.code == ErrorCode::kConnectionLost) beat();
  if (error.code == ErrorCode::kDatabaseUnfit) end(error);
}

void IncarnationLife::raise_fence(RaiseFence&& raise) {
  control_.run<FenceRaised>(
      [raise = std::move(raise)](rm::Control& control) {
        return agent::raise_fence(control, raise);
      },
      [this](FenceRaised raised) {
        if (ending_) return;
        const std::optional<Error> error = raised.error;
        handle(std::move(raised));
        if (error) on_control_error(*error);
      });
}

void IncarnationLife::list(StartList&& list) {
  control_.run<ListEnded>(
      [list = std::move(list)](rm::Control& control) { return list_prepared(control, list); },
      [this](ListEnded ended) {
        if (ending_) return;
        const std::optional<Error> error = ended.error;
        handle(std::move(ended));
        if (error) on_control_error(*error);
      });
}

void IncarnationLife::delete_witnesses(DeleteWitnesses&& witnesses) {
  control_.run<Result<>>(
      [gtrids = std::move(witnesses.gtrids)](rm::Control& control) {
        crash_point("agent.witnesses.before");
        auto deleted = control.forget_witnesses(gtrids);
        crash_point("agent.witnesses.after");
        return deleted;
      },
      [this](Result<> deleted) {
        if (deleted) return;
        spdlog::warn("witness rows stay until they are named again: {}", deleted.error().message);
        on_control_error(deleted.error());
      });
}

/// Tries until the session is gone or control is lost: before that nothing may be said about its
/// branch (R9).
void IncarnationLife::see_gone(rm::SessionId session, std::function<void()> gone) {
  control_.run<Result<>>(
      [session](rm::Control& control) { return control.end_session(session, kGoneWait); },
      [this, session, gone = std::move(gone)](Result<> ended) {
        if (ending_) return;
        if (ended) crash_point("agent.session.seen_gone");
        if (ended) return gone();
        spdlog::warn("session {} is still there: {}", static_cast<std::uint64_t>(session),
                     ended.error().message);
        on_control_error(ended.error());
        see_gone_later(session, gone);
      });
}

void IncarnationLife::see_gone_later(rm::SessionId session, std::function<void()> gone) {
  still_there_.emplace_back(session, std::move(gone));
  look_again_.set(now() + kLookAgain);
}

void IncarnationLife::on_look_again() {
  if (ending_) return;
  for (auto& [id, then] : std::exchange(still_there_, {})) see_gone(id, std::move(then));
}

// ---------------------------------------------------------------- time

Instant IncarnationLife::now() {
  return read_clocks().steady;
}

void IncarnationLife::wake_at(Instant at) {
  wake_at_ = at;
  alarm_.set(at);
}

void IncarnationLife::on_alarm() {
  if (ending_ || !wake_at_) return;
  if (now() < *wake_at_) return alarm_.set(*wake_at_);
  wake_at_.reset();
  driver_->handle(TimePassed{});
}

}  // namespace assent::agent
