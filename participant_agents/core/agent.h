#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "participant_agents/core/branch.h"
#include "participant_agents/core/effects.h"
#include "participant_agents/core/events.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

namespace assent::agent {

/// What one incarnation is born with.
struct AgentConfig {
  std::string participant;  ///< the bqual of our branches
  Incarnation incarnation{};
  std::string kind;
  std::string server_version;
  std::uint32_t work_sessions = 0;
  std::uint32_t prepared_max = 0;
  Duration link_grace =
      std::chrono::seconds(2);        ///< how long unprepared branches outlive their link (R10)
  std::size_t branches_max = 50'000;  ///< remembered at once; work for one more is refused (R14)
  std::size_t inspects_max = 4;       ///< under way at once; one more is refused (R14)
};

/// One incarnation of an agent as a value that takes events: no clock, socket, thread or database.
/// It is made after the database is under control and every session of earlier incarnations was
/// seen gone (R9), and dies with that control: it has no state that another needs (R10). `step` is
/// called by one thread; the same events at the same times give the same effects.
class Agent {
 public:
  explicit Agent(AgentConfig config);

  Effects step(Event event, Instant now);

  /// When TimePassed is due if nothing else happens; nullopt: never.
  std::optional<Instant> next_deadline() const;

 private:
  /// kRaising (fence row) -> kDraining (older unprepared branches) -> kServing
  struct Link {
    enum class Phase : std::uint8_t { kRaising, kDraining, kServing } phase = Phase::kRaising;
    Hello hello;
    CoordinatorIndex coordinator{};
    DatabaseIdentity database;
    std::uint64_t fence_top = 0;  ///< before this hello
    std::vector<OtherLog> others;
    std::set<LogId> logs;   ///< the coordinator's: that of the hello, and `others`
    std::set<Xid> awaited;  ///< kDraining: whose sessions are not seen gone yet
  };
  using Branches = std::map<Xid, Branch>;

  void on(HelloArrived&& event, Outbox& out);
  void on(FenceRaised&& event, Outbox& out);
  void on(RequestArrived&& event, Outbox& out);
  void on(LinkGone&& event, Outbox& out);
  void on(WorkEnded&& event, Outbox& out);
  void on(FinishEnded&& event, Outbox& out);
  void on(ListEnded&& event, Outbox& out);
  void on(InspectEnded&& event, Outbox& out);
  void on(TimePassed&& event, Outbox& out);

  CoordinatorIndex index_of(const std::string& coordinator);
  FenceTop fence_of(const Hello& hello, std::uint64_t log_top) const;
  bool are_rivals(const Link& one, const Link& other) const;
  void end_older_links(LinkId newer, Outbox& out);
  void cancel_older_branches(LinkId newer, Outbox& out);
  void welcome_when_drained(LinkId id, Outbox& out);
  void welcome(LinkId id, Outbox& out);
  void drop_link(LinkId id);

  void on_request(LinkId id, Work&& work, Outbox& out);
  void on_request(LinkId id, Prepare&& prepare, Outbox& out);
  void on_request(LinkId id, Commit&& commit, Outbox& out);
  void on_request(LinkId id, Rollback&& rollback, Outbox& out);
  void on_request(LinkId id, ListPrepared&& list, Outbox& out);
  void on_request(LinkId id, ForgetWitnesses&& forget, Outbox& out);
  void on_request(LinkId id, Inspect&& inspect, Outbox& out);
  void on_request(LinkId id, Ping&& ping, Outbox& out);
  void refuse_incarnation(LinkId id, const AgentRequest& request, Outbox& out) const;

  std::optional<Error> why_foreign(const Link& link, const Xid& xid) const;
  std::optional<Error> why_refuse_look(const Link& link, const Inspect& inspect) const;
  std::optional<Error> why_refuse_new(const Link& link, const Xid& xid) const;
  Branches::iterator branch_of(LinkId id, const Xid& xid);
  Branches::iterator first_of(LogId log_id);

  void raise_lowest(LogId log_id, const Gtrid& lowest, Outbox& out);
  bool is_below_lowest(const Gtrid& gtrid) const;
  void after_change(Branches::iterator at, Outbox& out);

  const AgentConfig config_;
  Instant now_;
  Branches branches_;
  std::map<LinkId, Link> links_;
  std::map<LinkId, Instant> lost_links_;  ///< gone, and when their unprepared branches are to go
  std::map<LogId, Gtrid> lowest_unfinished_;
  std::map<LogId, HeldTop> fence_left_;  ///< where this incarnation has left each fence row
  std::vector<std::string> coordinators_;
  std::set<Xid> finished_while_listing_;  ///< a list may be older than their end
  std::size_t lists_under_way_ = 0;
  std::size_t inspects_under_way_ = 0;
};

}  // namespace assent::agent
