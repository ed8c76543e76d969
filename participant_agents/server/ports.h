#pragma once

#include "participant_agents/core/effects.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

/// What the driver stands on: production has sockets, databases and the host's clock behind these,
/// the simulator its own. They are called one at a time, and may tell the driver of an event from
/// within a call.

namespace assent::agent {

class LinkPort {
 public:
  virtual ~LinkPort() = default;

  /// All of them: no effect on a link that is gone.
  virtual void welcome(LinkId link, const Welcome& welcome) = 0;
  /// The link is closed after it; no LinkGone follows.
  virtual void refuse(LinkId link, const Refused& refused) = 0;
  virtual void reply(LinkId link, const AgentReply& reply) = 0;
  /// No LinkGone follows.
  virtual void close(LinkId link) = 0;
};

/// Branches of one database. Every start is answered by its event (effects.h), but by nothing once
/// the incarnation ends.
class BranchPort {
 public:
  virtual ~BranchPort() = default;

  virtual void start(StartWork&& work) = 0;
  virtual void start(StartPrepare&& prepare) = 0;
  virtual void start(StartRollBackOpen&& rollback) = 0;
  virtual void start(StartCommit&& commit) = 0;
  virtual void start(StartRollback&& rollback) = 0;
  virtual void start(StartInspect&& inspect) = 0;
  virtual void interrupt(const Xid& xid) = 0;
};

/// The control session. As BranchPort.
class ControlPort {
 public:
  virtual ~ControlPort() = default;

  virtual void raise_fence(RaiseFence&& raise) = 0;
  virtual void list(StartList&& list) = 0;
  virtual void delete_witnesses(DeleteWitnesses&& witnesses) = 0;
};

class ClockPort {
 public:
  virtual ~ClockPort() = default;

  virtual Instant now() = 0;
  /// TimePassed is wanted then; only the last call counts.
  virtual void wake_at(Instant at) = 0;
};

}  // namespace assent::agent
