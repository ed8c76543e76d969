#include "participant_agents/core/agent.h"

#include <algorithm>
#include <utility>

#include "participant_agents/core/refusal.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::agent {
namespace {

Note info(std::string text) {
  return {Note::Level::kInfo, std::move(text)};
}

Note warning(std::string text) {
  return {Note::Level::kWarning, std::move(text)};
}

std::string link_name(LinkId id) {
  return "link=" + std::to_string(static_cast<std::uint64_t>(id));
}

std::string about(const Hello& hello) {
  return "coordinator=" + hello.coordinator + " log=" + to_string(hello.log_id) +
         " epoch=" + std::to_string(static_cast<std::uint32_t>(hello.epoch));
}

}  // namespace

Agent::Agent(AgentConfig config) : config_(std::move(config)) {}

Effects Agent::step(Event event, Instant now) {
  now_ = now;
  Effects effects;
  Outbox out(effects, config_.incarnation);
  std::visit([&](auto& e) { on(std::move(e), out); }, event);
  return effects;
}

std::optional<Instant> Agent::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [id, deadline] : lost_links_) {
    if (!next || deadline < *next) next = deadline;
  }
  return next;
}

// ---------------------------------------------------------------- links

/// The fence row is the only judge of epochs: until it has let this hello in, the link that is
/// served now goes on, so that a deposed coordinator can't disturb its successor (R10). Its top
/// waits for a list: what the database may have lost lies above it, until the coordinator knows.
void Agent::on(HelloArrived&& event, Outbox& out) {
  Link link;
  link.coordinator = index_of(event.hello.coordinator);
  link.hello = std::move(event.hello);
  link.hello.token.clear();
  out.add(RaiseFence{event.link, fence_of(link.hello, 0)});
  const bool is_new = links_.emplace(event.link, std::move(link)).second;
  ASSENT_CHECK(is_new);
}

void Agent::on(FenceRaised&& event, Outbox& out) {
  const auto at = links_.find(event.link);
  if (at == links_.end()) return;  // the link has ended meanwhile
  if (event.error) {
    out.add(warning(about(at->second.hello) + " hello refused: " + event.error->message));
    Refused refused{.error = std::move(*event.error)};
    if (event.missing) {
      refused.fence_top = event.top;
    } else if (refused.error.code == ErrorCode::kFenced) {
      refused.fence_epoch = event.epoch;
    }
    out.add(SendRefused{event.link, std::move(refused)});
    links_.erase(at);
    return;
  }
  at->second.database = std::move(event.database);
  at->second.fence_top = event.top;
  fence_left_[at->second.hello.log_id] = {at->second.hello.epoch, event.top};
  at->second.logs = {at->second.hello.log_id};
  for (const OtherLog& other : event.others) at->second.logs.insert(other.log_id);
  at->second.others = std::move(event.others);
  at->second.phase = Link::Phase::kDraining;
  end_older_links(event.link, out);
  cancel_older_branches(event.link, out);
  welcome_when_drained(event.link, out);
}

FenceTop Agent::fence_of(const Hello& hello, std::uint64_t log_top) const {
  FenceTop fence{hello.coordinator, hello.log_id, hello.epoch, hello.opening_nonce,
                 log_top,           hello.held,   std::nullopt};
  const auto left = fence_left_.find(hello.log_id);
  if (left != fence_left_.end()) fence.left = left->second;
  return fence;
}

bool Agent::are_rivals(const Link& one, const Link& other) const {
  return one.coordinator == other.coordinator || one.hello.log_id == other.hello.log_id;
}

/// A link that still waits for its fence came later than this one and will end it in its turn.
void Agent::end_older_links(LinkId newer, Outbox& out) {
  const Link& link = links_.at(newer);
  std::vector<LinkId> older;
  for (const auto& [id, other] : links_) {
    if (id != newer && other.phase != Link::Phase::kRaising && are_rivals(link, other)) {
      older.push_back(id);
    }
  }
  for (const LinkId id : older) {
    drop_link(id);
    out.add(CloseLink{id});
  }
}

void Agent::cancel_older_branches(LinkId newer, Outbox& out) {
  Link& link = links_.at(newer);
  for (auto& [xid, branch] : branches_) {
    const bool of_rival =
        branch.coordinator() == link.coordinator || xid.gtrid.log_id == link.hello.log_id;
    if (!of_rival || !branch.is_unprepared()) continue;
    branch.cancel(out);
    link.awaited.insert(xid);
  }
}

void Agent::welcome_when_drained(LinkId id, Outbox& out) {
  Link& link = links_.at(id);
  if (link.phase != Link::Phase::kDraining || !link.awaited.empty()) return;
  link.phase = Link::Phase::kServing;
  welcome(id, out);
}

void Agent::welcome(LinkId id, Outbox& out) {
  const Link& link = links_.at(id);
  out.add(info(about(link.hello) + " connected " + link_name(id)));
  out.add(SendWelcome{id,
                      {.incarnation = config_.incarnation,
                       .kind = config_.kind,
                       .server_version = config_.server_version,
                       .database = link.database,
                       .work_sessions = config_.work_sessions,
                       .prepared_max = config_.prepared_max,
                       .fence_top = link.fence_top,
                       .other_logs = link.others}});
}

void Agent::on(LinkGone&& event, Outbox& out) {
  const auto at = links_.find(event.link);
  if (at == links_.end()) return;
  out.add(info(about(at->second.hello) + " disconnected " + link_name(event.link)));
  drop_link(event.link);
}

/// Its unprepared branches have the grace time to be prepared, from now on (R10).
void Agent::drop_link(LinkId id) {
  bool owns_unprepared = false;
  for (auto& [xid, branch] : branches_) {
    branch.forget_asker(id);
    owns_unprepared |= branch.owner() == id && branch.is_unprepared();
  }
  if (owns_unprepared) lost_links_[id] = now_ + config_.link_grace;
  links_.erase(id);
}

void Agent::on(TimePassed&&, Outbox& out) {
  std::set<LinkId> due;
  for (const auto& [id, deadline] : lost_links_) {
    if (deadline <= now_) due.insert(id);
  }
  if (due.empty()) return;
  for (auto& [xid, branch] : branches_) {
    if (due.contains(branch.owner())) branch.cancel(out);
  }
  for (const LinkId id : due) lost_links_.erase(id);
}

CoordinatorIndex Agent::index_of(const std::string& coordinator) {
  auto at = std::find(coordinators_.begin(), coordinators_.end(), coordinator);
  if (at == coordinators_.end()) at = coordinators_.insert(at, coordinator);
  return CoordinatorIndex{static_cast<std::uint32_t>(at - coordinators_.begin())};
}

// ---------------------------------------------------------------- requests

void Agent::on(RequestArrived&& event, Outbox& out) {
  const auto at = links_.find(event.link);
  // Nothing read from a link that was ended is obeyed (R6).
  if (at == links_.end() || at->second.phase != Link::Phase::kServing) return;
  if (event.request.incarnation != config_.incarnation) {
    return refuse_incarnation(event.link, event.request, out);
  }
  raise_lowest(at->second.hello.log_id, event.request.lowest_unfinished, out);
  std::visit([&](auto& body) { on_request(event.link, std::move(body), out); }, event.request.body);
}

void Agent::refuse_incarnation(LinkId id, const AgentRequest& request, Outbox& out) const {
  const Error error =
      refusal(ErrorCode::kWrongIncarnation, "meant for an earlier incarnation of this agent");
  struct Refuse {
    LinkId id;
    const Error& error;
    Outbox& out;
    void operator()(const Work& work) const {
      if (work.then == AfterWork::kPrepare) {
        out.reply(id, Voted{work.xid, Vote::kUnknown, {}, error, {}});
      } else {
        out.reply(id, Worked{work.xid, work.first_index, {}, error});
      }
    }
    void operator()(const Prepare& prepare) const {
      out.reply(id, Voted{prepare.xid, Vote::kUnknown, {}, error, {}});
    }
    void operator()(const Commit& commit) const { unreached(commit.xid, Decision::kCommit); }
    void operator()(const Rollback& rollback) const {
      unreached(rollback.xid, Decision::kRollback);
    }
    void unreached(const Xid& xid, Decision told) const {
      out.reply(id, Finished{xid, told, Completion::kUnreached, Evidence::kNone, error});
    }
    void operator()(const ListPrepared& list) const {
      out.reply(id, PreparedList{list.scan, {}, 0, error});
    }
    void operator()(const ForgetWitnesses&) const {}
    void operator()(const Inspect& inspect) const {
      out.reply(id, Inspected{inspect.serial, {}, {}, error});
    }
    void operator()(const Ping&) const { out.reply(id, Pong{}); }
  };
  std::visit(Refuse{id, error, out}, request.body);
}

/// Is this xid one that this link may speak of at all?
std::optional<Error> Agent::why_foreign(const Link& link, const Xid& xid) const {
  if (xid.bqual != config_.participant) {
    return refusal(ErrorCode::kInvalid,
                   "this agent serves participant " + config_.participant + ", not " + xid.bqual);
  }
  if (!link.logs.contains(xid.gtrid.log_id)) {
    return refusal(ErrorCode::kInvalid, "the transaction is of log " + to_string(xid.gtrid.log_id) +
                                            ", the link's coordinator has log " +
                                            to_string(link.hello.log_id));
  }
  if (xid.gtrid.log_id == link.hello.log_id && xid.gtrid.epoch > link.hello.epoch) {
    return refusal(ErrorCode::kInvalid, "the transaction is of a later epoch than its coordinator");
  }
  return std::nullopt;
}

/// May this xid get new work?
std::optional<Error> Agent::why_refuse_new(const Link& link, const Xid& xid) const {
  if (auto foreign = why_foreign(link, xid)) return foreign;
  if (xid.gtrid.log_id != link.hello.log_id || xid.gtrid.epoch != link.hello.epoch) {
    return refusal(ErrorCode::kTooOld, "the transaction is of an earlier epoch or log");
  }
  if (is_below_lowest(xid.gtrid) && !mutant("finished work is taken again")) {
    return refusal(ErrorCode::kTooOld,
                   "the coordinator has already finished this transaction and all before it");
  }
  if (branches_.size() >= config_.branches_max && !branches_.contains(xid)) {
    return refusal(ErrorCode::kBusy, "this agent remembers as many branches as it may (" +
                                         std::to_string(config_.branches_max) + ")");
  }
  return std::nullopt;
}

Agent::Branches::iterator Agent::branch_of(LinkId id, const Xid& xid) {
  return branches_.try_emplace(xid, xid, id, links_.at(id).coordinator).first;
}

void Agent::on_request(LinkId id, Work&& work, Outbox& out) {
  const bool prepares = work.then == AfterWork::kPrepare;
  auto error = why_refuse_new(links_.at(id), work.xid);
  // Its repeat could not be told from the next one.
  if (work.statements.empty()) error = refusal(ErrorCode::kInvalid, "work without statements");
  if (error) {
    if (prepares) {
      out.reply(id, Voted{work.xid, Vote::kUnknown, {}, std::move(error), {}});
    } else {
      out.reply(id, Worked{work.xid, work.first_index, {}, std::move(error)});
    }
    return;
  }
  const auto at = branch_of(id, work.xid);
  at->second.on_work(id, std::move(work), out);
  after_change(at, out);
}

void Agent::on_request(LinkId id, Prepare&& prepare, Outbox& out) {
  if (auto error = why_refuse_new(links_.at(id), prepare.xid)) {
    out.reply(id, Voted{prepare.xid, Vote::kUnknown, {}, std::move(error), {}});
    return;
  }
  const auto at = branch_of(id, prepare.xid);
  at->second.on_prepare(id, prepare, out);
  after_change(at, out);
}

void Agent::on_request(LinkId id, Commit&& commit, Outbox& out) {
  if (auto error = why_foreign(links_.at(id), commit.xid)) {
    return out.reply(id, Finished{commit.xid, Decision::kCommit, Completion::kCannotTell,
                                  Evidence::kNone, std::move(error)});
  }
  const auto at = branch_of(id, commit.xid);
  at->second.on_commit(id, commit, out);
  after_change(at, out);
}

void Agent::on_request(LinkId id, Rollback&& rollback, Outbox& out) {
  if (auto error = why_foreign(links_.at(id), rollback.xid)) {
    return out.reply(id, Finished{rollback.xid, Decision::kRollback, Completion::kCannotTell,
                                  Evidence::kNone, std::move(error)});
  }
  const auto at = branch_of(id, rollback.xid);
  at->second.on_rollback(id, rollback, out);
  after_change(at, out);
}

void Agent::on_request(LinkId id, ListPrepared&& list, Outbox& out) {
  const Link& link = links_.at(id);
  std::optional<FenceTop> fence;
  if (list.log_top > 0) fence = fence_of(link.hello, list.log_top);
  ++lists_under_way_;
  out.add(StartList{id, list.scan, link.logs, std::move(fence)});
}

/// A witness goes only when nothing that this incarnation still has to prove could need it.
void Agent::on_request(LinkId id, ForgetWitnesses&& forget, Outbox& out) {
  const std::set<LogId>& logs = links_.at(id).logs;
  const auto keep = [&](const Gtrid& gtrid) {
    const auto at = branches_.find({gtrid, config_.participant});
    const bool needed = at != branches_.end() && at->second.needs_witness();
    if (logs.contains(gtrid.log_id) && !needed) return false;
    out.add(warning("gtrid=" + to_string(gtrid) + " witness kept: its branch is not finished"));
    return true;
  };
  std::erase_if(forget.gtrids, keep);
  if (!forget.gtrids.empty()) out.add(DeleteWitnesses{std::move(forget.gtrids)});
}

void Agent::on_request(LinkId id, Inspect&& inspect, Outbox& out) {
  const Link& link = links_.at(id);
  if (auto error = why_refuse_look(link, inspect)) {
    return out.reply(id, Inspected{inspect.serial, {}, {}, std::move(error)});
  }
  StartInspect start{id, inspect.serial, link.logs, {}};
  for (BranchAsked& asked : inspect.branches) {
    const auto at = branches_.find(asked.xid);
    if (!asked.proof && at != branches_.end()) asked.proof = at->second.proof();
    start.branches.push_back({std::move(asked.xid), std::move(asked.proof)});
  }
  ++inspects_under_way_;
  out.add(std::move(start));
}

std::optional<Error> Agent::why_refuse_look(const Link& link, const Inspect& inspect) const {
  if (inspect.branches.size() > kInspectedMax) {
    return refusal(ErrorCode::kInvalid, "asks for more than " + std::to_string(kInspectedMax) +
                                            " branches at once; ask for some at a time");
  }
  for (const BranchAsked& asked : inspect.branches) {
    if (auto foreign = why_foreign(link, asked.xid)) return foreign;
  }
  if (inspects_under_way_ >= config_.inspects_max) {
    return refusal(ErrorCode::kBusy,
                   "the agent is looking already, as often at once as it may; ask again");
  }
  return std::nullopt;
}

void Agent::on_request(LinkId id, Ping&&, Outbox& out) {
  out.reply(id, Pong{});
}

// ---------------------------------------------------------------- ends of database operations

void Agent::on(WorkEnded&& event, Outbox& out) {
  const auto at = branches_.find(event.xid);
  ASSENT_CHECK(at != branches_.end());
  at->second.on_work_ended(std::move(event), out);
  after_change(at, out);
}

void Agent::on(FinishEnded&& event, Outbox& out) {
  const auto at = branches_.find(event.xid);
  ASSENT_CHECK(at != branches_.end());
  if (lists_under_way_ > 0) finished_while_listing_.insert(event.xid);
  at->second.on_finish_ended(std::move(event), out);
  after_change(at, out);
}

void Agent::on(ListEnded&& event, Outbox& out) {
  ASSENT_CHECK(lists_under_way_ > 0);
  for (const PreparedBranch& listed : event.branches) {
    const auto at = branches_.find(listed.xid);
    if (at != branches_.end() && !finished_while_listing_.contains(listed.xid)) {
      at->second.on_listed();
    }
  }
  if (--lists_under_way_ == 0) finished_while_listing_.clear();
  const auto link = links_.find(event.link);
  if (link == links_.end()) return;
  HeldTop& left = fence_left_.at(link->second.hello.log_id);
  left.top = std::max(left.top, event.fence_top);
  out.reply(event.link, PreparedList{event.scan, std::move(event.branches), event.foreign,
                                     std::move(event.error), event.fence_top, event.put_back});
}

void Agent::on(InspectEnded&& event, Outbox& out) {
  ASSENT_CHECK(inspects_under_way_ > 0);
  --inspects_under_way_;
  if (!links_.contains(event.link)) return;
  out.reply(event.link, Inspected{event.serial, std::move(event.branches), std::move(event.foreign),
                                  std::move(event.error)});
}

// ---------------------------------------------------------------- forgetting

Agent::Branches::iterator Agent::first_of(LogId log_id) {
  return branches_.lower_bound(Xid{{log_id, Epoch{}, Sequence{}}, {}});
}

/// Only what is below the coordinator's lowest unfinished gtrid is forgotten (R6).
void Agent::raise_lowest(LogId log_id, const Gtrid& lowest, Outbox& out) {
  if (lowest.log_id != log_id) return;
  Gtrid& known = lowest_unfinished_[log_id];
  if (lowest <= known) return;
  known = lowest;
  for (auto at = first_of(log_id); at != branches_.end() && at->first.gtrid < lowest;) {
    const auto next = std::next(at);
    at->second.cancel(out);
    after_change(at, out);
    at = next;
  }
}

bool Agent::is_below_lowest(const Gtrid& gtrid) const {
  const auto at = lowest_unfinished_.find(gtrid.log_id);
  return at != lowest_unfinished_.end() && gtrid < at->second;
}

void Agent::after_change(Branches::iterator at, Outbox& out) {
  const auto& [xid, branch] = *at;
  if (!branch.is_unprepared()) {
    for (auto& [id, link] : links_) {
      if (link.phase != Link::Phase::kDraining) continue;
      if (link.awaited.erase(xid) > 0) welcome_when_drained(id, out);
    }
  }
  if (branch.is_new() || (branch.may_be_forgotten() && is_below_lowest(xid.gtrid))) {
    branches_.erase(at);
  }
}

}  // namespace assent::agent
