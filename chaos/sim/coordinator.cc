#include "chaos/sim/coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "chaos/sim/message_text.h"
#include "coordinator/core/recovery.h"
#include "protocol/base/check.h"
#include "protocol/wire/request_hash.h"

namespace assent::sim {
namespace {

using coordinator::ClientSessionId;
using coordinator::RequestId;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPingAfterSilence = seconds(2);
constexpr Duration kCutAfterSilence = seconds(6);
constexpr Duration kHelloMax = seconds(30);

Error no_link(const char* why) {
  return {.code = ErrorCode::kConnectionLost, .effect = Effect::kNone, .message = why};
}

}  // namespace

Coordinator::Coordinator(World& world, const coordinator::Config& config, LogDisk& disk,
                         Links& links, const Weather& weather, Hooks hooks)
    : world_(world),
      links_(links),
      weather_(weather),
      hooks_(std::move(hooks)),
      name_(config.name),
      process_(world, "coordinator") {
  world_.trace(process_.name(), "starts");
  log_ = std::make_unique<Log>(
      process_, disk,
      Log::Listener{[this](std::vector<coordinator::LogToken> tokens) {
                      process_.soon(
                          [this, tokens = std::move(tokens)] { driver_->log_durable(tokens); });
                    },
                    [this](Error why) {
                      process_.soon([this, why = std::move(why)] { driver_->log_failed(why); });
                    }},
      [this](const coordinator::Record& record) { judge_record(record); });
  const coordinator::Past& past = log_->opening();
  driver_.reset(new coordinator::Driver(coordinator::Coordinator(config, past, now()), *log_, *this,
                                        *this, *this));
  process_.soon([this, participants = config.participants] {
    driver_->start();
    for (const std::string& participant : participants) connect(participant);
  });
}

Coordinator::~Coordinator() {
  world_.trace(process_.name(), "ends");
  for (auto& [participant, end] : agents_) {
    if (end.link) end.link->cut();
  }
  for (auto& [session, end] : clients_) end.link->cut();
}

// ---------------------------------------------------------------- links to agents

void Coordinator::connect(const std::string& participant) {
  AgentEnd& end = agents_[participant];
  ++end.generation;
  Agent* agent = hooks_.find_agent(participant);
  if (agent == nullptr || !agent->serves()) return end_link(participant, no_link("nobody listens"));
  end.link = links_.make(world_, weather_, participant);
  end.link->attach(Link::Side::kCaller, process_,
                   [this, participant, generation = end.generation](const Error& why) {
                     on_closed(participant, generation, why);
                   });
  end.heard = world_.now();
  end.id = agent->accept(end.link, ears(participant, end.generation));
  say_hello(participant, *agent);
  watch_silence(participant, end.generation);
}

void Coordinator::say_hello(const std::string& participant, Agent& agent) {
  const AgentEnd& end = agents_.at(participant);
  end.link->send(Link::Side::kCaller,
                 [&agent, id = end.id, hello = hello_to(participant)] { agent.hello(id, hello); });
}

Hello Coordinator::hello_to(const std::string& participant) const {
  Hello hello = coordinator::hello_of(log_->opening(), driver_->given_up_to());
  hello.coordinator = name_;
  hello.participant = participant;
  return hello;
}

AgentEars Coordinator::ears(const std::string& participant, std::uint64_t generation) {
  const auto when_it_stands = [this, participant, generation](auto hear) {
    return [this, participant, generation, hear](const auto& message) {
      AgentEnd& end = agents_.at(participant);
      if (end.generation != generation || !end.link) return;
      end.heard = world_.now();
      hear(message);
    };
  };
  return {when_it_stands([this, participant](const Welcome& it) { on_welcome(participant, it); }),
          when_it_stands([this, participant](const Refused& it) { on_refused(participant, it); }),
          when_it_stands([this, participant](const AgentReply& it) {
            const AgentEnd& end = agents_.at(participant);
            if (end.incarnation != it.incarnation || std::holds_alternative<Pong>(it.body)) return;
            driver_->agent_replied(participant, it);
          })};
}

void Coordinator::on_welcome(const std::string& participant, const Welcome& welcome) {
  AgentEnd& end = agents_.at(participant);
  if (end.incarnation) return;  // a repeat of the network's
  end.incarnation = welcome.incarnation;
  end.lowest = {log_->opening().log_id, Epoch{1}, Sequence{1}};
  world_.trace(process_.name(), "welcomed by " + participant);
  driver_->agent_connected(participant, welcome);
}

void Coordinator::on_refused(const std::string& participant, const Refused& refused) {
  agents_.at(participant).fence = {refused.fence_top, refused.fence_epoch};
  close(participant, refused.error);
}

void Coordinator::on_closed(const std::string& participant, std::uint64_t generation,
                            const Error& why) {
  if (agents_.at(participant).generation == generation) end_link(participant, why);
}

void Coordinator::end_link(const std::string& participant, const Error& why) {
  AgentEnd& end = agents_.at(participant);
  end.link.reset();
  end.incarnation.reset();
  ++end.generation;
  process_.in(world_.random().between(milliseconds(20), milliseconds(500)),
              [this, participant] { connect(participant); });
  driver_->agent_disconnected(participant, why, std::exchange(end.fence, {}));
}

void Coordinator::watch_silence(const std::string& participant, std::uint64_t generation) {
  process_.in(kPingAfterSilence, [this, participant, generation] {
    AgentEnd& end = agents_.at(participant);
    if (end.generation != generation || !end.link) return;
    const Duration silence = world_.now() - end.heard;
    if (silence >= (end.incarnation ? kCutAfterSilence : kHelloMax))
      return close(participant, no_link("the agent is silent"));
    if (end.incarnation && silence >= kPingAfterSilence)
      deliver(end, participant, AgentRequest{*end.incarnation, end.lowest, Ping{}});
    watch_silence(participant, generation);
  });
}

void Coordinator::send(const std::string& participant, AgentRequest request) {
  if (!process_.acts()) return;
  AgentEnd& end = agents_[participant];
  if (!end.link || end.incarnation != request.incarnation) return;
  if (const auto* commit = std::get_if<Commit>(&request.body))
    check_durable(commit->xid.gtrid, "a commit");
  end.lowest = request.lowest_unfinished;
  deliver(end, participant, std::move(request));
}

void Coordinator::deliver(AgentEnd& end, const std::string& participant, AgentRequest request) {
  if (world_.tracing())
    world_.trace(process_.name(), "to " + participant + ": " + text_of(request));
  // The link ends with the agent's process, so the agent is the one that was connected to.
  Agent* agent = hooks_.find_agent(participant);
  end.link->send(Link::Side::kCaller, [agent, id = end.id, request = std::move(request)] {
    agent->request(id, request);
  });
}

void Coordinator::close(const std::string& participant, const Error& why) {
  AgentEnd& end = agents_[participant];
  if (!end.link || !process_.acts()) return;
  end.link->close(Link::Side::kCaller);
  // Not from within: the driver is told of every end by an event of its own.
  process_.soon([this, participant, generation = end.generation, why] {
    on_closed(participant, generation, why);
  });
}

void Coordinator::judge_record(const coordinator::Record& record) {
  if (const auto* end = std::get_if<coordinator::EndRecord>(&record))
    check_took_effect(end->gtrid, "an end is recorded");
}

/// Each branch of a commit that is said to be finished everywhere.
void Coordinator::check_took_effect(const Gtrid& gtrid, const std::string& what) {
  const auto found = log_->find_gtrid(gtrid);
  if (!found || !*found) return;
  const auto* commit = std::get_if<coordinator::CommitRecord>(&(*found)->record);
  if (commit == nullptr) return;
  for (const coordinator::DecidedBranch& branch : commit->branches) {
    const std::string& participant = branch.xid.bqual;
    if (hooks_.put_back().contains(participant)) continue;
    if (!hooks_.database(participant).took_effect().contains(branch.xid))
      hooks_.violated("I7", what + ", and " + to_string(branch.xid) + " took no effect yet");
  }
}

/// I12: nobody is called for nothing. R5: a branch that this coordinator has sent work to is not
/// lost sight of before its absence was proved; then it is back only where the database forgets
/// (F 13).
void Coordinator::judge_note(const coordinator::Note& note) {
  if (hooks_.needs_a_person()) return;
  if (note.level == coordinator::Note::Level::kError && !has_cause(note))
    hooks_.violated("I12", "a person is called, and nothing has happened: " + note.text);
  if (note.text.find(" an orphan,") == std::string::npos) return;
  const Xid xid = xid_in(note.text);
  const bool ours = xid.gtrid.epoch == log_->opening().epoch;
  if (ours && !hooks_.database(xid.bqual).has_come_back(xid))
    hooks_.violated("R5", to_string(xid) + " was lost sight of before its absence was proved");
}

/// R2: below the low water only a person can tell. Nor can what is gone be looked for in a database
/// whose history is in doubt (docs/decisions/0016).
bool Coordinator::has_cause(const coordinator::Note& note) const {
  if (note.text.starts_with("clock:") || !log_->has_disk()) return true;
  if (is_about_what_was_put_back(note)) return true;
  const auto says = [&note](const char* text) { return note.text.find(text) != std::string::npos; };
  const auto low_water = log_->low_water();
  if (!low_water) return false;
  const bool of_history = says("history changed") || says("history of its database changed") ||
                          says("of its committed branches are lost");
  const bool of_branch =
      says("its decision may have been removed") && xid_in(note.text).gtrid <= *low_water;
  if (of_history || of_branch) hooks_.person_called();
  return of_history || of_branch;
}

/// The others are not to suffer from it.
bool Coordinator::is_about_what_was_put_back(const coordinator::Note& note) const {
  const auto& put_back = hooks_.put_back();
  return std::any_of(put_back.begin(), put_back.end(), [&note](const std::string& participant) {
    return note.text.find("participant=" + participant + " ") != std::string::npos ||
           note.text.find("/" + participant + " ") != std::string::npos;
  });
}

/// I8: nothing leaves that stands for a decision before that is durable.
void Coordinator::check_durable(const Gtrid& gtrid, const std::string& what) {
  if (!log_->has_reported(gtrid))
    hooks_.violated("I8", what + " of " + to_string(gtrid) + " leaves before it is durable");
}

void Coordinator::judge_answer(Answer& answer) {
  if (answer.gtrid) {
    if (answer.outcome == Outcome::kCommitted) check_durable(*answer.gtrid, "\"committed\"");
    if (answer.outcome == Outcome::kRolledBack) check_durable(*answer.gtrid, "\"rolled back\"");
    if (answer.outcome == Outcome::kCommitted && answer.applied)
      check_took_effect(*answer.gtrid, "\"applied\" is told");
  }
  // Until an agent tells it that it is deposed it can only say what it does not know "now" (R15):
  // no answer to be held against it.
  const bool unknowing = answer.outcome == Outcome::kNoRecord;
  if (unknowing && !log_->has_disk()) answer.outcome = Outcome::kUnknown;
}

// ---------------------------------------------------------------- sessions of clients

ClientSessionId Coordinator::accept(std::shared_ptr<Link> link, Hear hear) {
  const ClientSessionId session{next_session_++};
  link->attach(Link::Side::kCallee, process_, [this, session](const Error&) {
    clients_.erase(session);
    driver_->client_closed(session);
  });
  clients_[session] = {std::move(link), std::move(hear)};
  return session;
}

void Coordinator::request(ClientSessionId session, RequestId request, const ClientRequest& body) {
  if (!clients_.contains(session)) return;
  coordinator::RequestHash hash{};
  if (const auto* submit = std::get_if<Submit>(&body))
    hash = request_hash(submit->steps, submit->not_after);
  driver_->client_requested(session, request, body, hash);
}

void Coordinator::reply(ClientSessionId session, RequestId request, ClientReply reply) {
  if (!process_.acts()) return;
  const auto at = clients_.find(session);
  if (at == clients_.end()) return;
  if (auto* answer = std::get_if<Answer>(&reply)) judge_answer(*answer);
  at->second.link->send(Link::Side::kCallee, [hear = at->second.hear, request,
                                              reply = std::move(reply)] { hear(request, reply); });
}

// ---------------------------------------------------------------- the host

void Coordinator::wake_at(std::optional<Instant> due) {
  const std::uint64_t wish = ++wish_;
  if (!due) return;
  process_.in(std::max(*due - world_.now(), Duration(0)), [this, wish] {
    if (wish == wish_) driver_->time_passed();
  });
}

void Coordinator::note(const coordinator::Note& note) {
  world_.trace(process_.name(), note.text);
  judge_note(note);
}

void Coordinator::beside(std::function<Result<>()> work, std::function<void(Result<>)> done) {
  process_.soon([work = std::move(work), done = std::move(done)] { done(work()); });
}

void Coordinator::halt(const Error& why) {
  world_.trace(process_.name(), "halts: " + why.message);
  process_.soon([this] { hooks_.halted(*this); });
}

}  // namespace assent::sim
