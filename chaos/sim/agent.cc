#include "chaos/sim/agent.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "chaos/sim/message_text.h"
#include "participant_agents/core/refusal.h"
#include "participant_agents/server/control_work.h"
#include "protocol/base/mutant.h"

namespace assent::sim {
namespace {

using agent::LinkId;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

Agent::Agent(World& world, Database& database)
    : world_(world), database_(database), process_(world, "agent " + database.participant()) {
  world_.trace(process_.name(), "starts");
  process_.in(world_.random().between(milliseconds(1), milliseconds(30)),
              [this] { take_control(); });
}

Agent::~Agent() {
  world_.trace(process_.name(), "ends");
  for (auto& [id, caller] : callers_) caller.link->cut();
}

// ---------------------------------------------------------------- control

void Agent::take_control() {
  database_.take_control(process_, [this](const Result<std::uint64_t>& control) {
    if (control) return on_control(*control);
    process_.in(milliseconds(100), [this] { take_control(); });
  });
}

void Agent::on_control(std::uint64_t control) {
  control_ = control;
  ++incarnations_;
  agent::AgentConfig config;
  config.participant = database_.participant();
  config.incarnation = Incarnation{world_.random().bits() | 1};
  config.kind = "simulated";
  config.server_version = "1";
  config.work_sessions = kSessionsMax;
  driver_.reset(new agent::Driver(
      std::move(config),
      agent::Ports{.links = *this, .branches = *this, .control = *this, .clock = *this}));
  world_.trace(process_.name(), "serves");
  beat();
}

void Agent::beat() {
  database_.run<Result<>>(
      process_, control_, [](rm::Control& control) { return control.heartbeat(); },
      [this, of = incarnations_](const Result<>& alive) {
        if (of != incarnations_ || !serves()) return;
        if (!alive) return lose_control();
        process_.in(seconds(1), [this, of] {
          if (of == incarnations_ && serves()) beat();
        });
      });
}

/// Whether control is lost the heartbeat tells. A database that was put back is not what was taken
/// control of.
void Agent::on_control_error(const std::optional<Error>& error) {
  if (error && error->code == ErrorCode::kDatabaseUnfit && serves()) lose_control();
}

void Agent::lose_control() {
  world_.trace(process_.name(), "lost control");
  driver_.reset();
  control_ = 0;
  ++incarnations_;
  at_work_.clear();
  idle_finish_.clear();
  close_all_links();
  take_control();
}

void Agent::tell(agent::Event event) {
  if (serves()) driver_->handle(std::move(event));
}

// ---------------------------------------------------------------- links

LinkId Agent::accept(std::shared_ptr<Link> link, AgentEars ears) {
  const LinkId id{next_link_++};
  link->attach(Link::Side::kCallee, process_, [this, id](const Error&) { on_closed(id); });
  callers_[id] = {std::move(link), std::move(ears)};
  return id;
}

/// A repeat of the network's is refused before it reaches the core.
void Agent::hello(LinkId link, const Hello& hello) {
  const auto at = callers_.find(link);
  if (at == callers_.end() || std::exchange(at->second.introduced, true)) return;
  tell(agent::HelloArrived{link, hello});
}

void Agent::request(LinkId link, const AgentRequest& request) {
  if (callers_.contains(link)) tell(agent::RequestArrived{link, request});
}

void Agent::on_closed(LinkId id) {
  if (callers_.erase(id) != 0) tell(agent::LinkGone{id});
}

void Agent::close_all_links() {
  for (auto& [id, caller] : std::exchange(callers_, {})) caller.link->close(Link::Side::kCallee);
}

void Agent::welcome(LinkId link, const Welcome& welcome) {
  if (!process_.acts()) return;
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  at->second.link->send(Link::Side::kCallee,
                        [hear = at->second.ears.welcome, welcome] { hear(welcome); });
}

void Agent::refuse(LinkId link, const Refused& refused) {
  if (!process_.acts()) return;
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  const Caller caller = std::move(at->second);
  callers_.erase(at);
  caller.link->send(Link::Side::kCallee, [hear = caller.ears.refused, refused] { hear(refused); });
  caller.link->close(Link::Side::kCallee);
}

void Agent::reply(LinkId link, const AgentReply& reply) {
  if (!process_.acts()) return;
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  note_absence(reply);
  if (world_.tracing()) world_.trace(process_.name(), text_of(reply));
  at->second.link->send(Link::Side::kCallee,
                        [hear = at->second.ears.reply, reply] { hear(reply); });
}

void Agent::note_absence(const AgentReply& reply) {
  const auto* finished = std::get_if<Finished>(&reply.body);
  if (finished != nullptr && finished->completion == Completion::kRolledBack)
    database_.note_absent(finished->xid);
  const auto* voted = std::get_if<Voted>(&reply.body);
  if (voted != nullptr && voted->vote == Vote::kRolledBack) database_.note_absent(voted->xid);
}

void Agent::close(LinkId link) {
  const auto at = callers_.find(link);
  if (at == callers_.end() || !process_.acts()) return;
  const Caller caller = std::move(at->second);
  callers_.erase(at);
  caller.link->close(Link::Side::kCallee);
}

// ---------------------------------------------------------------- work

void Agent::start(agent::StartWork&& effect) {
  if (!process_.acts()) return;
  Work& work = effect.work;
  const Xid xid = work.xid;
  if (work.first_index == 0 && at_work_.size() >= kSessionsMax) {
    agent::WorkEnded refused;
    refused.xid = xid;
    refused.vote = Vote::kRolledBack;
    refused.error = agent::refusal(ErrorCode::kBusy, "all database sessions are taken");
    return tell(std::move(refused));
  }
  AtWork& at = at_work_[xid];
  if (work.first_index == 0) at.session = database_.open_session();
  at.stays_open = work.then == AfterWork::kStayOpen;
  begin_call(at, xid, work.deadline);
  database_.work(process_, at.session, std::move(work), work_told(xid, at.serial));
}

void Agent::start(agent::StartPrepare&& effect) {
  if (!process_.acts()) return;
  AtWork& at = at_work_.at(effect.xid);
  at.stays_open = false;
  begin_call(at, effect.xid, effect.deadline);
  database_.prepare(process_, at.session, work_told(effect.xid, at.serial));
}

void Agent::begin_call(AtWork& at, const Xid& xid, Duration deadline) {
  at.under_way = true;
  at.serial = next_call_++;
  const Duration wait = deadline > Duration(0) ? deadline : seconds(30);
  process_.in(wait, [this, xid, serial = at.serial] { cut(xid, serial); });
}

Database::Told<rm::WorkReport> Agent::work_told(const Xid& xid, std::uint64_t serial) {
  return [this, xid, serial, of = incarnations_](const Result<rm::WorkReport>& report) {
    if (of != incarnations_) return;
    const auto at = at_work_.find(xid);
    if (at == at_work_.end() || at->second.serial != serial || !at->second.under_way) return;
    on_work_ended(xid, report);
  };
}

void Agent::interrupt(const Xid& xid) {
  const auto at = at_work_.find(xid);
  if (at == at_work_.end() || !at->second.under_way) return;
  process_.in(milliseconds(100), [this, xid, serial = at->second.serial] { cut(xid, serial); });
}

/// The call returns at once; what becomes of it in the database is another matter.
void Agent::cut(const Xid& xid, std::uint64_t serial) {
  const auto at = at_work_.find(xid);
  if (at == at_work_.end() || at->second.serial != serial || !at->second.under_way) return;
  on_work_ended(xid, agent::refusal(ErrorCode::kTimeout, "cut"));
}

void Agent::on_work_ended(const Xid& xid, const Result<rm::WorkReport>& report) {
  AtWork& at = at_work_.at(xid);
  at.under_way = false;
  agent::WorkEnded ended;
  ended.xid = xid;
  if (!report) {
    ended.vote = at.stays_open ? Vote::kRolledBack : Vote::kUnknown;
    ended.error = report.error();
    if (ended.vote == Vote::kUnknown) ended.error->effect = Effect::kUnknown;
    return end_work(xid, at.session, std::move(ended));
  }
  ended.results = report->results;
  ended.error = report->error;
  ended.vote = report->vote;
  ended.proof = report->proof;
  ended.open = at.stays_open && !ended.error;
  if (ended.open) return tell(std::move(ended));
  end_work(xid, at.session, std::move(ended));
}

/// Nothing is said of a branch before its session is seen gone (R9).
void Agent::end_work(const Xid& xid, rm::SessionId session, agent::WorkEnded ended) {
  see_gone(session, [this, xid, ended = std::move(ended)] {
    at_work_.erase(xid);
    tell(ended);
  });
}

/// Until it is, or control is lost.
void Agent::see_gone(rm::SessionId session, std::function<void()> then) {
  if (mutant("sessions are not seen gone")) return then();
  const auto told = [this, session, then, of = incarnations_](const Result<>& gone) {
    if (of != incarnations_) return;
    if (gone) return then();
    process_.in(milliseconds(100), [this, session, then, of] {
      if (of == incarnations_) see_gone(session, then);
    });
  };
  database_.run<Result<>>(
      process_, control_,
      [session](rm::Control& control) { return control.end_session(session, Duration(0)); }, told);
}

void Agent::start(agent::StartRollBackOpen&& effect) {
  if (!process_.acts()) return;
  const rm::SessionId session = at_work_.at(effect.xid).session;
  const auto told = [this, xid = effect.xid, session,
                     of = incarnations_](const Result<rm::FinishReport>& report) {
    if (of != incarnations_) return;
    at_work_.erase(xid);
    finish_told(xid, session)(report);
  };
  database_.roll_back_open(process_, session, told);
}

// ---------------------------------------------------------------- phase two, looking

rm::SessionId Agent::finish_session() {
  if (idle_finish_.empty()) return database_.open_session();
  const rm::SessionId session = idle_finish_.back();
  idle_finish_.pop_back();
  return session;
}

/// What was lost may still be done, until its session is seen gone.
Database::Told<rm::FinishReport> Agent::finish_told(const Xid& xid, rm::SessionId session) {
  return [this, xid, session, of = incarnations_](const Result<rm::FinishReport>& report) {
    if (of != incarnations_) return;
    if (report) {
      idle_finish_.push_back(session);
      return tell(agent::FinishEnded{xid, report->completion, report->evidence, report->error});
    }
    see_gone(session,
             [this, ended = agent::FinishEnded{xid, Completion::kUnreached, Evidence::kNone,
                                               report.error()}] { tell(ended); });
  };
}

void Agent::start(agent::StartCommit&& effect) {
  if (!process_.acts()) return;
  const rm::SessionId session = finish_session();
  database_.commit(process_, session, effect.xid, effect.proof, effect.as_voted,
                   finish_told(effect.xid, session));
}

void Agent::start(agent::StartRollback&& effect) {
  if (!process_.acts()) return;
  const rm::SessionId session = finish_session();
  database_.rollback(process_, session, effect.xid, effect.proof, finish_told(effect.xid, session));
}

void Agent::start(agent::StartInspect&& effect) {
  std::vector<rm::InspectedBranch> asked;
  for (const agent::LookedFor& one : effect.branches) asked.push_back({one.xid, one.proof});
  database_.inspect(process_, effect.logs, std::move(asked),
                    [this, link = effect.link, serial = effect.serial,
                     of = incarnations_](const Result<rm::Inspection>& found) {
                      if (of != incarnations_) return;
                      agent::InspectEnded ended{link, serial, {}, {}, std::nullopt};
                      if (found) {
                        ended.branches = found->branches;
                      } else {
                        ended.error = found.error();
                      }
                      tell(std::move(ended));
                    });
}

// ---------------------------------------------------------------- the control session's work

void Agent::raise_fence(agent::RaiseFence&& raise) {
  if (!process_.acts()) return;
  database_.run<agent::FenceRaised>(
      process_, control_,
      [raise = std::move(raise)](rm::Control& control) {
        return agent::raise_fence(control, raise);
      },
      [this, of = incarnations_](const agent::FenceRaised& raised) {
        if (of != incarnations_) return;
        tell(raised);
        on_control_error(raised.error);
      });
}

void Agent::list(agent::StartList&& list) {
  if (!process_.acts()) return;
  database_.run<agent::ListEnded>(
      process_, control_,
      [list = std::move(list)](rm::Control& control) {
        return agent::list_prepared(control, list);
      },
      [this, of = incarnations_](const agent::ListEnded& ended) {
        if (of != incarnations_) return;
        tell(ended);
        on_control_error(ended.error);
      });
}

void Agent::delete_witnesses(agent::DeleteWitnesses&& witnesses) {
  if (!process_.acts()) return;
  database_.run<Result<>>(
      process_, control_,
      [gtrids = std::move(witnesses.gtrids)](rm::Control& control) {
        return control.forget_witnesses(gtrids);
      },
      [](const Result<>&) {});
}

void Agent::wake_at(Instant at) {
  const std::uint64_t alarm = ++alarm_;
  process_.in(std::max(at - world_.now(), Duration(0)), [this, alarm, of = incarnations_] {
    if (alarm == alarm_ && of == incarnations_) tell(agent::TimePassed{});
  });
}

}  // namespace assent::sim
