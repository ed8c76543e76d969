#include "coordinator/server/driver.h"

#include <optional>
#include <utility>
#include <variant>

#include "coordinator/server/crash_points.h"
#include "coordinator/server/overloaded.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

/// What the log is to be asked for, if anything: the request's key, or the gtrid that it names.
/// CommitTransaction's key was looked up when its Begin came in, and the core has held it since;
/// its gtrid may be of a transaction that has left the core's table.
Result<std::optional<Decided>> ask_log(DecisionLog& log, const ClientRequest& body) {
  using Found = Result<std::optional<Decided>>;
  const auto by_key = [&log](const std::string& key) -> Found {
    if (key.empty()) return std::optional<Decided>();
    return log.find_key(key);
  };
  return std::visit(
      Overloaded{[&](const Submit& it) -> Found { return by_key(it.key); },
                 [&](const Begin& it) -> Found { return by_key(it.key); },
                 [&](const OutcomeOf& it) -> Found { return by_key(it.key); },
                 [&](const CommitTransaction& it) -> Found { return log.find_gtrid(it.gtrid); },
                 [&](const RollbackTransaction& it) -> Found { return log.find_gtrid(it.gtrid); },
                 [&](const ShowTransaction& it) -> Found { return log.find_gtrid(it.gtrid); },
                 [](const auto&) -> Found { return std::optional<Decided>(); }},
      body);
}

/// All that the log holds of the gtrid, for those who look at one transaction.
Result<std::vector<ToldRecord>> ask_log_for_story(DecisionLog& log, const ClientRequest& body) {
  using Found = Result<std::vector<ToldRecord>>;
  return std::visit(
      Overloaded{[&](const TellStory& it) -> Found { return log.find_story(it.gtrid); },
                 [&](const ResolveTransaction& it) -> Found { return log.find_story(it.gtrid); },
                 [&](const ForgetDamage& it) -> Found { return log.find_story(it.gtrid); },
                 [](const auto&) -> Found { return std::vector<ToldRecord>(); }},
      body);
}

Answer cannot_tell(const Error& why) {
  Answer answer;
  answer.outcome = Outcome::kUnknown;
  answer.error = why;
  answer.error->effect = assent::Effect::kUnknown;
  return answer;
}

}  // namespace

Driver::Driver(Coordinator core, DecisionLog& log, AgentsPort& agents, ClientsPort& clients,
               HostPort& host)
    : core_(std::move(core)), log_(log), agents_(agents), clients_(clients), host_(host) {}

void Driver::start() {
  log_.begin_time(core_.log_time());
  host_.wake_at(core_.next_deadline());
}

void Driver::client_requested(ClientSessionId session, RequestId request, ClientRequest body,
                              const RequestHash& hash, std::optional<Error> busy) {
  happen(ClientRequested{.session = session,
                         .request = request,
                         .body = std::move(body),
                         .hash = hash,
                         .busy = std::move(busy)});
}

void Driver::client_closed(ClientSessionId session) {
  happen(ClientSessionClosed{session});
}

void Driver::agent_connected(std::string participant, Welcome welcome) {
  happen(AgentConnected{std::move(participant), std::move(welcome)});
}

void Driver::agent_disconnected(std::string participant, Error why, FenceTold fence) {
  happen(AgentDisconnected{std::move(participant), std::move(why), fence});
}

void Driver::agent_replied(std::string participant, AgentReply reply) {
  happen(AgentReplied{std::move(participant), std::move(reply)});
}

void Driver::time_passed() {
  happen(TimePassed{});
  if (!halted_) log_.keep_time(core_.log_time());
}

void Driver::drain() {
  // Of no session: the answer is dropped.
  happen(ClientRequested{.body = SetDrain{true}});
}

CoordinatorStatus Driver::status() const {
  CoordinatorStatus status = core_.status();
  complete(status);
  return status;
}

/// By what the core doesn't know.
void Driver::complete(CoordinatorStatus& status) const {
  status.log = log_.stats();
  if (!work_refused_) return;
  status.ready = false;
  status.holding_up.push_back(work_refused_->message);
}

void Driver::log_durable(const std::vector<LogToken>& tokens) {
  if (halted_) return;
  for (const LogToken token : tokens) waiting_.emplace_back(LogDurable{token});
  run_waiting();
}

void Driver::log_failed(const Error& why) {
  if (halted_) return;
  halted_ = true;
  waiting_.clear();
  host_.halt(why);
}

void Driver::happen(Event event) {
  if (halted_) return;
  waiting_.push_back(std::move(event));
  run_waiting();
}

void Driver::run_waiting() {
  if (running_) return;
  running_ = true;
  while (!waiting_.empty()) {
    Event event = std::move(waiting_.front());
    waiting_.pop_front();
    take(std::move(event));
  }
  running_ = false;
  if (halted_) return;
  host_.wake_at(core_.next_deadline());
  if (core_.drained()) host_.drained();
}

void Driver::take(Event event) {
  crash_point(point_of(event));
  // The log is asked when the core is about to see the request, not when it arrived: a transaction
  // that leaves the core's table in between is in the log by then, so its key is always in one of
  // the two.
  if (auto* requested = std::get_if<ClientRequested>(&event)) {
    if (!look_up(*requested)) return;
  } else if (auto* outcomes = std::get_if<OutcomesFound>(&event)) {
    if (!look_up(*outcomes)) return;
  }
  Effects effects = core_.step(std::move(event), host_.now());
  for (Effect& effect : effects) {
    if (halted_) return;
    carry_out(effect);
  }
}

bool Driver::look_up(ClientRequested& requested) {
  auto found = ask_log(log_, requested.body);
  if (found.has_error()) {
    clients_.reply(requested.session, requested.request, cannot_tell(found.error()));
    return false;
  }
  auto story = ask_log_for_story(log_, requested.body);
  if (story.has_error()) {
    clients_.reply(requested.session, requested.request, cannot_tell(story.error()));
    return false;
  }
  if (mutant("keys are not looked up")) found->reset();
  requested.known = std::move(*found);
  requested.story = std::move(*story);
  return true;
}

bool Driver::look_up(OutcomesFound& outcomes) {
  for (const Gtrid& gtrid : outcomes.gtrids) {
    auto found = log_.find_gtrid(gtrid);
    if (found.has_error()) {
      // Taken as "no record", a damaged block would let a person roll back what was committed.
      log_failed(found.error());
      return false;
    }
    if (*found) outcomes.decided.emplace(gtrid, **std::move(found));
  }
  return true;
}

void Driver::carry_out(Effect& effect) {
  std::visit(Overloaded{[this](SendToAgent& send) { carry_out_send(send); },
                        [this](CloseAgentLink& it) { agents_.close(it.participant, it.why); },
                        [this](ReplyToClient& reply) { carry_out_reply(reply); },
                        [this](AppendForced& append) { carry_out_append(append); },
                        [this](AppendUnforced& append) { carry_out_append(append); },
                        [this](FindDecision& find) { carry_out_find(find); },
                        [this](FindOutcomes& it) {
                          happen(OutcomesFound{it.look, std::move(it.gtrids), {}});
                        },
                        [this](FindCommits& find) { carry_out_find(std::move(find)); },
                        [this](CopyLog& copy) { carry_out_copy(copy); },
                        [this](Note& note) { host_.note(note); }},
             effect);
}

void Driver::carry_out_send(SendToAgent& send) {
  auto* list = std::get_if<ListPrepared>(&send.request.body);
  if (list != nullptr && list->log_top == kLogTop) list->log_top = log_.top();
  if (list != nullptr && mutant("the fence row is told too much")) list->log_top += 10;
  agents_.send(send.participant, std::move(send.request));
}

void Driver::carry_out_reply(ReplyToClient& reply) {
  if (auto* status = std::get_if<CoordinatorStatus>(&reply.reply)) complete(*status);
  clients_.reply(reply.session, reply.request, std::move(reply.reply));
}

void Driver::carry_out_append(AppendForced& append) {
  crash_point(point_of(append.record));
  log_.append_forced(std::move(append.record), core_.log_time(), append.token);
}

void Driver::carry_out_append(AppendUnforced& append) {
  const CrashPoint appended = point_of(append.record);
  log_.append(std::move(append.record), core_.log_time());
  crash_point(appended);
}

void Driver::carry_out_find(FindDecision& find) {
  auto found = log_.find_gtrid(find.branch.xid.gtrid);
  if (found.has_error()) {
    // Taken as "no record", a damaged block would roll back a committed branch.
    log_failed(found.error());
    return;
  }
  happen(DecisionFound{std::move(find.participant), std::move(find.branch), std::move(*found),
                       log_.low_water()});
}

/// The participant may be in few of very many records: others have their turns between two pieces.
void Driver::carry_out_find(FindCommits find) {
  if (halted_) return;
  auto piece = log_.find_commits(find.participant, find.span);
  if (piece.has_error()) return log_failed(piece.error());
  if (piece->commits.empty() && piece->more) {
    find.span.after = piece->read_to;
    return host_.later([this, find = std::move(find)] { carry_out_find(find); });
  }
  const bool too_many = piece->commits.size() > find.max;
  if (too_many) piece->commits.resize(find.max);
  happen(CommitsFound{std::move(find.participant), std::move(piece->commits),
                      too_many || piece->more, piece->gone});
}

void Driver::carry_out_copy(CopyLog& copy) {
  auto work = [this, path = copy.path] { return log_.back_up(path); };
  host_.beside(std::move(work), [this, copy](const Result<>& done) {
    ActionTold told;
    told.acted = done.has_value();
    if (done) {
      told.plan = {"the log is copied to " + copy.path};
      told.next = "assentctl log verify " + copy.path;
    } else {
      told.refused = done.error();
    }
    if (!halted_) clients_.reply(copy.session, copy.request, std::move(told));
  });
}

}  // namespace assent::coordinator
