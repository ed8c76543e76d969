#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "participant_agents/core/effects.h"
#include "participant_agents/core/events.h"
#include "participant_agents/rm/resource_manager.h"
#include "participant_agents/server/alarm.h"
#include "participant_agents/server/ports.h"
#include "participant_agents/server/session_thread.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/channel/backoff.h"
#include "protocol/channel/turn.h"

namespace assent::agent {

struct SessionLimits {
  std::size_t work_sessions = 16;
  std::size_t finish_sessions = 4;
  std::size_t queue_max = 1000;                        ///< messages of work that wait for a session
  Duration finish_timeout = std::chrono::seconds(15);  ///< one commit, rollback
};

/// The database sessions of one incarnation, and who has which (R14).
///
/// A branch takes a work session with its first Work and keeps it while it is open; the most
/// recently used idle one, since its caches are warm. Work that finds none waits in a bounded queue
/// until its deadline; interactive branches hold at most half of the sessions. Commit and rollback
/// take an idle work session too, and have sessions of their own for when there is none, so they
/// never wait for work. Looking has a session to itself, and touches no other. A session that
/// outlives its deadline has its socket shut down (F 11), is closed and seen gone, and only then is
/// its end told (F 8); then it is opened anew. The core's interrupt brings the deadline near. All
/// calls in turns; answers from within a call or later.
class SessionTable final : public BranchPort {
 public:
  struct Hooks {
    std::function<void(Event)> tell;
    /// Ends a database session from the control session; `gone` once it is seen gone.
    std::function<void(rm::SessionId, std::function<void()> gone)> see_gone;
    std::function<void()> opened;  ///< once: every session was opened, or failed to
    std::function<void()> ended;   ///< once, after end(): no thread is left
  };

  SessionTable(Turn& turn, rm::ResourceManager& manager, SessionLimits limits, Hooks hooks);

  /// Opens all sessions.
  void begin();

  /// Cuts everything, closes all sessions and ends their threads. No event is told any more.
  void end();

  /// After `ended`: those that had a branch or a call under way when end() came.
  const std::vector<rm::SessionId>& cut_at_end() const { return cut_at_end_; }

  void start(StartWork&& work) override;
  void start(StartPrepare&& prepare) override;
  void start(StartRollBackOpen&& rollback) override;
  void start(StartCommit&& commit) override;
  void start(StartRollback&& rollback) override;
  void start(StartInspect&& inspect) override;
  void interrupt(const Xid& xid) override;

 private:
  /// kOpening -> kIdle <-> kBusy <-> kHeld (open branch, no call under way)
  ///    ^           cut or lost: kBusy -> kVanishing -> kOpening; not opened: kClosed -> kOpening
  enum class State { kOpening, kClosed, kIdle, kBusy, kHeld, kVanishing };

  enum class Purpose { kWork, kFinish, kLook };

  struct Slot {
    std::unique_ptr<SessionThread> thread;
    Purpose purpose = Purpose::kWork;
    bool tried = false;  ///< to open, once
    State state = State::kOpening;
    rm::SessionId session{};
    std::optional<Xid> xid;    ///< of the branch that has it, or of the finish under way
    LinkId looker{};           ///< who asked for the look under way ...
    std::uint64_t serial = 0;  ///< ... and by which number
    bool interactive = false;
    bool stays_open = false;        ///< the call under way leaves its branch open when it succeeds
    Instant deadline;               ///< of the call under way; kClosed: of the next try to open
    std::optional<Error> unwanted;  ///< why the call under way need not end well
    std::optional<Error> cut;       ///< why the call under way was cut
    std::optional<Event> end;       ///< kVanishing: to be told when the session is seen gone
    std::optional<Backoff> backoff;
  };

  struct Waiting {
    Work work;
    Instant deadline;
  };

  void add_slot(Purpose purpose);
  Slot& holder_of(const Xid& xid);
  std::size_t usable(Purpose purpose) const;
  std::vector<Slot*>& idle(Purpose purpose);
  bool interactive_allowed() const;

  std::optional<Error> forbidden(const Work& work) const;
  void refuse(const Work& work, ErrorCode code, std::string message);
  void refuse_all_waiting();
  void refuse_look(const StartInspect& look);
  void enqueue_finish(Job job);
  void dispatch();
  void dispatch_finishes();
  void dispatch_work();
  void dispatch_looks();
  Slot* take_idle(std::vector<Slot*>& idle);
  void run_work(Slot& slot, Work work, Instant deadline);
  void run(Slot& slot, Job job, Instant deadline);
  void release(Slot& slot);

  void on_job_end(Slot& slot, JobEnd end);
  void on_opened(Slot& slot, JobEnd end);
  void on_call_end(Slot& slot, JobEnd end);
  Event event_of(Slot& slot, JobEnd& end, bool vanishes) const;
  void vanish(Slot& slot, bool still_open);
  void seek_gone(Slot& slot);
  void reopen(Slot& slot);

  void cut(Slot& slot, Error why);
  void cut_overdue(Slot& slot);
  void on_alarm();
  void expire_waiting(Instant now);

  Turn& turn_;
  rm::ResourceManager& manager_;
  const SessionLimits limits_;
  const Hooks hooks_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_work_;  ///< the last is the warmest
  std::vector<Slot*> idle_finish_;
  std::vector<Slot*> idle_look_;
  std::list<Waiting> waiting_;
  std::deque<Job> finishes_;
  std::deque<StartInspect> looks_;  ///< as many as the core lets be under way
  Error last_open_error_;
  std::size_t first_opens_left_ = 0;
  std::size_t threads_left_ = 0;
  bool ending_ = false;
  std::vector<rm::SessionId> cut_at_end_;
  Alarm alarm_;
};

}  // namespace assent::agent
