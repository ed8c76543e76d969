#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "participant_agents/core/agent.h"
#include "participant_agents/rm/resource_manager.h"
#include "participant_agents/server/alarm.h"
#include "participant_agents/server/control_thread.h"
#include "participant_agents/server/driver.h"
#include "participant_agents/server/ports.h"
#include "participant_agents/server/session_table.h"
#include "protocol/base/result.h"
#include "protocol/channel/turn.h"

namespace assent::agent {

/// Name and limits of every incarnation of a process.
struct IncarnationSettings {
  std::string participant;
  std::string kind;
  Duration link_grace = std::chrono::seconds(2);
  SessionLimits sessions;
  Duration control_timeout = std::chrono::seconds(15);  ///< one call of the control session
};

/// One life of the agent, from control of its database to the loss of that control (R9): a
/// restarted process in all but the process. Nothing of it is seen by the next.
class IncarnationLife final : private ControlPort, private ClockPort {
 public:
  struct Hooks {
    std::function<void()> serving;  ///< once: in control, sessions open; hellos are welcome
    /// At most once: nothing more is told or heard; the error says why.
    std::function<void(const Error&)> ending;
    /// Once, whether it served or not: everything is closed, no thread is left. The error says
    /// why.
    std::function<void(Error)> over;
  };

  IncarnationLife(Turn& turn, rm::ResourceManager& manager, LinkPort& links,
                  IncarnationSettings settings, Duration lock_wait, Hooks hooks);

  /// While it serves.
  void handle(Event event);
  bool serves() const { return driver_ && !ending_; }

  /// Ends it: unprepared branches are rolled back and their sessions seen gone as far as the
  /// database answers; then `over`.
  void end(Error why);

 private:
  void on_taken(Result<ControlTaken> taken);
  void on_opened();
  void on_control_error(const Error& error);

  void raise_fence(RaiseFence&& raise) override;
  void list(StartList&& list) override;
  void delete_witnesses(DeleteWitnesses&& witnesses) override;
  Instant now() override;
  void wake_at(Instant at) override;

  void see_gone(rm::SessionId session, std::function<void()> gone);
  void see_gone_later(rm::SessionId session, std::function<void()> gone);
  void on_look_again();
  void on_heartbeat();
  void beat();
  void on_sessions_ended();
  void see_cut_ones_gone();
  void on_alarm();

  LinkPort& links_;
  const IncarnationSettings settings_;
  const Hooks hooks_;
  std::optional<ControlTaken> taken_;
  bool control_lost_ = false;
  std::optional<Error> ending_;
  std::size_t cut_ones_left_ = 0;
  std::optional<Instant> wake_at_;
  Alarm alarm_;
  Alarm heartbeat_;
  bool beating_ = false;
  std::vector<std::pair<rm::SessionId, std::function<void()>>> still_there_;
  Alarm look_again_;
  SessionTable sessions_;
  ControlThread control_;
  std::unique_ptr<Driver> driver_;
};

}  // namespace assent::agent
