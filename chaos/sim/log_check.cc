#include "chaos/sim/log_check.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_verify.h"
#include "protocol/base/check.h"

namespace assent::sim {
namespace {

using namespace coordinator;

class Judge {
 public:
  Judge(LogDisk& disk, const std::vector<const Database*>& databases,
        const std::set<std::string>& put_back)
      : disk_(disk), databases_(databases), put_back_(put_back) {}

  std::vector<workload::Violation> judge() {
    for (const StoredRecord& record : disk_.lost) take(record);
    decided_.clear();  // of what was lost a person may decide again
    keys_.clear();
    std::uint64_t before = 0;
    Epoch epoch{};
    for (const auto& [number, record] : disk_.records) {
      if (number != before + 1 && disk_.lost.empty())
        violated("I7", "record " + std::to_string(number) + " of the log stands behind record " +
                           std::to_string(before));
      before = number;
      if (record.header.epoch < epoch) violated("I7", "an epoch of the log goes back");
      epoch = record.header.epoch;
      take(record);
    }
    for (const auto& [number, removed] : disk_.removed) check_removed(number, removed);
    check_what_is_left();
    for (const auto& [gtrid, commits] : commits_) {
      for (const CommitRecord* commit : commits) check_commit(*commit);
    }
    for (const Database* database : databases_) check_database(*database);
    return std::move(found_);
  }

 private:
  void violated(const char* invariant, std::string what) {
    found_.push_back({invariant, std::move(what)});
  }

  void take(const StoredRecord& record) {
    number_ = record.header.number;
    std::visit([this](const auto& payload) { take(payload); }, record.payload);
  }
  void take(const CommitRecord& commit) {
    commits_[commit.gtrid].push_back(&commit);
    for (const DecidedBranch& branch : commit.branches) newest_[branch.xid.bqual] = commit.gtrid;
    take_decision(commit.gtrid, commit.key);
  }
  void take(const RollbackRecord& rollback) { take_decision(rollback.gtrid, rollback.key); }
  void take(const EndRecord& end) { ended_[end.gtrid] = number_; }
  void take(const HeuristicRecord& record) {
    if (!disk_.lost.empty() || put_back_.contains(record.xid.bqual)) return;  // cause enough
    violated("I12", to_string(record.xid) + " is recorded as " +
                        std::string(to_string(record.heuristic)) + ": " + record.detail);
  }
  void take(const ChainedHand& record) {
    if (record.hand.allowance == Allowance::kHistory) taken_back_.insert(record.hand.participant);
  }
  template <typename Payload>
  void take(const Payload& /*payload*/) {}

  void take_decision(const Gtrid& gtrid, const std::string& key) {
    if (gtrid.sequence != Sequence{0}) take_decision(decided_, gtrid, to_string(gtrid));
    if (!key.empty()) take_decision(keys_, key, "key " + key);
  }

  template <typename Name>
  void take_decision(std::map<Name, std::uint64_t>& decided, const Name& name,
                     const std::string& text) {
    const auto [before, is_new] = decided.try_emplace(name, number_);
    if (!is_new && !had_gone(before->second))
      violated("I7", "two decisions stand in the log for " + text);
    before->second = number_;
  }

  /// When the record that is taken was written. Of what is lost nobody knows any more.
  bool had_gone(std::uint64_t number) const {
    if (disk_.retention > Duration{} && !disk_.lost.empty()) return true;
    const auto removed = disk_.removed.find(number);
    return removed != disk_.removed.end() && removed->second.newest < number_;
  }

  // ---- what the retention removes

  void check_removed(std::uint64_t number, const LogDisk::Removed& removed) {
    if (!may_go(disk_.records.at(number), removed))
      violated("R15", "record " + std::to_string(number) + " has gone too early");
  }

  bool may_go(const StoredRecord& record, const LogDisk::Removed& removed) const {
    const WallTime written = record.header.log_time;
    const auto is_old = [&](WallTime at) { return at + disk_.retention <= removed.log_time; };
    if (!is_old(written) || std::holds_alternative<ChainedHand>(record.payload)) return false;
    if (const auto* rollback = std::get_if<RollbackRecord>(&record.payload))
      return is_old(rollback->not_after.value_or(written));
    const auto* commit = std::get_if<CommitRecord>(&record.payload);
    if (commit == nullptr) return true;
    if (!is_old(commit->not_after.value_or(written))) return false;
    const StoredRecord* end = awaits_end(*commit) ? end_of(*commit) : &record;
    return end != nullptr && end->header.number <= removed.newest && is_old(end->header.log_time);
  }

  const StoredRecord* end_of(const CommitRecord& commit) const {
    const auto end = ended_.find(commit.gtrid);
    if (end == ended_.end()) return nullptr;
    const auto record = disk_.records.find(end->second);
    return record == disk_.records.end() ? nullptr : &record->second;
  }

  /// As the log itself does in the background.
  void check_what_is_left() {
    const LogPast past = read_recent(disk_.db, disk_.log_id).value();
    const std::atomic<bool> stop = false;
    std::vector<Missing> missing = verify_all(disk_.db, disk_.log_id, past.state, stop).value();
    missing.insert(missing.end(), past.missing.begin(), past.missing.end());
    for (const Missing& one : missing) violated("I7", text(one));
  }

  const Database& database_of(const std::string& participant) const {
    for (const Database* database : databases_) {
      if (database->participant() == participant) return *database;
    }
    check_failed(__FILE__, __LINE__, "a participant of the house");
  }

  void check_commit(const CommitRecord& commit) {
    for (const DecidedBranch& branch : commit.branches) {
      const Database& database = database_of(branch.xid.bqual);
      const std::string name = to_string(branch.xid);
      if (!database.took_effect().contains(branch.xid))
        violated("I7", name + " is committed in the log, and took no effect");
      if (put_back_.contains(branch.xid.bqual)) continue;
      if (!branch.proof.witness_row || database.has_witness(branch.xid)) continue;
      if (!ended_.contains(commit.gtrid))
        violated("I7", name + " has lost its witness row, and its end is not in the log");
      const bool expected = disk_.lost.empty() && !taken_back_.contains(branch.xid.bqual);
      if (newest_.at(branch.xid.bqual) == commit.gtrid && expected)
        violated("I7", name + " is the newest commit there, and has lost its witness row");
    }
  }

  void check_database(const Database& database) {
    for (const auto& [xid, times] : database.took_effect()) {
      if (times > 1)
        violated("I5", to_string(xid) + " took effect " + std::to_string(times) + " times");
      const auto& commits = commits_[xid.gtrid];
      const bool decided = std::any_of(
          commits.begin(), commits.end(),
          [&xid](const CommitRecord* commit) { return find_branch(*commit, xid) != nullptr; });
      if (!decided)
        violated("I7", to_string(xid) + " took effect, and no commit in the log has it");
    }
  }

  LogDisk& disk_;
  const std::vector<const Database*>& databases_;
  const std::set<std::string>& put_back_;                      // participants
  std::map<Gtrid, std::vector<const CommitRecord*>> commits_;  // one, and that of a person
  std::map<std::string, Gtrid> newest_;                        // by participant
  std::set<std::string> taken_back_;                           // participants, by a person
  std::map<Gtrid, std::uint64_t> ended_;                       // numbers of their ends
  std::map<Gtrid, std::uint64_t> decided_;                     // numbers of their decisions
  std::map<std::string, std::uint64_t> keys_;
  std::uint64_t number_ = 0;  // of the record that is taken
  std::vector<workload::Violation> found_;
};

}  // namespace

std::vector<workload::Violation> check_log(LogDisk& disk,
                                           const std::vector<const Database*>& databases,
                                           const std::set<std::string>& put_back) {
  return Judge(disk, databases, put_back).judge();
}

}  // namespace assent::sim
