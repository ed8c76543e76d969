#include "chaos/sim/agent.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "participant_agents/core/refusal.h"

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
  close_all_links();
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
  database_.heartbeat(process_, control_, [this, of = incarnations_](const Result<bool>& alive) {
    if (of != incarnations_ || !serves()) return;
    if (!alive) return lose_control();
    process_.in(seconds(1), [this, of] {
      if (of == incarnations_ && serves()) beat();
    });
  });
}

void Agent::lose_control() {
  world_.trace(process_.name(), "lost control");
  driver_.reset();
  control_ = 0;
  ++incarnations_;
  at_work_.clear();
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
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  at->second.link->send(Link::Side::kCallee,
                        [hear = at->second.ears.welcome, welcome] { hear(welcome); });
}

void Agent::refuse(LinkId link, const Refused& refused) {
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  const Caller caller = std::move(at->second);
  callers_.erase(at);
  caller.link->send(Link::Side::kCallee, [hear = caller.ears.refused, refused] { hear(refused); });
  caller.link->close(Link::Side::kCallee);
}

void Agent::reply(LinkId link, const AgentReply& reply) {
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  at->second.link->send(Link::Side::kCallee,
                        [hear = at->second.ears.reply, reply] { hear(reply); });
}

void Agent::close(LinkId link) {
  const auto at = callers_.find(link);
  if (at == callers_.end()) return;
  const Caller caller = std::move(at->second);
  callers_.erase(at);
  caller.link->close(Link::Side::kCallee);
}

// ---------------------------------------------------------------- work

void Agent::start(agent::StartWork&& effect) {
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
    return see_gone(xid, at.session, std::move(ended));
  }
  ended.results = report->results;
  ended.error = report->error;
  ended.vote = report->vote;
  ended.proof = report->proof;
  ended.open = at.stays_open && !ended.error;
  if (ended.open) return tell(std::move(ended));
  see_gone(xid, at.session, std::move(ended));
}

/// Nothing is said of a branch before its session is seen gone (R9); one that answered is idle.
void Agent::see_gone(const Xid& xid, SessionId session, agent::WorkEnded ended) {
  const auto gone = [this, xid, session, ended, of = incarnations_](const Result<bool>& seen) {
    if (of != incarnations_) return;
    if (!seen) {
      process_.in(milliseconds(100), [this, xid, session, ended, of] {
        if (of == incarnations_) see_gone(xid, session, ended);
      });
      return;
    }
    at_work_.erase(xid);
    tell(ended);
  };
  database_.end_session(process_, session, gone);
}

void Agent::start(agent::StartRollBackOpen&& effect) {
  const Xid xid = effect.xid;
  const AtWork at = at_work_.at(xid);
  const auto told = [this, xid, of = incarnations_](const Result<rm::FinishReport>& report) {
    if (of != incarnations_) return;
    at_work_.erase(xid);
    finish_told(xid)(report);
  };
  database_.roll_back_open(process_, at.session, told);
}

// ---------------------------------------------------------------- phase two, looking

Database::Told<rm::FinishReport> Agent::finish_told(const Xid& xid) {
  return [this, xid, of = incarnations_](const Result<rm::FinishReport>& report) {
    if (of != incarnations_) return;
    if (report)
      return tell(agent::FinishEnded{xid, report->completion, report->evidence, report->error});
    tell(agent::FinishEnded{xid, Completion::kUnreached, Evidence::kNone, report.error()});
  };
}

void Agent::start(agent::StartCommit&& effect) {
  database_.commit(process_, effect.xid, effect.proof, effect.as_voted, finish_told(effect.xid));
}

void Agent::start(agent::StartRollback&& effect) {
  database_.rollback(process_, effect.xid, effect.proof, finish_told(effect.xid));
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

rm::Fence Agent::row_of(const agent::FenceTop& top) {
  return {top.coordinator, top.log_id, top.epoch, top.opening_nonce,
          top.log_top,     top.held,   top.left};
}

void Agent::raise_fence(agent::RaiseFence&& raise) {
  database_.raise_fence(
      process_, row_of(raise.fence),
      [this, link = raise.link, of = incarnations_](const Result<rm::FenceAnswer>& answer) {
        if (of != incarnations_) return;
        agent::FenceRaised raised;
        raised.link = link;
        if (answer) {
          raised.database = database_.identity();
          raised.top = answer->top;
          raised.epoch = answer->epoch;
          raised.missing = answer->missing;
          raised.others = answer->others;
          raised.error = answer->refused;
        } else {
          raised.error = answer.error();
        }
        tell(std::move(raised));
      });
}

void Agent::list(agent::StartList&& list) {
  std::optional<rm::Fence> row;
  if (list.fence) row = row_of(*list.fence);
  const std::uint64_t top = row ? row->log_top : 0;
  database_.list_prepared(process_, std::move(row), list.logs,
                          [this, link = list.link, number = list.scan, top,
                           of = incarnations_](const Result<rm::PreparedScan>& scan) {
                            if (of != incarnations_) return;
                            agent::ListEnded ended{link, number, {}, 0, std::nullopt};
                            if (scan) {
                              ended.branches = scan->branches;
                              ended.fence_top = top;
                              ended.foreign = scan->foreign;
                            } else {
                              ended.error = scan.error();
                            }
                            tell(std::move(ended));
                          });
}

void Agent::delete_witnesses(agent::DeleteWitnesses&& witnesses) {
  database_.forget_witnesses(process_, std::move(witnesses.gtrids));
}

void Agent::wake_at(Instant at) {
  const std::uint64_t alarm = ++alarm_;
  process_.in(std::max(at - world_.now(), Duration(0)), [this, alarm, of = incarnations_] {
    if (alarm == alarm_ && of == incarnations_) tell(agent::TimePassed{});
  });
}

}  // namespace assent::sim
