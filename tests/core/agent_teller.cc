#include "tests/core/agent_teller.h"

#include <memory>
#include <sstream>
#include <stdexcept>

#include "participant_agents/core/agent.h"

namespace assent::testing {
namespace {

using namespace assent::agent;

constexpr const char* kParticipant = "points";
constexpr Incarnation kIncarnation{7};

template <typename Enum>
auto number_of(Enum value) {
  return static_cast<std::uint64_t>(value);
}

// ---------------------------------------------------------------- reading

Gtrid gtrid_of(const StoryCommand& command, std::uint64_t tx) {
  return {LogId{command.number("log", 1)},
          Epoch{static_cast<std::uint32_t>(command.number("epoch", 1))}, Sequence{tx}};
}

Xid xid_of(const StoryCommand& command) {
  return {gtrid_of(command, command.number("tx", 1)), command.text("participant", kParticipant)};
}

std::vector<Gtrid> gtrids_of(const StoryCommand& command) {
  std::vector<Gtrid> found;
  std::istringstream list(command.text("tx", ""));
  for (std::string one; std::getline(list, one, ',');) {
    found.push_back(gtrid_of(command, std::stoull(one)));
  }
  return found;
}

LinkId link_of(const StoryCommand& command) {
  return LinkId{command.number("link", 1)};
}

template <typename Enum>
Enum parse_enum(const std::string& word, int last) {
  for (int i = 0; i <= last; ++i) {
    const auto candidate = static_cast<Enum>(i);
    if (i == 0 && !std::is_same_v<Enum, Evidence>) continue;
    if (to_string(candidate) == word) return candidate;
  }
  throw std::invalid_argument("no such word: " + word);
}

std::optional<Error> error_of(const StoryCommand& command) {
  if (!command.has("error")) return std::nullopt;
  Error error;
  error.code = parse_enum<ErrorCode>(command.text("error", ""), 26);
  error.message = "from the database";
  return error;
}

BranchProof proof_of(const StoryCommand& command) {
  BranchProof proof;
  proof.database.id = command.text("db", "db");
  proof.database.position = command.number("position", 0);
  proof.transaction_id = command.number("xid8", 100 + command.number("tx", 1));
  return proof;
}

HelloArrived read_hello(const StoryCommand& command) {
  Hello hello;
  hello.coordinator = command.text("coordinator", "pay");
  hello.participant = kParticipant;
  hello.log_id = LogId{command.number("log", 1)};
  hello.epoch = Epoch{static_cast<std::uint32_t>(command.number("epoch", 1))};
  hello.opening_nonce = command.number("nonce", 1);
  hello.held = {{hello.epoch, command.number("held", 0)}};
  return {link_of(command), hello};
}

FenceRaised read_fence_raised(const StoryCommand& command) {
  FenceRaised raised{link_of(command),       {}, command.number("had", 0), error_of(command),
                     command.has("missing"), {}};
  if (!raised.error) raised.database.id = "db";
  if (command.has("other")) raised.others = {{LogId{command.number("other", 0)}, 40}};
  raised.epoch = Epoch{static_cast<std::uint32_t>(command.number("epoch", 0))};
  return raised;
}

Work read_work(const StoryCommand& command) {
  Work work;
  work.xid = xid_of(command);
  work.first_index = static_cast<std::uint32_t>(command.number("index", 0));
  work.statements.resize(command.number("n", 1));
  work.then = command.has("open") ? AfterWork::kStayOpen : AfterWork::kPrepare;
  return work;
}

Inspect read_inspect(const StoryCommand& command) {
  Inspect inspect{command.number("serial", 1), {}};
  for (const Gtrid& gtrid : gtrids_of(command)) {
    inspect.branches.push_back({{gtrid, command.text("participant", kParticipant)}, std::nullopt});
    if (command.has("xid8")) inspect.branches.back().proof = proof_of(command);
  }
  inspect.branches.resize(std::max<std::size_t>(inspect.branches.size(), command.number("n", 0)),
                          inspect.branches.empty() ? BranchAsked{} : inspect.branches.back());
  return inspect;
}

decltype(AgentRequest::body) read_body(const StoryCommand& command) {
  const std::string& name = command.name;
  if (name == "work") return read_work(command);
  if (name == "prepare") {
    return Prepare{
        xid_of(command), static_cast<std::uint32_t>(command.number("statements", 1)), {}};
  }
  if (name == "commit") return Commit{xid_of(command), proof_of(command)};
  if (name == "rollback") {
    return Rollback{xid_of(command),
                    command.has("xid8") ? std::optional(proof_of(command)) : std::nullopt};
  }
  if (name == "list") return ListPrepared{command.number("scan", 1), command.number("top", 0)};
  if (name == "forget") return ForgetWitnesses{gtrids_of(command)};
  if (name == "inspect") return read_inspect(command);
  if (name == "ping") return Ping{};
  throw std::invalid_argument("no such command: " + name);
}

RequestArrived read_request(const StoryCommand& command) {
  AgentRequest request;
  request.incarnation = Incarnation{command.number("incarnation", number_of(kIncarnation))};
  request.lowest_unfinished = gtrid_of(command, command.number("lowest", 1));
  request.body = read_body(command);
  return {link_of(command), std::move(request)};
}

WorkEnded read_work_ended(const StoryCommand& command) {
  WorkEnded ended;
  ended.xid = xid_of(command);
  ended.open = command.has("open");
  for (const Vote vote : {Vote::kPrepared, Vote::kReadOnly, Vote::kRolledBack}) {
    if (command.has(std::string(to_string(vote)))) ended.vote = vote;
  }
  if (ended.vote == Vote::kPrepared) ended.proof = proof_of(command);
  for (std::uint64_t i = 0; i < command.number("rows", 0); ++i) {
    ended.results.push_back({static_cast<std::int64_t>(i + 1), {}, {}});
  }
  ended.error = error_of(command);
  return ended;
}

FinishEnded read_finish_ended(const StoryCommand& command) {
  return {xid_of(command), parse_enum<Completion>(command.text("completion", "committed"), 5),
          parse_enum<Evidence>(command.text("evidence", "none"), 6), error_of(command)};
}

ListEnded read_list_ended(const StoryCommand& command) {
  ListEnded ended;
  ended.link = link_of(command);
  ended.scan = command.number("scan", 1);
  for (const Gtrid& gtrid : gtrids_of(command)) {
    ended.branches.push_back({{gtrid, kParticipant}, 100 + number_of(gtrid.sequence), {}});
  }
  ended.foreign = command.number("foreign", 0);
  ended.error = error_of(command);
  ended.fence_top = command.number("top", 0);
  ended.put_back = command.has("put_back");
  return ended;
}

InspectEnded read_inspect_ended(const StoryCommand& command) {
  InspectEnded ended;
  ended.link = link_of(command);
  ended.serial = command.number("serial", 1);
  for (const Gtrid& gtrid : gtrids_of(command)) {
    ended.branches.emplace_back().xid = {gtrid, kParticipant};
    ended.branches.back().completion =
        parse_enum<Completion>(command.text("completion", "still_prepared"), 5);
  }
  ended.foreign.resize(command.number("foreign", 0));
  ended.error = error_of(command);
  return ended;
}

// ---------------------------------------------------------------- writing

std::string show(const Gtrid& gtrid) {
  std::ostringstream out;
  if (number_of(gtrid.log_id) != 1) out << "log" << number_of(gtrid.log_id) << ":";
  if (number_of(gtrid.epoch) != 1) out << "e" << number_of(gtrid.epoch) << ":";
  out << number_of(gtrid.sequence);
  return out.str();
}

std::string show(const Xid& xid) {
  return "tx=" + show(xid.gtrid) + (xid.bqual == kParticipant ? "" : "/" + xid.bqual);
}

std::string show(const std::optional<Error>& error) {
  if (!error) return "";
  return " error=" + std::string(to_string(error->code)) + " \"" + error->message + "\"";
}

std::string show_results(const std::vector<StatementResult>& results) {
  return results.empty() ? "" : " results=" + std::to_string(results.size());
}

struct ShowReply {
  std::string operator()(const Worked& r) const {
    return "worked " + show(r.xid) + " index=" + std::to_string(r.first_index) +
           show_results(r.results) + show(r.error);
  }
  std::string operator()(const Voted& r) const {
    const std::string proof =
        r.proof.transaction_id == 0 ? "" : " xid8=" + std::to_string(r.proof.transaction_id);
    return "voted " + show(r.xid) + " " + std::string(to_string(r.vote)) + proof +
           show_results(r.results) + show(r.error);
  }
  std::string operator()(const Finished& r) const {
    return "finished " + show(r.xid) + " told=" + std::string(to_string(r.told)) + " " +
           std::string(to_string(r.completion)) +
           " evidence=" + std::string(to_string(r.evidence)) + show(r.error);
  }
  std::string operator()(const PreparedList& r) const {
    std::string out = "prepared scan=" + std::to_string(r.scan);
    for (const auto& branch : r.branches) out += " " + show(branch.xid);
    return out + " foreign=" + std::to_string(r.foreign) +
           (r.fence_top == 0 ? "" : " fence top=" + std::to_string(r.fence_top)) +
           (r.put_back ? " put back" : "") + show(r.error);
  }
  std::string operator()(const Inspected& r) const {
    std::string out = "inspected serial=" + std::to_string(r.serial);
    for (const BranchSight& branch : r.branches) {
      out += " " + show(branch.xid) + "=" + std::string(to_string(branch.completion)) + "/" +
             std::string(to_string(branch.evidence)) + show(branch.error);
    }
    for (const ForeignBranch& branch : r.foreign) out += " foreign=" + branch.name;
    return out + show(r.error);
  }
  std::string operator()(const Pong&) const { return "pong"; }
};

std::string show(const std::set<LogId>& logs) {
  std::string out;
  for (const LogId log : logs) out += " log=" + std::to_string(number_of(log));
  return out;
}

std::string show(const std::vector<OtherLog>& others) {
  std::string out;
  for (const OtherLog& other : others) {
    out += " other log=" + std::to_string(number_of(other.log_id)) +
           " top=" + std::to_string(other.top);
  }
  return out;
}

std::string show(const FenceTop& fence) {
  return "coordinator=" + fence.coordinator + " log=" + std::to_string(number_of(fence.log_id)) +
         " epoch=" + std::to_string(number_of(fence.epoch)) +
         " nonce=" + std::to_string(fence.opening_nonce) + " top=" + std::to_string(fence.log_top) +
         " held=" + std::to_string(fence.held.back().top) +
         (fence.left ? " left=" + std::to_string(number_of(fence.left->epoch)) + ":" +
                           std::to_string(fence.left->top)
                     : "");
}

std::string show_top(std::uint64_t top) {
  return top == 0 ? "" : " fence top=" + std::to_string(top);
}

std::string show(LinkId link) {
  return "link=" + std::to_string(number_of(link));
}

struct ShowEffect {
  std::string operator()(const SendWelcome& e) const {
    return "welcome " + show(e.link) +
           " incarnation=" + std::to_string(number_of(e.welcome.incarnation)) +
           " database=" + e.welcome.database.id + show_top(e.welcome.fence_top) +
           show(e.welcome.other_logs);
  }
  std::string operator()(const SendRefused& e) const {
    const auto epoch = static_cast<std::uint32_t>(e.refused.fence_epoch);
    return "refused " + show(e.link) + show_top(e.refused.fence_top) +
           (epoch == 0 ? "" : " fence epoch=" + std::to_string(epoch)) +
           show(std::optional(e.refused.error));
  }
  std::string operator()(const SendReply& e) const {
    return "reply " + show(e.link) + " " + std::visit(ShowReply(), e.reply.body);
  }
  std::string operator()(const CloseLink& e) const { return "close " + show(e.link); }
  std::string operator()(const StartWork& e) const {
    return "start work " + show(e.work.xid) + " index=" + std::to_string(e.work.first_index) +
           " statements=" + std::to_string(e.work.statements.size()) +
           (e.work.then == AfterWork::kPrepare ? " then prepare" : " then stay open");
  }
  std::string operator()(const StartPrepare& e) const { return "start prepare " + show(e.xid); }
  std::string operator()(const StartRollBackOpen& e) const {
    return "start roll back open " + show(e.xid);
  }
  std::string operator()(const StartCommit& e) const {
    const std::uint64_t position = e.proof.database.position;
    return "start commit " + show(e.xid) + " xid8=" + std::to_string(e.proof.transaction_id) +
           (position == 0 ? "" : " position=" + std::to_string(position)) +
           (e.as_voted ? " as voted" : "");
  }
  std::string operator()(const StartRollback& e) const {
    const std::string proof =
        e.proof ? " xid8=" + std::to_string(e.proof->transaction_id) : std::string();
    return "start rollback " + show(e.xid) + proof;
  }
  std::string operator()(const Interrupt& e) const { return "interrupt " + show(e.xid); }
  std::string operator()(const RaiseFence& e) const {
    return "raise fence " + show(e.link) + " " + show(e.fence);
  }
  std::string operator()(const StartList& e) const {
    return "start list " + show(e.link) + " scan=" + std::to_string(e.scan) +
           (e.logs.size() > 1 ? show(e.logs) : "") +
           (e.fence ? " raise fence " + show(*e.fence) : "");
  }
  std::string operator()(const StartInspect& e) const {
    std::string out =
        "start inspect " + show(e.link) + " serial=" + std::to_string(e.serial) + show(e.logs);
    for (const LookedFor& one : e.branches) {
      out += " " + show(one.xid);
      if (one.proof) out += " xid8=" + std::to_string(one.proof->transaction_id);
    }
    return out;
  }
  std::string operator()(const DeleteWitnesses& e) const {
    std::string out = "delete witnesses";
    for (const Gtrid& gtrid : e.gtrids) out += " tx=" + show(gtrid);
    return out;
  }
  std::string operator()(const Note& e) const {
    constexpr const char* kLevels[] = {"info", "warning", "error"};
    return std::string("note ") + kLevels[static_cast<int>(e.level)] + ": " + e.text;
  }
};

// ---------------------------------------------------------------- telling

AgentConfig config() {
  AgentConfig config;
  config.participant = kParticipant;
  config.incarnation = kIncarnation;
  config.kind = "postgres";
  config.branches_max = 8;
  return config;
}

class AgentTeller {
 public:
  std::string tell(const StoryCommand& command) {
    if (command.name == "time") return let_pass(command);
    if (command.name == "connect") {
      const std::string raising = step(read_hello(command));
      return raising + step(read_fence_raised(command));
    }
    return step(read(command));
  }

 private:
  static Event read(const StoryCommand& command) {
    if (command.name == "hello") return read_hello(command);
    if (command.name == "fence-raised") return read_fence_raised(command);
    if (command.name == "gone") return LinkGone{link_of(command)};
    if (command.name == "work-ended") return read_work_ended(command);
    if (command.name == "finish-ended") return read_finish_ended(command);
    if (command.name == "list-ended") return read_list_ended(command);
    if (command.name == "inspect-ended") return read_inspect_ended(command);
    return read_request(command);
  }

  std::string step(Event event) {
    std::string out;
    for (const agent::Effect& effect : agent_.step(std::move(event), now_)) {
      out += std::visit(ShowEffect(), effect) + "\n";
    }
    return out;
  }

  std::string let_pass(const StoryCommand& command) {
    now_ = now_ + std::chrono::milliseconds(command.number("ms", 1000));
    const auto due = agent_.next_deadline();
    if (!due) return "nothing will be due\n";
    if (*due > now_) {
      return "due in " + std::to_string((*due - now_).count() / 1000) + " ms\n";
    }
    return "due\n" + step(TimePassed{});
  }

  Agent agent_{config()};
  Instant now_;
};

}  // namespace

StoryTeller make_agent_teller() {
  auto teller = std::make_shared<AgentTeller>();
  return [teller](const StoryCommand& command) { return teller->tell(command); };
}

}  // namespace assent::testing
