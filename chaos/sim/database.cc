#include "chaos/sim/database.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::sim {
namespace {

using std::chrono::microseconds;

Error lost() {
  return {.code = ErrorCode::kConnectionLost,
          .effect = Effect::kUnknown,
          .message = "the connection to the database is lost"};
}

rm::FinishReport finished(Completion completion, Evidence evidence) {
  return {completion, evidence, std::nullopt};
}

rm::FinishReport hazard(Evidence evidence, std::string message) {
  return {Completion::kCannotTell, evidence,
          Error{.code = ErrorCode::kHazard, .message = std::move(message)}};
}

std::int64_t integer(const Statement& statement, std::size_t index) {
  return std::get<std::int64_t>(statement.params.at(index));
}

}  // namespace

// ---------------------------------------------------------------- being asked

template <typename Reply>
class Database::Call final : public CallBase,
                             public std::enable_shared_from_this<Database::Call<Reply>> {
 public:
  Call(World& world, const Process& asker, Told<Reply> told)
      : world_(world), asker_(asker.state()), told_(std::move(told)) {}

  /// It is done; the answer is under way.
  void answer(Result<Reply> reply) {
    if (reply_) return;
    reply_ = std::move(reply);
    const Duration delay = world_.random().between(microseconds(20), microseconds(500));
    world_.in(delay, asker_, [self = this->shared_from_this()] {
      if (auto told = std::exchange(self->told_, nullptr)) told(*self->reply_);
    });
  }
  void lose() override {
    answer(lost());
    reply_ = lost();
  }
  bool is_answered() const override { return reply_.has_value(); }

 private:
  World& world_;
  const std::weak_ptr<const Process::State> asker_;
  Told<Reply> told_;
  std::optional<Result<Reply>> reply_;
};

template <typename Reply>
void Database::ask(const Process& asker, Told<Reply> told,
                   std::function<void(const std::shared_ptr<Call<Reply>>&)> operation) {
  auto call = std::make_shared<Call<Reply>>(world_, asker, std::move(told));
  if (!runs()) return call->lose();
  std::erase_if(calls_, [](const auto& each) { return each.expired(); });
  calls_.push_back(call);
  process_->in(a_while(), [call, operation = std::move(operation)] {
    if (call->has_arrived) operation(call);
  });
  if (lose_one_in_ != 0 && world_.random().one_in(lose_one_in_))
    process_->in(a_while(), [this, call] { cut(*call); });
}

Duration Database::a_while() {
  return world_.random().between(microseconds(20), microseconds(800));
}

// ---------------------------------------------------------------- its lives

Database::Database(World& world, std::string participant, DatabaseKind kind, std::int64_t cards,
                   std::int64_t balance)
    : world_(world), participant_(std::move(participant)), kind_(kind) {
  for (std::int64_t card = 1; card <= cards; ++card) kept_.balances[card] = balance;
}

void Database::start() {
  if (runs()) return;
  trace("starts");
  process_ = std::make_unique<Process>(world_, "db " + participant_);
}

void Database::crash() {
  if (!runs()) return;
  trace("crashes");
  process_.reset();
  for (Branch& branch : std::exchange(kept_.rolled_back, {})) {
    if (world_.random().one_in(2)) continue;
    trace("has prepared again " + to_string(branch.xid));
    kept_.prepared.emplace(branch.xid, branch);
    come_back_.insert(branch.xid);
  }
  sessions_.clear();
  waiters_.clear();
  control_ = 0;
  for (const auto& each : std::exchange(calls_, {})) {
    const auto call = each.lock();
    if (!call) continue;
    const bool gets_through = call->is_answered() && world_.random().one_in(2);
    if (!gets_through) call->lose();
  }
}

void Database::put_back() {
  crash();
  kept_ = *copy_;
  trace("was put back to a copy");
  for (const auto& [xid, branch] : kept_.prepared) come_back_.insert(xid);
}

void Database::put_right(const Xid& xid) {
  trace("is put right by hand: " + to_string(xid));
  apply(written_.at(xid));
  ++kept_.took_effect[xid];
}

void Database::cut_connections() {
  if (world_.random().one_in(3)) control_ = 0;
  for (const auto& each : calls_) {
    const auto call = each.lock();
    if (call && world_.random().one_in(2)) cut(*call);
  }
}

void Database::cut(CallBase& call) {
  call.has_arrived = world_.random().one_in(2);
  call.lose();
}

workload::ParticipantEvidence Database::evidence() const {
  workload::ParticipantEvidence evidence;
  evidence.participant = participant_;
  evidence.balances = kept_.balances;
  evidence.ledger = kept_.ledger;
  for (const auto& [xid, branch] : kept_.prepared) evidence.prepared.push_back(to_string(xid));
  for (const auto& [card, balance] : kept_.balances) {
    if (is_locked(card)) evidence.locked.push_back("card " + std::to_string(card));
  }
  return evidence;
}

DatabaseIdentity Database::identity() const {
  DatabaseIdentity identity;
  identity.id = "the database of " + participant_;
  identity.takeover = takeover_;
  if (kind_ == DatabaseKind::kPostgres) {
    identity.timeline = 1;
    identity.position = kept_.position;
  }
  return identity;
}

// ---------------------------------------------------------------- control

void Database::take_control(const Process& asker, Told<std::uint64_t> told) {
  ask<std::uint64_t>(asker, std::move(told), [this](const auto& call) {
    while (!sessions_.empty() && !mutant("old sessions live on")) drop(sessions_.begin()->first);
    control_ = next_session_++;
    takeover_ = world_.random().bits() | 1;
    write_takeover();
    call->answer(control_);
  });
}

void Database::write_takeover() {
  if (kind_ != DatabaseKind::kPostgres) return;
  force();
  kept_.takeovers.push_back({takeover_, kept_.next_transaction++, kept_.position});
}

/// Of the life of the database in which it was taken, or of none any more.
class Database::ControlSession final : public rm::Control {
 public:
  /// nullptr: the connection is lost.
  explicit ControlSession(Database* database) : database_(database) {}

  std::string server_version() const override { return "1"; }
  std::uint32_t prepared_max() const override { return 0; }
  std::vector<std::string> warnings() const override { return {}; }
  Result<DatabaseIdentity> identity() override {
    if (database_ == nullptr) return lost();
    return database_->identity();
  }
  Result<> heartbeat() override {
    if (database_ == nullptr) return lost();
    return {};
  }
  Result<> end_session(rm::SessionId session, Duration /*wait*/) override {
    if (database_ == nullptr) return lost();
    database_->drop(session);
    return {};
  }
  Result<rm::FenceAnswer> raise_fence(const rm::Fence& fence) override {
    if (database_ == nullptr) return lost();
    return database_->raise(fence);
  }
  Result<rm::PreparedScan> list_prepared(const std::set<LogId>& ours) override {
    if (database_ == nullptr) return lost();
    return database_->list(ours);
  }
  Result<> forget_witnesses(const std::vector<Gtrid>& gtrids) override {
    if (database_ == nullptr) return lost();
    database_->force();
    for (const Gtrid& gtrid : gtrids)
      database_->kept_.witnesses.erase({gtrid, database_->participant_});
    return {};
  }
  void interrupt() override {}

 private:
  Database* database_;
};

void Database::run_control(const Process& asker, std::uint64_t control,
                           std::function<void(rm::Control&)> work, std::function<void()> done) {
  const auto told = [this, control, work, done = std::move(done)](const Result<bool>& answered) {
    if (!answered) {
      if (control == control_) control_ = 0;  // the session ends with its connection
      ControlSession gone(nullptr);
      work(gone);
    }
    done();
  };
  ask<bool>(asker, told, [this, control, work](const auto& call) {
    if (control != control_) return call->lose();
    ControlSession session(this);
    work(session);
    call->answer(true);
  });
}

std::uint64_t Database::fence_top(LogId log_id) const {
  const auto row = kept_.fences.find(log_id);
  return row == kept_.fences.end() ? 0 : row->second.top;
}

rm::FenceAnswer Database::raise(const rm::Fence& fence) {
  std::vector<rm::FenceRow> rows;
  for (const auto& [log_id, row] : kept_.fences) {
    if (log_id == fence.log_id || row.coordinator == fence.coordinator)
      rows.push_back({log_id, row.epoch, row.nonce, row.top});
  }
  rm::FenceAnswer answer = rm::answer_of(rows, fence);
  if (answer.refused) return answer;
  if (answer.deposed || answer.missing) {
    answer.refused = Error{.code = ErrorCode::kFenced, .message = "the fence row is above it"};
    return answer;
  }
  FenceEntry& row = kept_.fences[fence.log_id];
  force();
  row = {fence.coordinator, fence.epoch, fence.opening_nonce, std::max(row.top, fence.log_top)};
  return answer;
}

rm::PreparedScan Database::list(const std::set<LogId>& logs) const {
  rm::PreparedScan scan;
  for (const auto& [xid, branch] : kept_.prepared) {
    if (logs.contains(xid.gtrid.log_id) && xid.bqual == participant_) {
      scan.branches.push_back({xid, proof_of(branch).transaction_id, Duration(1)});
    } else {
      ++scan.foreign;
    }
  }
  return scan;
}

void Database::inspect(const Process& asker, std::set<LogId> logs,
                       std::vector<rm::InspectedBranch> asked, Told<rm::Inspection> told) {
  ask<rm::Inspection>(asker, std::move(told),
                      [this, logs = std::move(logs), asked = std::move(asked)](const auto& call) {
                        rm::Inspection found;
                        for (const auto& [xid, branch] : kept_.prepared) {
                          if (!logs.contains(xid.gtrid.log_id) || xid.bqual != participant_)
                            continue;
                          BranchSight& sight = found.branches.emplace_back();
                          sight.xid = xid;
                          sight.completion = Completion::kStillPrepared;
                          sight.evidence = Evidence::kListed;
                          sight.transaction_id = proof_of(branch).transaction_id;
                          sight.age = Duration(1);
                        }
                        for (const rm::InspectedBranch& one : asked) {
                          if (kept_.prepared.contains(one.xid)) continue;
                          BranchSight& sight = found.branches.emplace_back();
                          sight.xid = one.xid;
                          sight.completion = Completion::kCannotTell;
                          if (!one.proof) continue;
                          const rm::FinishReport end = settle(one.xid, *one.proof);
                          sight.completion = end.completion;
                          sight.evidence = end.evidence;
                          sight.error = end.error;
                        }
                        call->answer(std::move(found));
                      });
}

// ---------------------------------------------------------------- work

rm::SessionId Database::open_session() {
  const rm::SessionId id{next_session_++};
  if (runs()) sessions_[id];
  return id;
}

Database::Session* Database::find(rm::SessionId session) {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Database::work(const Process& asker, rm::SessionId id, Work work, Told<rm::WorkReport> told) {
  ask<rm::WorkReport>(asker, std::move(told), [this, id, work = std::move(work)](const auto& call) {
    Session* session = find(id);
    if (session == nullptr) return call->lose();
    if (work.first_index == 0) {
      const bool read_only = work.access == Access::kReadOnly;
      session->branch = Branch{work.xid, 0, {}, {}, read_only};
      if (kind_ == DatabaseKind::kPostgres && !read_only)
        session->branch->transaction_id = kept_.next_transaction++;
    }
    session->work = work;
    session->next = 0;
    session->results.clear();
    session->report = [call](rm::WorkReport report) { call->answer(std::move(report)); };
    run_next(id);
  });
}

void Database::run_next(rm::SessionId id) {
  Session* session = find(id);
  if (session == nullptr) return;
  if (session->next == session->work.statements.size()) return conclude(id);
  process_->in(a_while(), [this, id] {
    if (Session* at = find(id)) run_statement(id, at->work.statements[at->next]);
  });
}

void Database::run_statement(rm::SessionId id, const Statement& statement) {
  Session& session = *find(id);
  if (statement.sql.starts_with("SELECT")) {
    note(session, 1);
    return run_next(id);
  }
  if (session.branch->read_only)
    return fail(id, ErrorCode::kStatementFailed, "the transaction is read-only");
  if (statement.sql.starts_with("UPDATE")) return lower(id, statement);
  ASSENT_CHECK(statement.sql.starts_with("INSERT INTO ledger"));
  session.branch->writes.ledger.push_back({std::get<std::string>(statement.params.at(0)),
                                           integer(statement, 1), integer(statement, 2)});
  note(session, 1);
  run_next(id);
}

void Database::lower(rm::SessionId id, const Statement& statement) {
  Session& session = *find(id);
  const std::int64_t amount = integer(statement, 0);
  const std::int64_t card = integer(statement, 1);
  if (!holds(card, session) && is_locked(card)) return wait_for_lock(id, card);
  session.branch->locks.insert(card);
  std::int64_t& taken = session.branch->writes.taken[card];
  const bool enough = kept_.balances.at(card) - taken >= amount;
  if (enough) taken += amount;
  if (statement.expect_rows && *statement.expect_rows != (enough ? 1 : 0))
    return fail(id, ErrorCode::kGuardNotMet, "there is not enough left");
  note(session, enough ? 1 : 0);
  run_next(id);
}

void Database::note(Session& session, std::int64_t rows) {
  session.results.push_back({rows, {}, {}});
  ++session.next;
}

void Database::wait_for_lock(rm::SessionId id, std::int64_t card) {
  const std::uint64_t serial = next_wait_++;
  waiters_[card].push_back({id, serial, [this, id] {
                              if (Session* at = find(id))
                                run_statement(id, at->work.statements[at->next]);
                            }});
  process_->in(std::max(find(id)->work.lock_wait, Duration(1)), [this, id, card, serial] {
    const bool waits = std::erase_if(waiters_[card], [serial](const Waiter& waiter) {
                         return waiter.serial == serial;
                       }) != 0;
    if (waits && find(id) != nullptr) fail(id, ErrorCode::kConflict, "the row is locked");
  });
}

bool Database::holds(std::int64_t card, const Session& session) const {
  return session.branch && session.branch->locks.contains(card);
}

bool Database::is_locked(std::int64_t card) const {
  const auto has = [card](const Branch& branch) { return branch.locks.contains(card); };
  return std::any_of(
             sessions_.begin(), sessions_.end(),
             [&](const auto& each) { return each.second.branch && has(*each.second.branch); }) ||
         std::any_of(kept_.prepared.begin(), kept_.prepared.end(),
                     [&](const auto& each) { return has(each.second); });
}

/// The branch that held them is gone by now.
void Database::release(const Branch& branch) {
  for (const std::int64_t card : branch.locks) {
    const auto waiting = waiters_.find(card);
    if (waiting == waiters_.end() || waiting->second.empty()) continue;
    Waiter next = std::move(waiting->second.front());
    waiting->second.pop_front();
    process_->soon(std::move(next.go_on));
  }
}

void Database::fail(rm::SessionId id, ErrorCode code, const char* message) {
  Session& session = *find(id);
  rm::WorkReport failed;
  failed.results = std::move(session.results);
  failed.error = Error{.code = code,
                       .message = message,
                       .participant = participant_,
                       .step = static_cast<std::int32_t>(session.work.first_index + session.next)};
  failed.vote = Vote::kRolledBack;
  const Branch branch = *std::exchange(session.branch, std::nullopt);
  if (branch.transaction_id != 0) kept_.ended[branch.transaction_id] = false;
  release(branch);
  report(session, std::move(failed));
}

void Database::report(Session& session, rm::WorkReport report) {
  std::exchange(session.report, nullptr)(std::move(report));
}

void Database::conclude(rm::SessionId id) {
  Session& session = *find(id);
  if (session.work.then == AfterWork::kPrepare) return prepare_now(id);
  rm::WorkReport done;
  done.results = std::move(session.results);
  report(session, std::move(done));
}

void Database::prepare_now(rm::SessionId id) {
  process_->in(a_while(), [this, id] {
    Session* session = find(id);
    if (session == nullptr) return;
    if (session->branch->read_only) return end_reading(*session);
    const Xid xid = session->branch->xid;
    if (kept_.prepared.contains(xid))
      return fail(id, ErrorCode::kStatementFailed, "the name is taken");
    const auto at =
        kept_.prepared.emplace(xid, *std::exchange(session->branch, std::nullopt)).first;
    trace("prepared " + to_string(xid));
    written_[xid] = at->second.writes;
    if (absent_.contains(xid)) zombies_.insert(xid);
    force();
    rm::WorkReport done;
    done.results = std::move(session->results);
    done.vote = Vote::kPrepared;
    done.proof = proof_of(at->second);
    report(*session, std::move(done));
  });
}

void Database::end_reading(Session& session) {
  session.branch.reset();
  rm::WorkReport done;
  done.results = std::move(session.results);
  done.vote = Vote::kReadOnly;
  report(session, std::move(done));
}

BranchProof Database::proof_of(const Branch& branch) const {
  return {identity(), branch.transaction_id, kind_ == DatabaseKind::kMariadb};
}

void Database::prepare(const Process& asker, rm::SessionId id, Told<rm::WorkReport> told) {
  ask<rm::WorkReport>(asker, std::move(told), [this, id](const auto& call) {
    Session* session = find(id);
    if (session == nullptr || !session->branch) return call->lose();
    session->results.clear();
    session->report = [call](rm::WorkReport report) { call->answer(std::move(report)); };
    prepare_now(id);
  });
}

void Database::roll_back_open(const Process& asker, rm::SessionId id, Told<rm::FinishReport> told) {
  ask<rm::FinishReport>(asker, std::move(told), [this, id](const auto& call) {
    if (find(id) == nullptr) return call->lose();
    drop(id);
    sessions_[id];
    call->answer(finished(Completion::kRolledBack, Evidence::kNeverPrepared));
  });
}

/// What it has open is rolled back; what it has prepared is not its own any more.
void Database::drop(rm::SessionId id) {
  Session* session = find(id);
  if (session == nullptr) return;
  const std::optional<Branch> branch = std::move(session->branch);
  sessions_.erase(id);
  if (!branch) return;
  if (branch->transaction_id != 0) kept_.ended[branch->transaction_id] = false;
  release(*branch);
}

// ---------------------------------------------------------------- phase two

void Database::commit(const Process& asker, rm::SessionId session, Xid xid, BranchProof proof,
                      bool as_voted, Told<rm::FinishReport> told) {
  ask<rm::FinishReport>(
      asker, std::move(told),
      [this, session, xid = std::move(xid), proof = std::move(proof), as_voted](const auto& call) {
        if (find(session) == nullptr) return call->lose();
        call->answer(commit_now(xid, proof, as_voted));
      });
}

void Database::rollback(const Process& asker, rm::SessionId session, Xid xid,
                        std::optional<BranchProof> proof, Told<rm::FinishReport> told) {
  ask<rm::FinishReport>(
      asker, std::move(told),
      [this, session, xid = std::move(xid), proof = std::move(proof)](const auto& call) {
        if (find(session) == nullptr) return call->lose();
        call->answer(rollback_now(xid, proof));
      });
}

void Database::apply(const Writes& writes) {
  for (const auto& [card, amount] : writes.taken) kept_.balances.at(card) -= amount;
  kept_.ledger.insert(kept_.ledger.end(), writes.ledger.begin(), writes.ledger.end());
}

void Database::apply(const Branch& branch) {
  ++kept_.took_effect[branch.xid];
  apply(branch.writes);
  force();
  if (kind_ == DatabaseKind::kMariadb) {
    kept_.witnesses.insert(branch.xid);
  } else {
    kept_.ended[branch.transaction_id] = true;
  }
}

/// Everything before it stays.
void Database::force() {
  kept_.position += 100;
  kept_.rolled_back.clear();
}

rm::FinishReport Database::commit_now(const Xid& xid, const BranchProof& proof, bool as_voted) {
  const auto listed = kept_.prepared.find(xid);
  if (listed == kept_.prepared.end()) return settle(xid, proof);
  if (!as_voted && proof_of(listed->second).transaction_id != proof.transaction_id)
    return hazard(Evidence::kListed, "another branch is prepared under its name");
  const Branch branch = std::move(listed->second);
  kept_.prepared.erase(listed);
  apply(branch);
  release(branch);
  trace("committed " + to_string(xid));
  return finished(Completion::kCommitted, Evidence::kDatabaseAnswer);
}

rm::FinishReport Database::rollback_now(const Xid& xid, const std::optional<BranchProof>& proof) {
  const auto listed = kept_.prepared.find(xid);
  if (listed == kept_.prepared.end()) {
    if (kind_ == DatabaseKind::kMariadb) return settle(xid, {});
    if (!proof) return finished(Completion::kRolledBack, Evidence::kListed);
    const rm::FinishReport found = settle(xid, *proof);
    if (found.completion != Completion::kCannotTell) return found;
    return finished(Completion::kRolledBack, Evidence::kListed);
  }
  const Branch branch = std::move(listed->second);
  kept_.prepared.erase(listed);
  if (branch.transaction_id != 0) kept_.ended[branch.transaction_id] = false;
  release(branch);
  if (kind_ == DatabaseKind::kMariadb) kept_.rolled_back.push_back(branch);
  trace("rolled back " + to_string(xid));
  return finished(Completion::kRolledBack, Evidence::kDatabaseAnswer);
}

/// As PostgreSQL's agent asks it: the voter's row is there, and the next one stands behind the
/// vote.
bool Database::voted_in_this_history(const BranchProof& proof) const {
  const auto& rows = kept_.takeovers;
  const auto voter = std::find_if(rows.begin(), rows.end(), [&proof](const Takeover& row) {
    return row.number == proof.database.takeover;
  });
  if (voter == rows.end()) return false;
  const auto next = std::next(voter);
  return next == rows.end() ||
         (next->transaction_id > proof.transaction_id && next->position >= proof.database.position);
}

/// It is not listed, and no session of ours is at it any more.
rm::FinishReport Database::settle(const Xid& xid, const BranchProof& proof) const {
  if (mutant("NOTA is taken for committed"))
    return finished(Completion::kCommitted, Evidence::kNone);
  if (kind_ == DatabaseKind::kMariadb) {
    return kept_.witnesses.contains(xid)
               ? finished(Completion::kCommitted, Evidence::kWitnessRow)
               : finished(Completion::kRolledBack, Evidence::kNoWitnessRow);
  }
  if (kept_.position < proof.database.position || !voted_in_this_history(proof))
    return hazard(Evidence::kNone, "this is not the history in which it was prepared");
  const auto ended = kept_.ended.find(proof.transaction_id);
  if (ended == kept_.ended.end())
    return hazard(Evidence::kNone, "nothing is known of that transaction id");
  return finished(ended->second ? Completion::kCommitted : Completion::kRolledBack,
                  Evidence::kTransactionStatus);
}

}  // namespace assent::sim
