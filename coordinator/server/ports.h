#pragma once

#include <functional>
#include <optional>
#include <string>

#include "coordinator/core/effects.h"
#include "coordinator/core/events.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"

/// What the driver needs of the world besides the log (coordinator/log/decision_log.h). assentd
/// stands on sockets and clocks; the simulator on its own. They are called one at a
/// time, and may call the driver back: it queues.

namespace assent::coordinator {

class AgentsPort {
 public:
  virtual ~AgentsPort() = default;
  /// Dropped when the link of that incarnation is gone: the core is told of every link's end.
  virtual void send(const std::string& participant, AgentRequest request) = 0;
  /// Ends the link, if there is one; it is tried again like any that was lost.
  virtual void close(const std::string& participant, const Error& why) = 0;
};

class ClientsPort {
 public:
  virtual ~ClientsPort() = default;
  /// Dropped when the session is gone.
  virtual void reply(ClientSessionId session, RequestId request, ClientReply reply) = 0;
};

class HostPort {
 public:
  virtual ~HostPort() = default;
  virtual Now now() = 0;
  /// Driver::time_passed is to be called at `due` or soon after; nullopt: not before something else
  /// happens. Replaces the wish before it.
  virtual void wake_at(std::optional<Instant> due) = 0;
  virtual void note(const Note& note) = 0;
  /// Calls it when whatever else has come meanwhile has had its turn. Never from within.
  virtual void later(std::function<void()> call) = 0;
  /// Calls `work` on a thread of its own, one after another if there are several, then `done` as
  /// `later` does. `done` is not called if the process ends first; `work` always ends before it.
  virtual void beside(std::function<Result<>()> work, std::function<void(Result<>)> done) = 0;
  /// The core drains, and nothing is left that the process must stay for. Called after every event
  /// for which that holds.
  virtual void drained() = 0;
  /// The log can no longer be trusted (R12). Nobody is answered from here on: close everything and
  /// end the process; the next opening reads the truth. Called once.
  virtual void halt(const Error& why) = 0;
};

}  // namespace assent::coordinator
