#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chaos/sim/database.h"
#include "chaos/sim/link.h"
#include "chaos/sim/world.h"
#include "participant_agents/server/driver.h"
#include "participant_agents/server/ports.h"
#include "protocol/message/agent.h"

namespace assent::sim {

/// What a coordinator hears of one link to an agent.
struct AgentEars {
  std::function<void(const Welcome&)> welcome;
  std::function<void(const Refused&)> refused;
  std::function<void(const AgentReply&)> reply;
};

/// One life of an agent's process: takes control of its database, then runs the agent's core on its
/// driver, with one database session for each branch that is worked on. When control is lost it
/// begins again as another incarnation.
class Agent final : private agent::LinkPort,
                    private agent::BranchPort,
                    private agent::ControlPort,
                    private agent::ClockPort {
 public:
  Agent(World& world, Database& database);
  ~Agent() override;

  Process& process() { return process_; }
  bool serves() const { return driver_ != nullptr; }

  // ---- the coordinator's end of a link; called in this process
  agent::LinkId accept(std::shared_ptr<Link> link, AgentEars ears);
  void hello(agent::LinkId link, const Hello& hello);
  void request(agent::LinkId link, const AgentRequest& request);

 private:
  static constexpr std::size_t kSessionsMax = 12;

  struct Caller {
    std::shared_ptr<Link> link;
    AgentEars ears;
    bool introduced = false;
  };
  /// A branch that a session of ours works on.
  struct AtWork {
    rm::SessionId session{};
    bool stays_open = false;
    bool under_way = false;
    std::uint64_t serial = 0;  ///< of the call under way
  };

  void take_control();
  void on_control(std::uint64_t control);
  void beat();
  void lose_control();
  void close_all_links();
  void on_closed(agent::LinkId id);
  void tell(agent::Event event);
  void note_absence(const AgentReply& reply);

  // LinkPort
  void welcome(agent::LinkId link, const Welcome& welcome) override;
  void refuse(agent::LinkId link, const Refused& refused) override;
  void reply(agent::LinkId link, const AgentReply& reply) override;
  void close(agent::LinkId link) override;
  // BranchPort
  void start(agent::StartWork&& work) override;
  void start(agent::StartPrepare&& prepare) override;
  void start(agent::StartRollBackOpen&& rollback) override;
  void start(agent::StartCommit&& commit) override;
  void start(agent::StartRollback&& rollback) override;
  void start(agent::StartInspect&& inspect) override;
  void interrupt(const Xid& xid) override;
  // ControlPort
  void raise_fence(agent::RaiseFence&& raise) override;
  void list(agent::StartList&& list) override;
  void delete_witnesses(agent::DeleteWitnesses&& witnesses) override;
  // ClockPort
  Instant now() override { return world_.now(); }
  void wake_at(Instant at) override;

  Database::Told<rm::WorkReport> work_told(const Xid& xid, std::uint64_t serial);
  void begin_call(AtWork& at, const Xid& xid, Duration deadline);
  void cut(const Xid& xid, std::uint64_t serial);
  void on_work_ended(const Xid& xid, const Result<rm::WorkReport>& report);
  void end_work(const Xid& xid, rm::SessionId session, agent::WorkEnded ended);
  rm::SessionId finish_session();
  Database::Told<rm::FinishReport> finish_told(const Xid& xid, rm::SessionId session);
  void see_gone(rm::SessionId session, std::function<void()> then);
  void on_control_error(const std::optional<Error>& error);

  World& world_;
  Database& database_;
  Process process_;
  std::uint64_t control_ = 0;       ///< 0: none
  std::uint64_t incarnations_ = 0;  ///< answers to an earlier one are dropped
  std::unique_ptr<agent::Driver> driver_;
  std::map<agent::LinkId, Caller> callers_;
  std::map<Xid, AtWork> at_work_;
  std::vector<rm::SessionId> idle_finish_;
  std::uint64_t next_link_ = 1;
  std::uint64_t next_call_ = 1;
  std::uint64_t alarm_ = 0;
};

}  // namespace assent::sim
