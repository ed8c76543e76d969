#include "chaos/sim/log_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "protocol/base/check.h"

namespace assent::sim {
namespace {

using namespace coordinator;

class Judge {
 public:
  Judge(const LogDisk& disk, const std::vector<const Database*>& databases)
      : disk_(disk), databases_(databases) {}

  std::vector<workload::Violation> judge() {
    for (const StoredRecord& record : disk_.lost)
      std::visit([this](const auto& payload) { take(payload); }, record.payload);
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
      std::visit([this](const auto& payload) { take(payload); }, record.payload);
    }
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

  void take(const CommitRecord& commit) {
    commits_[commit.gtrid].push_back(&commit);
    for (const DecidedBranch& branch : commit.branches) newest_[branch.xid.bqual] = commit.gtrid;
    take_decision(commit.gtrid, commit.key);
  }
  void take(const RollbackRecord& rollback) { take_decision(rollback.gtrid, rollback.key); }
  void take(const EndRecord& end) { ended_.insert(end.gtrid); }
  void take(const HeuristicRecord& record) {
    if (!disk_.lost.empty()) return;  // which is cause enough
    violated("I12", to_string(record.xid) + " is recorded as " +
                        std::string(to_string(record.heuristic)) + ": " + record.detail);
  }
  template <typename Payload>
  void take(const Payload& /*payload*/) {}

  void take_decision(const Gtrid& gtrid, const std::string& key) {
    if (gtrid.sequence != Sequence{0} && !decided_.insert(gtrid).second)
      violated("I7", "two decisions stand in the log for " + to_string(gtrid));
    if (!key.empty() && !keys_.insert(key).second)
      violated("I7", "two decisions stand in the log for key " + key);
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
      if (!branch.proof.witness_row || database.has_witness(branch.xid)) continue;
      if (!ended_.contains(commit.gtrid))
        violated("I7", name + " has lost its witness row, and its end is not in the log");
      if (newest_.at(branch.xid.bqual) == commit.gtrid && disk_.lost.empty())
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

  const LogDisk& disk_;
  const std::vector<const Database*>& databases_;
  std::map<Gtrid, std::vector<const CommitRecord*>> commits_;  // one, and that of a person
  std::map<std::string, Gtrid> newest_;                        // by participant
  std::set<Gtrid> ended_;
  std::set<Gtrid> decided_;
  std::set<std::string> keys_;
  std::vector<workload::Violation> found_;
};

}  // namespace

std::vector<workload::Violation> check_log(const LogDisk& disk,
                                           const std::vector<const Database*>& databases) {
  return Judge(disk, databases).judge();
}

}  // namespace assent::sim
