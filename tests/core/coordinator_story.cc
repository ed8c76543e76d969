#include "tests/core/coordinator_story.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tests/core/coordinator_text.h"

namespace assent::coordinator {
namespace {

Duration milliseconds(std::uint64_t count) {
  return std::chrono::milliseconds(count);
}

template <typename Enum>
Enum from_name(const std::string& name, std::initializer_list<Enum> all) {
  for (const Enum one : all) {
    if (to_string(one) == name) return one;
  }
  throw std::invalid_argument("unknown name " + name);
}

ErrorCode error_code(const std::string& name) {
  for (int code = 1; code <= static_cast<int>(ErrorCode::kStepsDiffer); ++code) {
    if (to_string(static_cast<ErrorCode>(code)) == name) return static_cast<ErrorCode>(code);
  }
  throw std::invalid_argument("unknown error " + name);
}

Completion completion_from(const std::string& name) {
  return from_name(name,
                   {Completion::kCommitted, Completion::kRolledBack, Completion::kStillPrepared,
                    Completion::kCannotTell, Completion::kUnreached});
}

Evidence evidence_from(const std::string& name) {
  return from_name(name, {Evidence::kNone, Evidence::kListed, Evidence::kDatabaseAnswer,
                          Evidence::kTransactionStatus, Evidence::kWitnessRow,
                          Evidence::kNoWitnessRow, Evidence::kNeverPrepared});
}

BranchSight sight_from(const std::string& word, const std::string& participant) {
  std::istringstream parts(word);
  std::string gtrid;
  std::string completion;
  std::string evidence = "none";
  std::string transaction_id = "0";
  std::getline(parts, gtrid, ':');
  std::getline(parts, completion, ':');
  std::getline(parts, evidence, ':');
  std::getline(parts, transaction_id, ':');
  BranchSight sight;
  sight.xid = {gtrid_from(gtrid), participant};
  sight.completion = completion_from(completion);
  sight.evidence = evidence_from(evidence.empty() ? "none" : evidence);
  sight.transaction_id = std::stoull(transaction_id);
  return sight;
}

std::optional<Gtrid> gtrid_of(const Record& record) {
  return std::visit(
      [](const auto& one) -> std::optional<Gtrid> {
        if constexpr (requires { one.xid; }) {
          return one.xid.gtrid;
        } else if constexpr (requires {
                               one.missing_to;
                               one.what;
                             }) {
          return std::nullopt;
        } else {
          return one.gtrid;
        }
      },
      record);
}

RequestHash hash_of(std::uint64_t number) {
  RequestHash hash{};
  hash[0] = static_cast<std::uint8_t>(number);
  return hash;
}

}  // namespace

/// The words of a command after its verb: plain ones in their order, and name=value anywhere.
class Story::Words {
 public:
  explicit Words(std::istringstream& in) {
    for (std::string word; in >> word;) {
      const auto equals = word.find('=');
      if (equals == std::string::npos) {
        plain_.push_back(word);
      } else {
        named_[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
  }

  bool more() const { return !plain_.empty(); }

  std::string next() {
    if (plain_.empty()) throw std::invalid_argument("a word is missing");
    std::string word = plain_.front();
    plain_.pop_front();
    return word;
  }

  std::optional<std::string> text(const std::string& name) {
    const auto node = named_.extract(name);
    if (node.empty()) return std::nullopt;
    return node.mapped();
  }

  std::optional<std::uint64_t> number(const std::string& name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    return std::stoull(*value);
  }

  std::optional<Error> error() {
    const auto name = text("error");
    if (!name) return std::nullopt;
    Error error;
    error.code = error_code(*name);
    error.message = "as told by the agent";
    error.step = static_cast<std::int32_t>(number("step").value_or(0));
    return error;
  }

  void expect_none_left() const {
    if (!plain_.empty()) throw std::invalid_argument("unexpected " + plain_.front());
    if (!named_.empty()) throw std::invalid_argument("unexpected " + named_.begin()->first);
  }

 private:
  std::deque<std::string> plain_;
  std::map<std::string, std::string> named_;
};

Story::Story() {
  config_.name = "till";
  config_.participants = {"payments", "points"};
}

std::string Story::play(const std::string& command) {
  static const std::map<std::string, Handler> handlers = {
      {"config", &Story::config},
      {"connect", &Story::connect},
      {"disconnect", &Story::disconnect},
      {"submit", &Story::submit},
      {"begin", &Story::begin},
      {"execute", &Story::execute},
      {"commit", &Story::commit},
      {"rollback", &Story::rollback},
      {"close", &Story::close},
      {"outcome", &Story::outcome},
      {"settle", &Story::settle},
      {"worked", &Story::worked},
      {"voted", &Story::voted},
      {"finished", &Story::finished},
      {"list", &Story::list},
      {"found", &Story::found},
      {"inspected", &Story::inspected},
      {"commits", &Story::commits},
      {"allow", &Story::allow},
      {"drain", &Story::drain},
      {"status", &Story::status},
      {"indoubt", &Story::in_doubt},
      {"story", &Story::story},
      {"retry", &Story::retry},
      {"resolve", &Story::resolve},
      {"forget", &Story::forget},
      {"looked", &Story::looked},
      {"missing", &Story::missing},
      {"durable", &Story::durable},
      {"time", &Story::time},
      {"wall", &Story::wall},
      {"crash", &Story::crash},
      {"show", &Story::show},
      {"transactions", &Story::transactions},
      {"participants", &Story::participants},
  };
  std::istringstream in(command);
  std::string verb;
  in >> verb;
  const auto handler = handlers.find(verb);
  if (handler == handlers.end()) throw std::invalid_argument("unknown command " + verb);
  output_.clear();
  Words words(in);
  if (coordinator_ == nullptr && verb != "config" && verb != "missing") open();
  (this->*handler->second)(words);
  words.expect_none_left();
  return output_.empty() ? "(nothing)\n" : output_;
}

// ---------------------------------------------------------------- the coordinator's life

void Story::config(Words& words) {
  if (words.more()) config_.participants.clear();
  while (words.more()) config_.participants.push_back(words.next());
  if (const auto max = words.number("transactions_max")) config_.transactions_max = *max;
  if (const auto max = words.number("branches_max")) config_.branches_per_participant_max = *max;
  if (const auto max = words.number("late_join_max")) config_.late_join_max = *max;
  if (const auto low = words.text("low_water")) {
    epoch_ = 1;
    low_water_ = gtrid_from(*low);
  }
}

/// Opens the log anew: what was durable is what is known.
void Story::open() {
  Past past;
  past.log_id = kStoryLog;
  past.epoch = Epoch{++epoch_};
  past.log_time = coordinator_ == nullptr ? now_.wall : coordinator_->log_time();
  past.ends_missing_below = missing_from_;
  std::map<std::string, NewestCommit> newest;
  std::uint64_t number = 0;
  for (const auto& [record, ended] : log_) {
    ++number;
    const auto* hand = std::get_if<HandRecord>(&record);
    if (hand != nullptr && hand->allowance == Allowance::kHistory) {
      newest.erase(hand->participant);
      past.by_hand.erase(hand->participant);
      past.taken_back[hand->participant] = number;
    }
    take_loss(record, written_[number - 1].epoch, past);
    const RecordedAt at{number, written_[number - 1].when};
    if (const auto* damage = std::get_if<HeuristicRecord>(&record))
      past.damaged_at[damage->xid] = at;
    if (hand != nullptr && hand->allowance == Allowance::kViolation)
      past.violation_allowed = number;
    const auto* commit = std::get_if<CommitRecord>(&record);
    if (commit == nullptr) continue;
    past.unfinished_at[commit->gtrid] = at;
    if (!ended) past.unfinished.push_back(*commit);
    for (const DecidedBranch& branch : commit->branches) {
      if (commit->by_hand) {
        past.by_hand[branch.xid.bqual] = number;
        continue;
      }
      newest[branch.xid.bqual] = {number, branch};
      past.by_hand.erase(branch.xid.bqual);
      past.taken_back.erase(branch.xid.bqual);
    }
  }
  for (std::string& what : std::exchange(missing_, {})) past.missing.push_back(std::move(what));
  past.missing_to = std::max(past.missing_to, std::exchange(missing_to_, 0));
  for (const auto& [name, one] : newest) past.newest.push_back(one);
  past.damaged = damaged();
  past.given_up_logs = given_up_logs();
  epoch_ = static_cast<std::uint32_t>(past.epoch);
  coordinator_ = std::make_unique<Coordinator>(config_, past, now_);
}

/// What a database showed waits until a person allows to presume.
void Story::take_loss(const Record& record, Epoch epoch, Past& past) {
  if (const auto* loss = std::get_if<LossRecord>(&record)) {
    past.missing.push_back(loss->what);
    past.missing_to = std::max(past.missing_to, loss->missing_to);
  }
  const auto* hand = std::get_if<HandRecord>(&record);
  if (hand == nullptr || hand->allowance != Allowance::kPresume) return;
  past.missing.clear();
  past.given_up_to = std::max(past.given_up_to, std::exchange(past.missing_to, 0));
  past.given_up_epoch = std::max(past.given_up_epoch, given_up_by(*hand, epoch));
  past.epoch = std::max(past.epoch, Epoch{static_cast<std::uint32_t>(hand->above) + 1});
}

void Story::crash(Words& words) {
  const bool kept = words.more() && words.next() == "keeping-appends";
  if (kept) {
    for (const auto& [token, record] : queued_) write(record);
  }
  queued_.clear();
  lookups_.clear();
  searches_.clear();
  outcome_lookups_.clear();
  scans_.clear();
  open();
  step(TimePassed{});
}

void Story::time(Words& words) {
  const Instant until = now_.steady + milliseconds(std::stoull(words.next()));
  while (coordinator_->next_deadline() && *coordinator_->next_deadline() <= until) {
    const Duration passed = std::max(*coordinator_->next_deadline() - now_.steady, Duration{0});
    now_ = {now_.steady + passed, now_.wall + passed};
    step(TimePassed{});
  }
  const Duration rest = until - now_.steady;
  now_ = {until, now_.wall + rest};
}

/// Only the host's calendar clock jumps.
void Story::wall(Words& words) {
  now_.wall.ms_since_epoch += std::stoll(words.next());
}

void Story::durable(Words& words) {
  std::size_t count = queued_.size();
  if (words.more()) count = std::min<std::size_t>(count, std::stoull(words.next()));
  std::vector<LogToken> tokens;
  for (; count > 0; --count) {
    const auto [token, record] = queued_.front();
    queued_.pop_front();
    write(record);
    if (token) tokens.push_back(*token);
  }
  for (const LogToken token : tokens) step(LogDurable{token});
}

// ---------------------------------------------------------------- clients

void Story::submit(Words& words) {
  Submit submit;
  submit.key = words.text("key").value_or("");
  if (words.text("wait").value_or("applied") == "decided") submit.wait = WaitFor::kDecided;
  submit.timeout = milliseconds(words.number("timeout").value_or(0));
  if (const auto ms = words.number("not_after")) {
    submit.not_after = WallTime{static_cast<std::int64_t>(*ms)};
  }
  while (words.more()) {
    Step step;
    std::istringstream parts(words.next());
    std::getline(parts, step.participant, ':');
    for (std::string flag; std::getline(parts, flag, ':');) {
      if (flag == "ro") step.read_only = true;
      if (flag == "shared") step.shared_reads = true;
    }
    step.statement.sql = "s" + std::to_string(submit.steps.size());
    submit.steps.push_back(std::move(step));
  }
  const auto known = find_key(submit.key);
  const RequestHash hash = hash_of(words.number("hash").value_or(1));
  request(words, std::move(submit), hash, known);
}

void Story::begin(Words& words) {
  Begin begin;
  begin.key = words.text("key").value_or("");
  begin.timeout = milliseconds(words.number("timeout").value_or(0));
  request(words, begin, {}, find_key(begin.key));
}

void Story::execute(Words& words) {
  Execute execute;
  execute.gtrid = gtrid_from(words.next());
  execute.step.participant = words.next();
  execute.step.statement.sql = words.text("sql").value_or("s");
  request(words, execute, {}, std::nullopt);
}

void Story::commit(Words& words) {
  CommitTransaction commit;
  commit.gtrid = gtrid_from(words.next());
  commit.timeout = milliseconds(words.number("timeout").value_or(0));
  if (words.text("wait").value_or("applied") == "decided") commit.wait = WaitFor::kDecided;
  request(words, commit, {}, find_gtrid(commit.gtrid));
}

void Story::rollback(Words& words) {
  const Gtrid gtrid = gtrid_from(words.next());
  request(words, RollbackTransaction{gtrid}, {}, find_gtrid(gtrid));
}

void Story::close(Words& words) {
  step(ClientSessionClosed{ClientSessionId{words.number("session").value_or(1)}});
}

void Story::outcome(Words& words) {
  const std::string key = words.text("key").value_or("");
  request(words, OutcomeOf{key, false}, {}, find_key(key));
}

void Story::settle(Words& words) {
  const std::string key = words.text("key").value_or("");
  request(words, OutcomeOf{key, true}, {}, find_key(key));
}

void Story::show(Words& words) {
  const Gtrid gtrid = gtrid_from(words.next());
  request(words, ShowTransaction{gtrid}, {}, find_gtrid(gtrid));
}

void Story::transactions(Words& words) {
  request(words, ListTransactions{}, {}, std::nullopt);
}

void Story::participants(Words& words) {
  request(words, ListParticipants{}, {}, std::nullopt);
}

void Story::allow(Words& words) {
  Allow allow;
  allow.what = from_name(words.next(), {Allowance::kPresume, Allowance::kHistory, Allowance::kClock,
                                        Allowance::kViolation});
  allow.participant = words.text("participant").value_or("");
  allow.hand = hand(words);
  request(words, allow, {}, std::nullopt);
}

void Story::drain(Words& words) {
  const bool off = words.more() && words.next() == "off";
  request(words, SetDrain{!off}, {}, std::nullopt);
  output_ += coordinator_->drained() ? "drained\n" : "not drained\n";
}

void Story::in_doubt(Words& words) {
  ListInDoubt list;
  if (const auto patience = words.number("patience")) list.patience = milliseconds(*patience);
  request(words, list, {}, std::nullopt);
}

void Story::story(Words& words) {
  request(words, TellStory{gtrid_from(words.next())}, {}, std::nullopt);
}

void Story::retry(Words& words) {
  request(words, RetryTransaction{gtrid_from(words.next())}, {}, std::nullopt);
}

void Story::resolve(Words& words) {
  ResolveTransaction resolve;
  resolve.gtrid = gtrid_from(words.next());
  resolve.decision = from_name(words.next(), {Decision::kCommit, Decision::kRollback});
  resolve.participant = words.text("participant").value_or("");
  if (const auto name = words.text("despite")) resolve.despite.push_back(*name);
  resolve.hand = hand(words);
  request(words, resolve, {}, std::nullopt);
}

void Story::forget(Words& words) {
  ForgetDamage forget;
  forget.gtrid = gtrid_from(words.next());
  forget.participant = words.text("participant").value_or("");
  forget.hand = hand(words);
  request(words, forget, {}, std::nullopt);
}

ByHand Story::hand(Words& words) {
  return {"pat@till", words.text("reason").value_or(""), words.number("act").has_value()};
}

void Story::status(Words& words) {
  request(words, AskStatus{}, {}, std::nullopt);
}

/// Of the next opening.
void Story::missing(Words& words) {
  missing_to_ = words.number("to").value_or(0);
  missing_from_ = words.number("from").value_or(0);
  std::string sentence;
  while (words.more()) sentence += (sentence.empty() ? "" : " ") + words.next();
  missing_.push_back(sentence);
}

void Story::request(Words& words, ClientRequest body, RequestHash hash,
                    std::optional<Decided> known) {
  ClientRequested asked;
  asked.session = ClientSessionId{words.number("session").value_or(1)};
  asked.request = RequestId{next_request_++};
  asked.body = std::move(body);
  asked.hash = hash;
  asked.known = std::move(known);
  asked.story = find_story(asked.body);
  step(std::move(asked));
}

// ---------------------------------------------------------------- agents

void Story::connect(Words& words) {
  AgentConnected connected;
  connected.participant = words.next();
  auto& incarnation = incarnations_[connected.participant];
  incarnation = words.number("incarnation").value_or(incarnation + 1);
  connected.welcome.incarnation = Incarnation{incarnation};
  connected.welcome.kind = "postgres";
  connected.welcome.database.id = words.text("db").value_or("db-" + connected.participant);
  connected.welcome.database.timeline =
      static_cast<std::uint32_t>(words.number("timeline").value_or(0));
  connected.welcome.database.position = words.number("position").value_or(0);
  connected.welcome.database.takeover = words.number("takeover").value_or(0);
  connected.welcome.fence_top = words.number("fence_top").value_or(0);
  if (const auto top = words.number("other_top")) {
    connected.welcome.other_logs = {{kOtherLog, *top}};
  }
  connected.welcome.prepared_max =
      static_cast<std::uint32_t>(words.number("prepared_max").value_or(0));
  step(std::move(connected));
}

void Story::disconnect(Words& words) {
  AgentDisconnected gone;
  gone.participant = words.next();
  gone.why.code = error_code(words.text("error").value_or("connection_lost"));
  gone.why.message = gone.why.code == ErrorCode::kFenced ? "fenced" : "connection reset";
  gone.fence.top = words.number("fence_top").value_or(0);
  gone.fence.epoch = Epoch{static_cast<std::uint32_t>(words.number("fence_epoch").value_or(0))};
  step(std::move(gone));
}

void Story::worked(Words& words) {
  const Gtrid gtrid = gtrid_from(words.next());
  const std::string participant = words.next();
  Worked worked;
  worked.xid = {gtrid, participant};
  worked.first_index =
      static_cast<std::uint32_t>(words.number("index").value_or(worked_[{gtrid, participant}]));
  worked.error = words.error();
  if (!worked.error) worked.results.resize(words.number("results").value_or(1));
  for (auto& result : worked.results) result.rows_affected = 1;
  answer(words, participant, std::move(worked));
}

void Story::voted(Words& words) {
  Voted voted;
  const Gtrid gtrid = gtrid_from(words.next());
  const std::string participant = words.next();
  voted.xid = {gtrid, participant};
  voted.vote = from_name(words.next(),
                         {Vote::kPrepared, Vote::kReadOnly, Vote::kRolledBack, Vote::kUnknown});
  voted.error = words.error();
  voted.results.resize(words.number("results").value_or(0));
  for (auto& result : voted.results) result.rows_affected = 1;
  if (voted.vote == Vote::kPrepared) {
    voted.proof.database.id = words.text("db").value_or("db-" + participant);
    voted.proof.database.position = words.number("position").value_or(0);
    voted.proof.database.takeover = words.number("takeover").value_or(0);
    voted.proof.witness_row = words.number("witness").value_or(0) != 0;
    voted.proof.transaction_id = words.number("txid").value_or(voted.proof.witness_row ? 0 : 7);
  }
  answer(words, participant, std::move(voted));
}

void Story::finished(Words& words) {
  Finished finished;
  const Gtrid gtrid = gtrid_from(words.next());
  const std::string participant = words.next();
  finished.xid = {gtrid, participant};
  finished.completion = completion_from(words.next());
  const auto told = words.text("told");
  finished.told = told ? from_name(*told, {Decision::kCommit, Decision::kRollback})
                       : told_[{gtrid, participant}];
  finished.error = words.error();
  if (const auto shown = words.text("by")) finished.evidence = evidence_from(*shown);
  answer(words, participant, std::move(finished));
}

void Story::list(Words& words) {
  const std::string participant = words.next();
  PreparedList list;
  list.scan = words.number("scan").value_or(scans_[participant]);
  list.foreign = words.number("foreign").value_or(0);
  list.error = words.error();
  list.fence_top = words.number("fence_top").value_or(0);
  list.put_back = words.number("put_back").value_or(0) != 0;
  while (words.more()) {
    std::istringstream parts(words.next());
    std::string gtrid;
    std::string transaction_id;
    std::string age;
    std::getline(parts, gtrid, ':');
    std::getline(parts, transaction_id, ':');
    std::getline(parts, age);
    PreparedBranch branch;
    branch.xid = {gtrid_from(gtrid), participant};
    if (!transaction_id.empty()) branch.transaction_id = std::stoull(transaction_id);
    if (!age.empty()) branch.age = milliseconds(std::stoull(age));
    list.branches.push_back(branch);
  }
  answer(words, participant, std::move(list));
}

void Story::found(Words&) {
  const std::deque<FindDecision> asked = std::exchange(lookups_, {});
  for (const auto& lookup : asked) {
    step(DecisionFound{lookup.participant, lookup.branch, find_gtrid(lookup.branch.xid.gtrid),
                       low_water_});
  }
}

/// The log tells those who look.
void Story::looked(Words&) {
  const std::deque<FindOutcomes> asked = std::exchange(outcome_lookups_, {});
  for (const auto& lookup : asked) {
    OutcomesFound found{lookup.look, lookup.gtrids, {}};
    for (const Gtrid& gtrid : lookup.gtrids) {
      if (auto decided = find_gtrid(gtrid)) found.decided.emplace(gtrid, *std::move(decided));
    }
    step(std::move(found));
  }
}

void Story::commits(Words& words) {
  const auto max = words.number("max");
  const std::uint64_t gone = words.number("gone").value_or(0);
  const std::deque<FindCommits> asked = std::exchange(searches_, {});
  for (const FindCommits& search : asked) {
    CommitsFound found{search.participant, {}, false, gone};
    const std::uint64_t end = std::min<std::uint64_t>(log_.size() + 1, search.span.before);
    for (std::uint64_t number = std::max(search.span.after, gone) + 1; number < end; ++number) {
      const auto* commit = std::get_if<CommitRecord>(&log_[number - 1].first);
      const auto here = [&search](const DecidedBranch& branch) {
        return branch.xid.bqual == search.participant;
      };
      if (commit == nullptr ||
          std::none_of(commit->branches.begin(), commit->branches.end(), here)) {
        continue;
      }
      found.more = found.commits.size() == max.value_or(search.max);
      if (found.more) break;
      found.commits.push_back({number, *commit});
    }
    step(std::move(found));
  }
}

/// GTRID:COMPLETION[:EVIDENCE[:TXID]] for each branch; one that is asked about and not named is
/// committed.
void Story::inspected(Words& words) {
  const std::string participant = words.next();
  const Inspect& asked = inspects_[participant];
  Inspected inspected;
  inspected.serial = words.number("serial").value_or(asked.serial);
  inspected.error = words.error();
  if (const auto foreign = words.text("foreign")) inspected.foreign.push_back({*foreign, {}, {}});
  std::set<Gtrid> named;
  while (words.more()) {
    inspected.branches.push_back(sight_from(words.next(), participant));
    named.insert(inspected.branches.back().xid.gtrid);
  }
  for (const BranchAsked& branch : asked.branches) {
    if (inspected.error || named.contains(branch.xid.gtrid)) continue;
    BranchSight& sight = inspected.branches.emplace_back();
    sight.xid = branch.xid;
    if (branch.proof) sight.transaction_id = branch.proof->transaction_id;
    sight.completion = Completion::kCommitted;
  }
  answer(words, participant, std::move(inspected));
}

void Story::answer(Words& words, const std::string& participant, decltype(AgentReply::body) body) {
  AgentReplied replied;
  replied.participant = participant;
  replied.reply.incarnation =
      Incarnation{words.number("incarnation").value_or(incarnations_[participant])};
  replied.reply.body = std::move(body);
  step(std::move(replied));
}

// ---------------------------------------------------------------- the world around the core

void Story::step(Event event) {
  for (const Effect& effect : coordinator_->step(std::move(event), now_)) {
    output_ += text(effect);
    remember(effect);
  }
}

void Story::remember(const Effect& effect) {
  if (const auto* send = std::get_if<SendToAgent>(&effect)) {
    const auto& body = send->request.body;
    if (const auto* work = std::get_if<Work>(&body)) {
      worked_[{work->xid.gtrid, send->participant}] = work->first_index;
    } else if (const auto* commit = std::get_if<Commit>(&body)) {
      told_[{commit->xid.gtrid, send->participant}] = Decision::kCommit;
    } else if (const auto* rollback = std::get_if<Rollback>(&body)) {
      told_[{rollback->xid.gtrid, send->participant}] = Decision::kRollback;
    } else if (const auto* list = std::get_if<ListPrepared>(&body)) {
      scans_[send->participant] = list->scan;
    } else if (const auto* inspect = std::get_if<Inspect>(&body)) {
      inspects_[send->participant] = *inspect;
    }
  } else if (const auto* forced = std::get_if<AppendForced>(&effect)) {
    queued_.emplace_back(forced->token, forced->record);
  } else if (const auto* append = std::get_if<AppendUnforced>(&effect)) {
    queued_.emplace_back(std::nullopt, append->record);
  } else if (const auto* find = std::get_if<FindDecision>(&effect)) {
    lookups_.push_back(*find);
  } else if (const auto* outcomes = std::get_if<FindOutcomes>(&effect)) {
    outcome_lookups_.push_back(*outcomes);
  } else if (const auto* search = std::get_if<FindCommits>(&effect)) {
    searches_.push_back(*search);
  }
}

void Story::write(const Record& record) {
  const auto* end = std::get_if<EndRecord>(&record);
  if (end == nullptr) {
    log_.emplace_back(record, false);
    written_.push_back({now_.wall, Epoch{epoch_}});
    return;
  }
  for (auto& [kept, ended] : log_) {
    const auto* commit = std::get_if<CommitRecord>(&kept);
    if (commit != nullptr && commit->gtrid == end->gtrid) ended = true;
  }
}

std::optional<Decided> Story::find_key(const std::string& key) const {
  if (key.empty()) return std::nullopt;
  for (const auto& [record, _] : log_) {
    if (const auto* commit = std::get_if<CommitRecord>(&record); commit && commit->key == key) {
      return Decided{*commit};
    }
    if (const auto* no = std::get_if<RollbackRecord>(&record); no && no->key == key) {
      return Decided{*no};
    }
  }
  return std::nullopt;
}

std::vector<ToldRecord> Story::find_story(const ClientRequest& body) const {
  std::optional<Gtrid> gtrid;
  if (const auto* tell = std::get_if<TellStory>(&body)) gtrid = tell->gtrid;
  if (const auto* resolve = std::get_if<ResolveTransaction>(&body)) gtrid = resolve->gtrid;
  if (const auto* forget = std::get_if<ForgetDamage>(&body)) gtrid = forget->gtrid;
  std::vector<ToldRecord> story;
  for (std::size_t i = 0; i < log_.size(); ++i) {
    if (gtrid && gtrid_of(log_[i].first) == gtrid)
      story.push_back({i + 1, now_.wall, log_[i].first});
  }
  return story;
}

/// The newest of each branch that nobody has forgotten since.
std::vector<HeuristicRecord> Story::damaged() const {
  std::map<Xid, HeuristicRecord> pinned;
  for (const auto& [record, _] : log_) {
    if (const auto* heuristic = std::get_if<HeuristicRecord>(&record)) {
      pinned[heuristic->xid] = *heuristic;
    }
    const auto* hand = std::get_if<HandRecord>(&record);
    if (hand == nullptr || hand->action != HandAction::kForget) continue;
    std::erase_if(pinned, [hand](const auto& one) {
      return one.first.gtrid == hand->gtrid &&
             (hand->participant.empty() || one.first.bqual == hand->participant);
    });
  }
  std::vector<HeuristicRecord> out;
  for (auto& [xid, record] : pinned) out.push_back(record);
  return out;
}

std::set<LogId> Story::given_up_logs() const {
  std::set<LogId> out;
  for (const auto& [record, _] : log_) {
    const auto* hand = std::get_if<HandRecord>(&record);
    if (hand != nullptr) out.insert(hand->lost_logs.begin(), hand->lost_logs.end());
  }
  return out;
}

std::optional<Decided> Story::find_gtrid(const Gtrid& gtrid) const {
  for (const auto& [record, _] : log_) {
    if (const auto* commit = std::get_if<CommitRecord>(&record); commit && commit->gtrid == gtrid) {
      return Decided{*commit};
    }
    if (const auto* no = std::get_if<RollbackRecord>(&record); no && no->gtrid == gtrid) {
      return Decided{*no};
    }
  }
  return std::nullopt;
}

}  // namespace assent::coordinator
