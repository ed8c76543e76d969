// One keyed payment at two participants: every order of messages, with every pair of votes, and up
// to four mishaps anywhere: the coordinator crashes (its last appends kept or lost), an agent
// crashes, a link is lost, a message comes twice, the deadline passes, the caller asks again.
// Whatever happens: both or neither, no answer without its record, no two answers, and everything
// finished in the end. In some runs the log loses decisions, and the opening or one of the agents
// says so: then whatever can't be told is left as it is, also when a person has allowed to presume.

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "coordinator/core/coordinator.h"
#include "tests/core/choices.h"
#include "tests/core/coordinator_text.h"

namespace assent::coordinator {
namespace {

/// Of a fence row that knows of what is lost.
constexpr std::uint64_t kFenceTop = 100;

/// What the database does when it is asked to work and prepare.
enum class Reaction {
  kPrepares,
  kReadOnly,
  kRollsBack,
  kIsLost,          ///< the agent can't tell, and nothing is there
  kIsLostPrepared,  ///< the agent can't tell, and the branch is prepared
  kConflicts,       ///< the first time; then it prepares
};

constexpr Reaction kReactions[] = {Reaction::kPrepares,       Reaction::kReadOnly,
                                   Reaction::kRollsBack,      Reaction::kIsLost,
                                   Reaction::kIsLostPrepared, Reaction::kConflicts};

enum class Held { kOpen, kPrepared, kCommitted, kGone };

/// An agent and its database, one message at a time.
class Agent {
 public:
  Agent(std::string name, Reaction reaction) : name_(std::move(name)), reaction_(reaction) {}

  const std::string& name() const { return name_; }
  bool read_only() const { return reaction_ == Reaction::kReadOnly; }
  const std::map<Gtrid, Held>& branches() const { return branches_; }

  bool prepared() const {
    return std::any_of(branches_.begin(), branches_.end(),
                       [](const auto& branch) { return branch.second == Held::kPrepared; });
  }

  /// Somebody ends what is prepared, and tells nobody.
  void finish_by_hand(Held end) {
    for (auto& [gtrid, held] : branches_) {
      if (held == Held::kPrepared) held = end;
    }
  }

  /// It crashes: another incarnation takes its place, and the database keeps what is prepared.
  void restart() {
    incarnation_ = Incarnation{static_cast<std::uint64_t>(incarnation_) + 1};
    greet();
  }

  Incarnation incarnation() const { return incarnation_; }

  /// A new link: what was open and unprepared is gone (R10).
  void greet() {
    for (auto& [gtrid, held] : branches_) {
      if (held == Held::kOpen) held = Held::kGone;
    }
  }

  std::optional<AgentReply> handle(const AgentRequest& request) {
    return std::visit([this](const auto& body) { return on(body); }, request.body);
  }

 private:
  using Reply = std::optional<AgentReply>;

  template <typename Body>
  Reply reply(Body body) const {
    return AgentReply{incarnation_, std::move(body)};
  }

  Reply vote(const Gtrid& gtrid, Vote vote, std::optional<ErrorCode> why = std::nullopt) const {
    Voted voted;
    voted.xid = {gtrid, name_};
    voted.vote = vote;
    if (why) {
      voted.error.emplace();
      voted.error->code = *why;
    }
    voted.proof.database.id = name_;
    voted.proof.transaction_id = 7;
    return reply(voted);
  }

  Reply on(const Work& work) {
    const Gtrid& gtrid = work.xid.gtrid;
    if (branches_.contains(gtrid)) return vote(gtrid, Vote::kRolledBack, ErrorCode::kTooOld);
    const bool first = branches_.empty();
    Held& held = branches_[gtrid];
    held = Held::kGone;
    if (first && reaction_ == Reaction::kConflicts) {
      return vote(gtrid, Vote::kRolledBack, ErrorCode::kConflict);
    }
    if (work.then == AfterWork::kStayOpen) {
      held = Held::kOpen;
      return reply(Worked{work.xid, work.first_index, {}, std::nullopt});
    }
    return prepare(gtrid, held);
  }

  Reply on(const Prepare& request) {
    Held& held = branches_.at(request.xid.gtrid);
    if (held == Held::kGone) return vote(request.xid.gtrid, Vote::kRolledBack, ErrorCode::kTooOld);
    return prepare(request.xid.gtrid, held);
  }

  Reply prepare(const Gtrid& gtrid, Held& held) {
    switch (reaction_) {
      case Reaction::kReadOnly:
        held = Held::kGone;
        return vote(gtrid, Vote::kReadOnly);
      case Reaction::kRollsBack:
        held = Held::kGone;
        return vote(gtrid, Vote::kRolledBack, ErrorCode::kGuardNotMet);
      case Reaction::kIsLost:
        held = Held::kGone;
        return vote(gtrid, Vote::kUnknown, ErrorCode::kConnectionLost);
      case Reaction::kIsLostPrepared:
        held = Held::kPrepared;
        return vote(gtrid, Vote::kUnknown, ErrorCode::kConnectionLost);
      case Reaction::kPrepares:
      case Reaction::kConflicts:
        held = Held::kPrepared;
        return vote(gtrid, Vote::kPrepared);
    }
    return std::nullopt;
  }

  Reply on(const Commit& commit) { return finish(commit.xid, Decision::kCommit, Held::kCommitted); }
  Reply on(const Rollback& rollback) {
    return finish(rollback.xid, Decision::kRollback, Held::kGone);
  }

  Reply finish(const Xid& xid, Decision told, Held end) {
    Held& held = branches_.try_emplace(xid.gtrid, Held::kGone).first->second;
    if (held == Held::kPrepared || held == Held::kOpen) held = end;
    Finished finished;
    finished.xid = xid;
    finished.told = told;
    finished.completion =
        held == Held::kCommitted ? Completion::kCommitted : Completion::kRolledBack;
    return reply(finished);
  }

  Reply on(const ListPrepared& list) {
    PreparedList prepared;
    prepared.scan = list.scan;
    for (const auto& [gtrid, held] : branches_) {
      if (held == Held::kPrepared) prepared.branches.push_back({{gtrid, name_}, 0, {}});
    }
    return reply(prepared);
  }

  Reply on(const Inspect& inspect) {
    Inspected inspected;
    inspected.serial = inspect.serial;
    for (const BranchAsked& asked : inspect.branches) {
      const auto found = branches_.find(asked.xid.gtrid);
      const Held held = found == branches_.end() ? Held::kGone : found->second;
      BranchSight& sight = inspected.branches.emplace_back();
      sight.xid = asked.xid;
      sight.completion = held == Held::kPrepared    ? Completion::kStillPrepared
                         : held == Held::kCommitted ? Completion::kCommitted
                                                    : Completion::kRolledBack;
    }
    return reply(inspected);
  }

  Reply on(const ForgetWitnesses&) { return std::nullopt; }
  Reply on(const Ping&) { return std::nullopt; }

  std::string name_;
  Reaction reaction_;
  Incarnation incarnation_{1};
  std::map<Gtrid, Held> branches_;
};

/// What an agent does changes nothing for the others until it is heard, so its reading and its
/// answer are one action; a link that is lost chooses how much of it had been read.
struct Link {
  bool up = false;
  std::deque<AgentRequest> unread;
};

/// Do people end prepared branches by hand?
enum class Trouble { kNone, kForeignHands, kLosesLog };

/// 0 .. n-1: which of n ways the run goes on.
using Choose = std::function<std::size_t(std::size_t)>;

/// One run: everything around one coordinator core.
class World {
 public:
  World(Reaction first, Reaction second, int mishaps, Trouble trouble, Choose choose,
        bool recording)
      : agents_{Agent("a", first), Agent("b", second)},
        choose_(std::move(choose)),
        mishaps_(mishaps),
        trouble_(trouble),
        recording_(recording) {
    open();
    connect(0);
    connect(1);
    drain_scans();
    submit();
  }

  void run() {
    while (act()) check_atomicity();
    finish();
    check_atomicity();
    check_end();
  }

  const std::string& wrong() const { return wrong_; }
  const std::string& story() const { return story_; }

 private:
  using Action = std::function<void()>;

  // ---- what may happen next

  bool act() {
    std::vector<Action> actions;
    for (std::size_t i = 0; i < 2; ++i) add_link_actions(i, actions);
    if (!queued_.empty()) actions.push_back([this] { make_durable(); });
    if (actions.empty()) return false;  // a mishap after everything is another run's beginning
    if (mishaps_ > 0) add_mishaps(actions);
    actions[choose_(actions.size())]();
    return true;
  }

  void add_link_actions(std::size_t i, std::vector<Action>& actions) {
    Link& link = links_[i];
    if (!link.up && !fenced(i)) actions.push_back([this, i] { connect(i); });
    if (!link.unread.empty()) actions.push_back([this, i] { hear(i, 1); });
  }

  void add_mishaps(std::vector<Action>& actions) {
    const auto add = [&](const char* name, Action action) {
      if (happened_.contains(name)) return;
      actions.push_back([this, name, action] {
        --mishaps_;
        happened_.insert(name);
        action();
      });
    };
    add("crash", [this] { crash(); });
    if (trouble_ == Trouble::kLosesLog && !log_.empty()) add("log lost", [this] { lose_log(); });
    if (lost_ != Lost::kNothing) add("allowed", [this] { allow_to_presume(); });
    add("deadline", [this] { let_pass(std::chrono::seconds(5)); });
    add("repeat", [this] { submit(); });
    for (std::size_t i = 0; i < 2; ++i) {
      if (links_[i].up) add(i == 0 ? "lost a" : "lost b", [this, i] { disconnect(i); });
      if (trouble_ != Trouble::kForeignHands) {  // a hundred times as many runs, and nothing new
        add(i == 0 ? "crash of a" : "crash of b", [this, i] { restart(i); });
      }
      if (!links_[i].unread.empty()) add("twice", [this, i] { hear(i, 2); });
      if (trouble_ == Trouble::kForeignHands && agents_[i].prepared()) {
        add("hands", [this, i] { finish_by_hand(i); });
      }
    }
  }

  // ---- actions

  void finish_by_hand(std::size_t i) {
    const Held end = choose_(2) == 0 ? Held::kCommitted : Held::kGone;
    tell(agents_[i].name() + (end == Held::kCommitted ? " committed" : " rolled back") +
         " by hand");
    agents_[i].finish_by_hand(end);
  }

  void open() {
    Config config;
    config.name = "till";
    config.participants = {"a", "b"};
    Past past;
    past.log_id = kStoryLog;
    past.epoch = Epoch{++epoch_};
    for (const Record& record : log_) {
      const auto* heuristic = std::get_if<HeuristicRecord>(&record);
      const bool newest = heuristic != nullptr && find_damage(heuristic->xid) == heuristic;
      if (newest) past.damaged.push_back(*heuristic);
    }
    for (const Record& record : log_) {
      const auto* commit = std::get_if<CommitRecord>(&record);
      if (commit == nullptr) continue;
      if (!has_ended(commit->gtrid)) past.unfinished.push_back(*commit);
      for (const DecidedBranch& branch : commit->branches) past.newest.push_back({1, branch});
    }
    if (given_up_) {
      past.given_up_epoch = *given_up_;
      past.given_up_to = kFenceTop;
    } else if (lost_ == Lost::kSeenByOpening) {
      past.missing = {"the end is missing"};
    }
    coordinator_ = std::make_unique<Coordinator>(config, past, now_);
  }

  void crash() {
    const std::size_t kept = choose_(queued_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) write(queued_[i].second);
    tell("crash");
    reopen();
  }

  void lose_log() {
    log_.erase(log_.begin() + static_cast<std::ptrdiff_t>(choose_(log_.size())), log_.end());
    constexpr Lost kWays[] = {Lost::kSeenByFirst, Lost::kSeenBySecond, Lost::kSeenByOpening};
    lost_ = kWays[choose_(std::size(kWays))];
    tell("crash, and the log loses its end");
    reopen();
  }

  void reopen() {
    queued_.clear();
    lookups_.clear();
    lose(0);
    lose(1);
    open();
    step(TimePassed{});
    if (lost_ == Lost::kNothing) return;
    const std::size_t first = choose_(2);
    connect(first);
    for (std::size_t heard = choose_(4); heard > 0 && !links_[first].unread.empty(); --heard) {
      hear(first, 1);
    }
    connect(1 - first);
  }

  /// Its fence row is above the log's top, and nobody has given that up.
  bool fenced(std::size_t i) const {
    return !given_up_ && lost_ == (i == 0 ? Lost::kSeenByFirst : Lost::kSeenBySecond);
  }

  void connect(std::size_t i) {
    if (fenced(i)) {
      tell("agent " + agents_[i].name() + " refuses");
      Error why;
      why.code = ErrorCode::kFenced;
      return step(AgentDisconnected{agents_[i].name(), why, {.top = kFenceTop, .epoch = {}}});
    }
    links_[i].up = true;
    agents_[i].greet();
    AgentConnected connected;
    connected.participant = agents_[i].name();
    connected.welcome.incarnation = agents_[i].incarnation();
    connected.welcome.fence_top = 1;  // told of every record
    connected.welcome.database.id = agents_[i].name();
    tell("connect " + agents_[i].name());
    step(std::move(connected));
  }

  void disconnect(std::size_t i) {
    tell("disconnect " + agents_[i].name());
    lose(i);
    step(AgentDisconnected{agents_[i].name(), {}});
  }

  void restart(std::size_t i) {
    tell("crash of agent " + agents_[i].name());
    const bool linked = links_[i].up;
    lose(i);
    agents_[i].restart();
    if (linked) step(AgentDisconnected{agents_[i].name(), {}});
  }

  void lose(std::size_t i) {
    const std::size_t read = choose_(links_[i].unread.size() + 1);
    if (recording_) tell("agent " + agents_[i].name() + " had read " + std::to_string(read));
    for (std::size_t one = 0; one < read; ++one) agents_[i].handle(links_[i].unread[one]);
    links_[i] = {};
  }

  void hear(std::size_t i, int times) {
    const AgentRequest request = links_[i].unread.front();
    links_[i].unread.pop_front();
    tell("agent " + agents_[i].name() + " is heard");
    const auto reply = agents_[i].handle(request);
    for (; reply && times > 0; --times) step(AgentReplied{agents_[i].name(), *reply});
  }

  void make_durable() {
    const auto [token, record] = queued_.front();
    queued_.pop_front();
    write(record);
    tell("durable");
    if (token) step(LogDurable{*token});
  }

  void write(const Record& record) {
    log_.push_back(record);
    const auto* hand = std::get_if<HandRecord>(&record);
    if (hand != nullptr) given_up_ = given_up_by(*hand, Epoch{epoch_});
  }

  void allow_to_presume() {
    Allow allow;
    allow.what = Allowance::kPresume;
    allow.hand = {.by = "pat", .reason = "accepted", .act = true};
    request(std::move(allow));
  }

  void submit() {
    Submit submit;
    submit.key = "k";
    for (const Agent& agent : agents_) {
      Step one;
      one.participant = agent.name();
      one.statement.sql = "s";
      one.read_only = agent.read_only();
      submit.steps.push_back(one);
    }
    request(std::move(submit));
  }

  void request(ClientRequest body) {
    ClientRequested asked;
    asked.session = ClientSessionId{1};
    asked.request = RequestId{next_request_++};
    asked.body = std::move(body);
    asked.known = find([](const auto& record) { return record.key == "k"; });
    tell("client asks");
    step(std::move(asked));
  }

  void let_pass(Duration time) {
    now_.steady = now_.steady + time;
    tell("time passes");
    step(TimePassed{});
  }

  // ---- the world

  void step(Event event) {
    for (const Effect& effect : coordinator_->step(std::move(event), now_)) {
      if (recording_) story_ += "    " + text(effect);
      std::visit([this](const auto& one) { carry_out(one); }, effect);
    }
    while (!lookups_.empty()) {
      const FindDecision find = lookups_.front();
      lookups_.pop_front();
      const Gtrid& gtrid = find.branch.xid.gtrid;
      step(DecisionFound{find.participant, find.branch,
                         this->find([&](const auto& record) { return record.gtrid == gtrid; })});
    }
    while (!searches_.empty()) {
      const std::string participant = searches_.front();
      searches_.pop_front();
      step(CommitsFound{participant, {}, false});  // its fence row was told of every record
    }
  }

  void carry_out(const SendToAgent& send) {
    Link& link = links_[send.participant == "a" ? 0 : 1];
    if (link.up) link.unread.push_back(send.request);
  }
  void carry_out(const AppendForced& append) { queued_.emplace_back(append.token, append.record); }
  void carry_out(const AppendUnforced& append) {
    queued_.emplace_back(std::nullopt, append.record);
  }
  static void carry_out(const CloseAgentLink& close) { FAIL("turned away: " + close.why.message); }
  void carry_out(const FindCommits& find) { searches_.push_back(find.participant); }
  static void carry_out(const FindOutcomes&) { FAIL("nobody looks"); }
  static void carry_out(const CopyLog&) { FAIL("nobody asked for a copy"); }
  void carry_out(const FindDecision& find) { lookups_.push_back(find); }
  void carry_out(const Note& note) {
    const bool expected = lost_ != Lost::kNothing || happened_.contains("hands");
    if (note.level == Note::Level::kError && !expected) complain("an error was noted");
    if (note.text.find("history changed") != std::string::npos) {
      complain("a database was taken for one set back");
    }
  }
  void carry_out(const ReplyToClient& reply) {
    if (const auto* list = std::get_if<TransactionList>(&reply.reply)) {
      live_ = list->transactions.size();
    } else if (const auto* answer = std::get_if<Answer>(&reply.reply)) {
      check_answer(*answer);
      damaged_ = answer->damaged;
    }
  }

  /// Faults are over: everything that can be delivered is, and time goes on until all is finished.
  void finish() {
    for (int rounds = 0; rounds < (lost_ == Lost::kNothing ? 100 : 5); ++rounds) {
      for (std::size_t i = 0; i < 2; ++i) {
        if (!links_[i].up && !fenced(i)) connect(i);
        while (!links_[i].unread.empty()) hear(i, 1);
      }
      while (!queued_.empty()) make_durable();
      request(ListTransactions{});
      if (live_ == 0 && prepared() == 0) return;
      if (!coordinator_->next_deadline()) break;
      let_pass(std::max(*coordinator_->next_deadline() - now_.steady, Duration{0}));
    }
    if (lost_ == Lost::kNothing) complain("not finished");
  }

  void drain_scans() {
    hear(0, 1);
    hear(1, 1);
    story_.clear();
  }

  template <typename Matches>
  std::optional<Decided> find(Matches matches) const {
    for (const Record& record : log_) {
      if (const auto* commit = std::get_if<CommitRecord>(&record); commit && matches(*commit)) {
        return Decided{*commit};
      }
      if (const auto* no = std::get_if<RollbackRecord>(&record); no && matches(*no)) {
        return Decided{*no};
      }
    }
    return std::nullopt;
  }

  bool has_ended(const Gtrid& gtrid) const {
    return std::find(log_.begin(), log_.end(), Record{EndRecord{gtrid}}) != log_.end();
  }

  std::size_t prepared() const {
    std::size_t count = 0;
    for (const Agent& agent : agents_) {
      for (const auto& [gtrid, held] : agent.branches()) count += held == Held::kPrepared;
    }
    return count;
  }

  // ---- what must hold

  /// Never a commit at one and a rollback at the other: in no attempt, at no moment.
  void check_atomicity() {
    if (happened_.contains("hands")) return;
    for (std::size_t i = 0; i < 2; ++i) {
      for (const auto& [gtrid, held] : agents_[i].branches()) {
        if (held != Held::kCommitted) continue;
        const auto& others = agents_[1 - i].branches();
        const auto other = others.find(gtrid);
        const bool gone = other == others.end() || other->second == Held::kGone;
        if (gone && !agents_[1 - i].read_only()) complain("committed at one, not at the other");
      }
    }
  }

  void check_answer(const Answer& answer) {
    const auto record = find([](const auto& one) { return one.key == "k"; });
    const bool commit = record && std::holds_alternative<CommitRecord>(record->record);
    if (answer.outcome == Outcome::kCommitted && !commit) complain("committed without a record");
    if (answer.outcome == Outcome::kRolledBack && (!record || commit)) {
      complain("rolled back without a record");
    }
    for (const Damage& damage : answer.damaged) {
      const HeuristicRecord* const pinned = find_damage({*answer.gtrid, damage.participant});
      if (pinned == nullptr || pinned->detail != damage.detail) complain("damage without a record");
    }
    if (answer.outcome == Outcome::kRefused && answer.gtrid) refused_.insert(*answer.gtrid);
    if (answer.outcome != Outcome::kCommitted && answer.outcome != Outcome::kRolledBack) return;
    if (told_ && *told_ != answer.outcome && !given_up_) complain("two answers for one key");
    told_ = answer.outcome;
  }

  void check_end() {
    request(OutcomeOf{"k", false});
    if (happened_.contains("hands")) return check_damage();
    const auto record = find([](const auto& one) { return one.key == "k"; });
    const bool commit = record && std::holds_alternative<CommitRecord>(record->record);
    for (const Agent& agent : agents_) {
      std::size_t commits = 0;
      for (const auto& [gtrid, held] : agent.branches()) {
        if (held != Held::kCommitted) continue;
        ++commits;
        if (refused_.contains(gtrid)) complain("refused, and committed");
      }
      const std::size_t expected = commit && !agent.read_only() ? 1 : 0;
      // Whose record was given up with others may be asked for once more.
      const bool once = lost_ == Lost::kNothing ? commits == expected : commits <= 1 || given_up_;
      if (!once) complain("not exactly once");
    }
  }

  /// Whatever stands against its decision is recorded, and told with the outcome of the key, now
  /// and after another opening; nothing else is.
  void check_damage() {
    bool twice = false;
    for (const Agent& agent : agents_) {
      std::size_t commits = 0;
      for (const auto& [gtrid, held] : agent.branches()) {
        commits += held == Held::kCommitted;
        check_damage(agent, gtrid, held);
      }
      twice = twice || commits > 1;
    }
    // Who was told that nothing has happened may ask again, whatever hands do afterwards.
    if (twice && refused_.empty() && !happened_.contains("crash")) complain("took effect twice");
    const std::vector<Damage> before = std::exchange(damaged_, {});
    crash();
    request(OutcomeOf{"k", false});
    if (damaged_ != before) complain("another opening tells other damage");
  }

  void check_damage(const Agent& agent, const Gtrid& gtrid, Held held) {
    const auto record = find([&](const auto& one) { return one.gtrid == gtrid; });
    const auto* commit = record ? std::get_if<CommitRecord>(&record->record) : nullptr;
    const bool committed = held == Held::kCommitted;
    const bool expected = commit != nullptr && !agent.read_only();
    const HeuristicRecord* const pinned = find_damage({gtrid, agent.name()});
    // Of what was committed by hand before anybody had heard of it, nothing is left to be found.
    const bool found = !committed || !happened_.contains("crash");
    if (committed != expected && pinned == nullptr && found) complain("damage was not recorded");
    if (committed == expected && pinned != nullptr) complain("recorded as damaged, and is not");
    if (pinned == nullptr) return;
    const Heuristic heuristic = committed ? Heuristic::kCommitted : Heuristic::kRolledBack;
    if (pinned->heuristic != heuristic) complain("recorded as other damage");
    const bool told = std::any_of(damaged_.begin(), damaged_.end(), [&agent](const Damage& one) {
      return one.participant == agent.name();
    });
    if (record && !record_key(*record).empty() && !told) complain("damage was not told");
  }

  static std::string record_key(const Decided& decided) {
    return std::visit([](const auto& record) { return record.key; }, decided.record);
  }

  const HeuristicRecord* find_damage(const Xid& xid) const {
    const HeuristicRecord* newest = nullptr;
    for (const Record& record : log_) {
      const auto* heuristic = std::get_if<HeuristicRecord>(&record);
      if (heuristic != nullptr && heuristic->xid == xid) newest = heuristic;
    }
    return newest;
  }

  void tell(const std::string& what) {
    if (recording_) story_ += "  " + what + "\n";
  }

  void complain(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
    tell("WRONG: " + what);
  }

  Agent agents_[2];
  Link links_[2];
  Choose choose_;
  int mishaps_;
  Trouble trouble_;
  bool recording_;
  std::set<std::string> happened_;
  /// Decisions, and who notices.
  enum class Lost { kNothing, kSeenByOpening, kSeenByFirst, kSeenBySecond };
  Lost lost_ = Lost::kNothing;
  std::optional<Epoch> given_up_;  ///< a person has allowed to presume

  std::unique_ptr<Coordinator> coordinator_;
  std::uint32_t epoch_ = 0;
  Now now_{{std::chrono::seconds(1)}, {1'000'000}};
  std::deque<std::pair<std::optional<LogToken>, Record>> queued_;  ///< appended, not durable
  std::vector<Record> log_;
  std::deque<FindDecision> lookups_;
  std::deque<std::string> searches_;
  std::uint64_t next_request_ = 1;

  std::optional<Outcome> told_;  ///< the final outcome, once anybody was told one
  std::set<Gtrid> refused_;
  std::vector<Damage> damaged_;  ///< as told last
  std::size_t live_ = 0;
  std::string wrong_;
  std::string story_;
};

Choose from(Choices& choices) {
  return [&choices](std::size_t n) { return choices.below(n); };
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same on every platform.
Choose from_seed(std::uint64_t seed) {
  return [state = seed](std::size_t n) mutable {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return static_cast<std::size_t>((mixed ^ (mixed >> 31)) % n);
  };
}

/// The number of runs. A run that goes wrong is made once more, to tell its story.
std::size_t run_all(Reaction first, Reaction second, int mishaps, Trouble trouble) {
  Choices choices;
  std::size_t runs = 0;
  do {
    World world(first, second, mishaps, trouble, from(choices), false);
    world.run();
    ++runs;
    if (world.wrong().empty()) continue;
    choices.repeat();
    World again(first, second, mishaps, trouble, from(choices), true);
    again.run();
    FAIL("run " << runs << " of reactions " << static_cast<int>(first) << ","
                << static_cast<int>(second) << ": " << world.wrong() << "\n"
                << again.story());
  } while (choices.next_run());
  return runs;
}

World run_seed(std::uint64_t seed, Trouble trouble, bool recording) {
  Choose choose = from_seed(seed);
  const Reaction first = kReactions[choose(std::size(kReactions))];
  const Reaction second = kReactions[choose(std::size(kReactions))];
  World world(first, second, 4, trouble, std::move(choose), recording);
  world.run();
  return world;
}

void run_seeds(Trouble trouble) {
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    if (run_seed(seed, trouble, false).wrong().empty()) continue;
    const World again = run_seed(seed, trouble, true);
    FAIL("seed " << seed << ": " << again.wrong() << "\n" << again.story());
  }
}

}  // namespace

TEST_CASE("every order of every pair of votes, with a mishap anywhere") {
  std::size_t runs = 0;
  for (const Reaction first : kReactions) {
    for (const Reaction second : kReactions) runs += run_all(first, second, 1, Trouble::kNone);
  }
  CHECK(runs > 40'000);
}

TEST_CASE("many mishaps, by seed") {
  run_seeds(Trouble::kNone);
}

TEST_CASE("many mishaps and foreign hands, by seed") {
  run_seeds(Trouble::kForeignHands);
}

TEST_CASE("many mishaps and a log that loses decisions, by seed") {
  run_seeds(Trouble::kLosesLog);
}

// The heuristic outcomes of X/Open: a person ends a branch that is prepared.
TEST_CASE("every order of a payment, with foreign hands anywhere") {
  CHECK(run_all(Reaction::kPrepares, Reaction::kPrepares, 2, Trouble::kForeignHands) > 1'000);
}

}  // namespace assent::coordinator
