#pragma once

#include <deque>
#include <optional>

#include "participant_agents/core/agent.h"
#include "participant_agents/core/effects.h"
#include "participant_agents/core/events.h"
#include "participant_agents/server/ports.h"
#include "protocol/base/time.h"

namespace assent::agent {

struct Ports {
  LinkPort& links;
  BranchPort& branches;
  ControlPort& control;
  ClockPort& clock;
};

/// Runs one incarnation's core on its ports: events go in, effects come out in their order. The
/// same for production and simulation. One call at a time.
class Driver {
 public:
  Driver(AgentConfig config, Ports ports);

  /// May be called from within a port: the event then waits until the effects of the one before it
  /// are carried out.
  void handle(Event event);

 private:
  void carry_out(Effects effects);
  void carry_out(SendWelcome&& effect);
  void carry_out(SendRefused&& effect);
  void carry_out(SendReply&& effect);
  void carry_out(CloseLink&& effect);
  void carry_out(StartWork&& effect);
  void carry_out(StartPrepare&& effect);
  void carry_out(StartRollBackOpen&& effect);
  void carry_out(StartCommit&& effect);
  void carry_out(StartRollback&& effect);
  void carry_out(Interrupt&& effect);
  void carry_out(RaiseFence&& effect);
  void carry_out(StartList&& effect);
  void carry_out(DeleteWitnesses&& effect);
  void carry_out(StartInspect&& effect);
  void carry_out(Note&& effect);
  void set_alarm();

  Agent core_;
  Ports ports_;
  std::deque<Event> waiting_;
  bool running_ = false;
  std::optional<Instant> alarm_;
};

}  // namespace assent::agent
