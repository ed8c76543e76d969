#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "chaos/sim/agent.h"
#include "chaos/sim/link.h"
#include "chaos/sim/log.h"
#include "chaos/sim/world.h"
#include "coordinator/core/config.h"
#include "coordinator/server/driver.h"
#include "coordinator/server/ports.h"

namespace assent::sim {

/// Where the participants' agents are to be found; nullptr while one does not run.
using FindAgent = std::function<Agent*(const std::string& participant)>;

/// One life of the coordinator's process: the core on its driver, a link to each agent that is
/// tried again whenever it ends, and sessions of clients.
class Coordinator final : private coordinator::AgentsPort,
                          private coordinator::ClientsPort,
                          private coordinator::HostPort {
 public:
  struct Hooks {
    FindAgent find_agent;
    /// The log has failed: the process is to end (R12). Later, not from within.
    std::function<void(Coordinator&)> halted;
    /// A rule of the protocol was broken in front of our eyes: which invariant, and how.
    std::function<void(const char*, const std::string&)> violated;
    /// The database where a participant's branches are, for who judges.
    std::function<const Database&(const std::string& participant)> database;
    /// Has something happened that a person has to be called for?
    std::function<bool()> needs_a_person;
    /// Participants whose databases have been put back to a copy.
    std::function<const std::set<std::string>&()> put_back;
    /// One is called, and has cause to be.
    std::function<void()> person_called;
  };
  using Hear = std::function<void(coordinator::RequestId, const ClientReply&)>;

  Coordinator(World& world, const coordinator::Config& config, LogDisk& disk, Links& links,
              const Weather& weather, Hooks hooks);
  ~Coordinator() override;

  Process& process() { return process_; }
  Log& log() { return *log_; }
  CoordinatorStatus status() const { return driver_->status(); }

  // ---- a client's end of a session; called in this process
  coordinator::ClientSessionId accept(std::shared_ptr<Link> link, Hear hear);
  void request(coordinator::ClientSessionId session, coordinator::RequestId request,
               const ClientRequest& body);

 private:
  struct AgentEnd {
    std::shared_ptr<Link> link;  ///< nullptr: none stands
    agent::LinkId id{};          ///< the agent's name of it
    std::optional<Incarnation> incarnation;
    std::uint64_t generation = 0;
    Instant heard;
    coordinator::FenceTold fence;  ///< by the refusal that is ending the link
    Gtrid lowest;
  };
  struct ClientEnd {
    std::shared_ptr<Link> link;
    Hear hear;
  };

  void connect(const std::string& participant);
  void say_hello(const std::string& participant, Agent& agent);
  AgentEars ears(const std::string& participant, std::uint64_t generation);
  void on_welcome(const std::string& participant, const Welcome& welcome);
  void on_refused(const std::string& participant, const Refused& refused);
  void on_closed(const std::string& participant, std::uint64_t generation, const Error& why);
  void end_link(const std::string& participant, const Error& why);
  void watch_silence(const std::string& participant, std::uint64_t generation);
  void deliver(AgentEnd& end, const std::string& participant, AgentRequest request);
  Hello hello_to(const std::string& participant) const;
  void judge_answer(Answer& answer);
  void judge_record(const coordinator::Record& record);
  void judge_note(const coordinator::Note& note);
  bool has_cause(const coordinator::Note& note) const;
  bool is_about_what_was_put_back(const coordinator::Note& note) const;
  void check_took_effect(const Gtrid& gtrid, const std::string& what);
  void check_durable(const Gtrid& gtrid, const std::string& what);

  // AgentsPort
  void send(const std::string& participant, AgentRequest request) override;
  void close(const std::string& participant, const Error& why) override;
  // ClientsPort
  void reply(coordinator::ClientSessionId session, coordinator::RequestId request,
             ClientReply reply) override;
  // HostPort
  Now now() override { return world_.clocks(); }
  void wake_at(std::optional<Instant> due) override;
  void note(const coordinator::Note& note) override;
  void later(std::function<void()> call) override { process_.soon(std::move(call)); }
  void beside(std::function<Result<>()> work, std::function<void(Result<>)> done) override;
  void drained() override {}
  void halt(const Error& why) override;

  World& world_;
  Links& links_;
  const Weather& weather_;
  const Hooks hooks_;
  const std::string name_;
  Process process_;
  std::map<std::string, AgentEnd> agents_;
  std::map<coordinator::ClientSessionId, ClientEnd> clients_;
  std::uint64_t next_session_ = 1;
  std::uint64_t wish_ = 0;
  std::unique_ptr<Log> log_;
  std::unique_ptr<coordinator::Driver> driver_;
};

}  // namespace assent::sim
