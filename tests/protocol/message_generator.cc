#include "tests/protocol/message_generator.h"

namespace assent {

std::size_t MessageGenerator::below(std::size_t bound) {
  return static_cast<std::size_t>(random_() % bound);
}

std::string MessageGenerator::bytes(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>(random_() & 0xFFU);
  return out;
}

// Small and huge numbers alike: the wire stores them in different lengths.
std::uint64_t MessageGenerator::any_u64() {
  return random_() >> below(64);
}

std::string MessageGenerator::text() {
  static const std::vector<std::string> pieces = {"a", "Z", " ", "'", "\n", "é", "€", "𝄞", "\x01"};
  std::string out;
  for (std::size_t i = below(12); i > 0; --i) out += pieces[below(pieces.size())];
  return out;
}

std::string MessageGenerator::name() {
  std::string out(1, static_cast<char>('a' + below(26)));
  for (std::size_t i = below(31); i > 0; --i) out += "az09_-"[below(6)];
  return out;
}

Duration MessageGenerator::duration() {
  return Duration(static_cast<Duration::rep>(any_u64() % 31'622'400'000'000ULL));
}

Gtrid MessageGenerator::gtrid() {
  return {LogId{positive_u64()}, Epoch{any_u32() | 1U}, Sequence{positive_u64()}};
}

Xid MessageGenerator::xid() {
  return {gtrid(), name()};
}

Error MessageGenerator::error() {
  Error out;
  out.code = one_of(ErrorCode::kInvalid, ErrorCode::kStepsDiffer);
  out.effect = one_of(Effect::kNone, Effect::kUnknown);
  out.message = text();
  if (coin()) out.participant = name();
  if (coin()) out.sqlstate = "40001";
  out.native = static_cast<std::int32_t>(any_u32());
  out.step = static_cast<std::int32_t>(below(257)) - 1;
  return out;
}

std::optional<Error> MessageGenerator::maybe_error() {
  if (coin()) return std::nullopt;
  return error();
}

Value MessageGenerator::value() {
  switch (below(6)) {
    case 0:
      return std::monostate();
    case 1:
      return coin();
    case 2:
      return static_cast<std::int64_t>(coin() ? any_u64() : ~any_u64());
    case 3:
      return static_cast<double>(any_u64()) / 7;
    case 4:
      return text();
    default:
      return Bytes{bytes(below(20))};
  }
}

Statement MessageGenerator::statement() {
  Statement out;
  out.sql = "SELECT " + text();
  for (std::size_t i = below(5); i > 0; --i) out.params.push_back(value());
  if (coin()) out.expect_rows = static_cast<std::int64_t>(any_u64() >> 1U);
  return out;
}

std::vector<Statement> MessageGenerator::statements() {
  std::vector<Statement> out;
  for (std::size_t i = below(4); i > 0; --i) out.push_back(statement());
  return out;
}

StatementResult MessageGenerator::result() {
  StatementResult out;
  out.rows_affected = static_cast<std::int64_t>(below(1000)) - 1;
  for (std::size_t i = below(4); i > 0; --i) out.columns.push_back(text());
  for (std::size_t rows = below(4); rows > 0; --rows) {
    auto& row = out.rows.emplace_back();
    while (row.size() < out.columns.size()) row.push_back(value());
  }
  return out;
}

std::vector<StatementResult> MessageGenerator::results() {
  std::vector<StatementResult> out;
  for (std::size_t i = below(4); i > 0; --i) out.push_back(result());
  return out;
}

Step MessageGenerator::step() {
  return {name(), statement(), coin(), coin()};
}

DatabaseIdentity MessageGenerator::database() {
  return {text(), any_u32(), any_u64(), any_u64()};
}

BranchProof MessageGenerator::proof() {
  return {database(), any_u64(), coin()};
}

Work MessageGenerator::work() {
  Work out;
  out.xid = xid();
  out.first_index = any_u32();
  out.statements = statements();
  out.then = one_of(AfterWork::kStayOpen, AfterWork::kPrepare);
  out.access = one_of(Access::kReadWrite, Access::kReadOnly);
  out.lock_wait = duration();
  out.deadline = duration();
  out.interactive = coin();
  return out;
}

Inspect MessageGenerator::inspect() {
  Inspect out;
  out.serial = any_u64();
  for (std::size_t i = below(4); i > 0; --i) {
    out.branches.push_back({xid(), coin() ? std::optional(proof()) : std::nullopt});
  }
  return out;
}

AgentRequest MessageGenerator::agent_request() {
  AgentRequest out;
  out.incarnation = Incarnation{positive_u64()};
  if (coin()) out.lowest_unfinished = gtrid();
  switch (below(8)) {
    case 0:
      out.body = work();
      break;
    case 1:
      out.body = Prepare{xid(), any_u32(), duration()};
      break;
    case 2:
      out.body = Commit{xid(), proof()};
      break;
    case 3:
      out.body = Rollback{xid(), coin() ? std::optional(proof()) : std::nullopt};
      break;
    case 4:
      out.body = ListPrepared{any_u64(), any_u64()};
      break;
    case 5:
      out.body = ForgetWitnesses{{gtrid(), gtrid()}};
      break;
    case 6:
      out.body = inspect();
      break;
    default:
      out.body = Ping{};
  }
  return out;
}

ToAgent MessageGenerator::to_agent() {
  if (below(4) != 0) return agent_request();
  Hello hello;
  hello.coordinator = "c" + text();
  hello.token = bytes(below(100));
  hello.participant = name();
  hello.log_id = LogId{positive_u64()};
  hello.epoch = Epoch{any_u32() | 1U};
  hello.opening_nonce = any_u64();
  for (std::uint32_t epoch = 1; below(3) != 0; ++epoch) {
    hello.held.push_back({Epoch{epoch}, any_u64(), any_u64()});
  }
  return hello;
}

PreparedList MessageGenerator::prepared_list() {
  PreparedList out;
  out.scan = any_u64();
  for (std::size_t i = below(4); i > 0; --i) {
    out.branches.push_back({xid(), any_u64(), duration()});
  }
  out.foreign = any_u64();
  out.error = maybe_error();
  out.fence_top = any_u64();
  out.put_back = out.error && below(2) == 0;
  return out;
}

std::vector<BlockedSession> MessageGenerator::blocked() {
  std::vector<BlockedSession> out;
  for (std::size_t i = below(3); i > 0; --i) {
    out.push_back({any_u64(), text(), text(), duration(), text()});
  }
  return out;
}

BranchSight MessageGenerator::sight() {
  return {xid(),
          one_of(Completion::kCommitted, Completion::kUnreached),
          one_of(Evidence::kNone, Evidence::kNeverPrepared),
          any_u64(),
          duration(),
          blocked(),
          maybe_error()};
}

ForeignBranch MessageGenerator::foreign_branch() {
  return {text(), duration(), blocked()};
}

Inspected MessageGenerator::inspected() {
  Inspected out;
  out.serial = any_u64();
  for (std::size_t i = below(3); i > 0; --i) out.branches.push_back(sight());
  for (std::size_t i = below(3); i > 0; --i) out.foreign.push_back(foreign_branch());
  out.error = maybe_error();
  return out;
}

AgentReply MessageGenerator::agent_reply() {
  AgentReply out;
  out.incarnation = Incarnation{positive_u64()};
  switch (below(6)) {
    case 0:
      out.body = Worked{xid(), any_u32(), results(), maybe_error()};
      break;
    case 1:
      out.body = Voted{xid(), one_of(Vote::kPrepared, Vote::kUnknown), results(), maybe_error(),
                       coin() ? proof() : BranchProof{}};
      break;
    case 2:
      out.body = Finished{xid(), one_of(Decision::kCommit, Decision::kRollback),
                          one_of(Completion::kCommitted, Completion::kUnreached),
                          one_of(Evidence::kNone, Evidence::kNeverPrepared), maybe_error()};
      break;
    case 3:
      out.body = prepared_list();
      break;
    case 4:
      out.body = inspected();
      break;
    default:
      out.body = Pong{};
  }
  return out;
}

FromAgent MessageGenerator::from_agent() {
  switch (below(6)) {
    case 0:
      return refused();
    case 1:
      return Welcome{Incarnation{positive_u64()},
                     "postgres",
                     text(),
                     database(),
                     any_u32(),
                     any_u32(),
                     any_u64(),
                     {{LogId{positive_u64()}, any_u64()}}};
    default:
      return agent_reply();
  }
}

Submit MessageGenerator::submit() {
  Submit out;
  out.key = text();
  out.wait = one_of(WaitFor::kDecided, WaitFor::kApplied);
  out.timeout = duration();
  if (coin()) out.not_after = WallTime{static_cast<std::int64_t>(any_u64() % 253402300800000ULL)};
  for (std::size_t i = 1 + below(5); i > 0; --i) out.steps.push_back(step());
  return out;
}

ByHand MessageGenerator::by_hand() {
  return {"by" + text(), "because" + text(), coin()};
}

ClientRequest MessageGenerator::admin_request() {
  const Duration patience = duration() % kPatienceMax;
  const std::string maybe_name = coin() ? name() : "";
  switch (below(9)) {
    case 0:
      return ListInDoubt{patience};
    case 1:
      return TellStory{gtrid(), patience};
    case 2:
      return RetryTransaction{gtrid()};
    case 3:
      return ResolveTransaction{gtrid(),
                                one_of(Decision::kCommit, Decision::kRollback),
                                maybe_name,
                                {name(), name()},
                                by_hand()};
    case 4:
      return ForgetDamage{gtrid(), maybe_name, by_hand()};
    case 5:
      return Allow{one_of(Allowance::kPresume, Allowance::kViolation), maybe_name, by_hand()};
    case 6:
      return SetDrain{coin()};
    case 7:
      return AskStatus{};
    default:
      return BackUpLog{"/" + text()};
  }
}

ClientRequest MessageGenerator::client_request() {
  switch (below(12)) {
    case 0:
      return submit();
    case 1:
      return Begin{text(), duration()};
    case 2:
      return Execute{gtrid(), step()};
    case 3:
      return CommitTransaction{gtrid(), one_of(WaitFor::kDecided, WaitFor::kApplied), duration()};
    case 4:
      return RollbackTransaction{gtrid()};
    case 5:
      return OutcomeOf{"k" + text(), coin()};
    case 6:
      return ListTransactions{};
    case 7:
      return ShowTransaction{gtrid()};
    case 8:
      return ListParticipants{};
    default:
      return admin_request();
  }
}

FromClient MessageGenerator::from_client() {
  if (below(8) == 0) return ClientHello{kProtocolVersion, text()};
  return ClientCall{any_u64(), client_request()};
}

Answer MessageGenerator::answer() {
  Answer out;
  if (coin()) out.gtrid = gtrid();
  out.outcome = one_of(Outcome::kCommitted, Outcome::kNoRecord);
  out.applied = coin();
  for (std::size_t i = below(3); i > 0; --i) out.pending.push_back(name());
  out.results = results();
  out.error = maybe_error();
  for (std::size_t i = below(3); i > 0; --i) out.damaged.push_back(damage());
  return out;
}

BranchSummary MessageGenerator::branch_summary() {
  return {xid(), text(), maybe_error(), any_u32(), duration()};
}

TransactionSummary MessageGenerator::transaction_summary() {
  TransactionSummary out;
  out.gtrid = gtrid();
  out.key = text();
  out.phase = text();
  if (coin()) out.outcome = one_of(Outcome::kCommitted, Outcome::kNoRecord);
  out.age = duration();
  for (std::size_t i = below(3); i > 0; --i) out.branches.push_back(branch_summary());
  out.reason = maybe_error();
  return out;
}

ParticipantSummary MessageGenerator::participant_summary() {
  ParticipantSummary out;
  out.name = name();
  out.agent_address = "127.0.0.1:7001";
  out.connected = coin();
  out.kind = text();
  out.server_version = text();
  out.database_id = text();
  out.since = duration();
  out.open_branches = any_u64();
  out.prepared_listed = any_u64();
  out.foreign_listed = any_u64();
  out.last_scan_ago = duration();
  out.last_error = maybe_error();
  out.incarnation = any_u64();
  out.prepared_max = any_u32();
  out.health = text();
  return out;
}

Damage MessageGenerator::damage() {
  return {name(), one_of(Heuristic::kCommitted, Heuristic::kHazard), text()};
}

BranchTruth MessageGenerator::branch_truth() {
  BranchTruth out;
  out.xid = xid();
  out.logged = text();
  out.state = text();
  if (coin()) out.sight = sight();
  if (coin()) out.damage = damage();
  out.waits_for = text();
  out.last_error = maybe_error();
  out.tries = any_u32();
  out.next_try_in = duration();
  return out;
}

InDoubtTransaction MessageGenerator::in_doubt() {
  InDoubtTransaction out;
  out.gtrid = gtrid();
  out.key = text();
  out.phase = text();
  if (coin()) out.outcome = one_of(Outcome::kCommitted, Outcome::kNoRecord);
  out.age = duration();
  for (std::size_t i = below(3); i > 0; --i) out.branches.push_back(branch_truth());
  return out;
}

InDoubtList MessageGenerator::in_doubt_list() {
  InDoubtList out;
  for (std::size_t i = below(3); i > 0; --i) out.transactions.push_back(in_doubt());
  out.more = any_u64();
  for (std::size_t i = below(3); i > 0; --i) out.foreign.push_back({name(), foreign_branch()});
  for (std::size_t i = below(3); i > 0; --i) out.unreached.push_back(error());
  return out;
}

std::vector<std::string> MessageGenerator::texts() {
  std::vector<std::string> out;
  for (std::size_t i = below(3); i > 0; --i) out.push_back(text());
  return out;
}

StoryTold MessageGenerator::story_told() {
  StoryTold out;
  if (coin()) out.transaction = in_doubt();
  for (std::size_t i = below(3); i > 0; --i) {
    const WallTime when{static_cast<std::int64_t>(any_u64() >> 1U)};
    out.lines.push_back({any_u64(), coin() ? std::optional(when) : std::nullopt, text()});
  }
  return out;
}

ActionTold MessageGenerator::action_told() {
  ActionTold out;
  out.acted = coin();
  out.plan = texts();
  if (coin()) out.evidence = in_doubt();
  if (!out.acted) out.refused = maybe_error();
  out.next = text();
  return out;
}

CoordinatorStatus MessageGenerator::status() {
  CoordinatorStatus out;
  out.coordinator = text();
  out.ready = coin();
  out.draining = coin();
  out.presumes = coin();
  out.live = any_u64();
  out.in_doubt = any_u64();
  out.damaged = any_u64();
  out.deposed = text();
  out.holding_up = texts();
  for (std::size_t i = below(3); i > 0; --i) out.findings.push_back({text(), texts(), text()});
  out.log = {any_u64(),
             any_u64(),
             any_u64(),
             any_u64(),
             any_u64(),
             WallTime{static_cast<std::int64_t>(any_u64() >> 1U)},
             coin() ? std::optional(gtrid()) : std::nullopt};
  return out;
}

ClientReply MessageGenerator::admin_reply() {
  switch (below(4)) {
    case 0:
      return in_doubt_list();
    case 1:
      return story_told();
    case 2:
      return action_told();
    default:
      return status();
  }
}

ClientReply MessageGenerator::client_reply() {
  switch (below(8)) {
    case 0:
      return answer();
    case 1:
      return Begun{gtrid()};
    case 2:
      return Executed{result(), maybe_error()};
    case 3:
      return TransactionList{{transaction_summary(), transaction_summary()}, any_u64()};
    case 4:
      return coin() ? TransactionShown{transaction_summary()} : TransactionShown{};
    case 5:
      return ParticipantList{{participant_summary(), participant_summary()}};
    default:
      return admin_reply();
  }
}

ToClient MessageGenerator::to_client() {
  switch (below(8)) {
    case 0:
      return refused();
    case 1:
      return ClientWelcome{kProtocolVersion, "c" + text(), LogId{positive_u64()},
                           Epoch{any_u32() | 1U}};
    default:
      return ClientCallReply{any_u64(), client_reply()};
  }
}

}  // namespace assent
