#include "chaos/live/evidence.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace assent::live {
namespace {

struct Columns {
  const char* table;
  const char* id;
  const char* balance;
};

Columns columns_of(Schema schema) {
  return schema == Schema::kCards ? Columns{"card", "id", "points"}
                                  : Columns{"bill", "card_id", "due"};
}

class Reader {
 public:
  Reader(Sandbox& sandbox, const Participant& participant)
      : database_(sandbox.database(participant.name)), participant_(participant) {}

  workload::ParticipantEvidence read() {
    workload::ParticipantEvidence evidence;
    evidence.participant = participant_.name;
    const Columns columns = columns_of(participant_.schema);
    for (const Row& row : query(std::string("SELECT ") + columns.id + ", " + columns.balance +
                                " FROM " + columns.table))
      evidence.balances[std::stoll(row.at(0))] = std::stoll(row.at(1));
    for (const Row& row : query("SELECT tx_key, card_id, amount FROM ledger"))
      evidence.ledger.push_back({row.at(0), std::stoll(row.at(1)), std::stoll(row.at(2))});
    add_locked(columns.table, columns.id, evidence.locked);
    add_locked("ledger", "id", evidence.locked);
    return evidence;
  }

 private:
  std::vector<Row> query(const std::string& sql) {
    return database_.query(participant_.name, sql + ";");
  }

  std::set<std::string> ids(const std::string& sql) {
    std::set<std::string> ids;
    for (const Row& row : query(sql)) ids.insert(row.at(0));
    return ids;
  }

  void add_locked(const std::string& table, const std::string& id,
                  std::vector<std::string>& locked) {
    const std::string select = "SELECT " + id + " FROM " + table;
    const auto all = ids(select);
    const auto free = ids(select + " FOR UPDATE SKIP LOCKED");
    std::vector<std::string> held;
    std::set_difference(all.begin(), all.end(), free.begin(), free.end(), std::back_inserter(held));
    for (const std::string& each : held) locked.push_back(table + " " + each);
  }

  DatabaseServer& database_;
  const Participant& participant_;
};

}  // namespace

std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant) {
  const bool postgres = participant.kind == DatabaseKind::kPostgres;
  std::vector<std::string> branches;
  for (const Row& row : sandbox.database(participant.name)
                            .query(participant.name, postgres ? "SELECT gid FROM pg_prepared_xacts;"
                                                              : "XA RECOVER FORMAT='SQL';"))
    branches.push_back(row.back());
  return branches;
}

workload::Evidence read_evidence(Sandbox& sandbox) {
  workload::Evidence evidence;
  for (const Participant& participant : sandbox.spec().participants) {
    evidence.push_back(Reader(sandbox, participant).read());
    evidence.back().prepared = prepared_branches(sandbox, participant);
  }
  return evidence;
}

workload::Evidence read_when_quiet(Sandbox& sandbox, std::chrono::milliseconds patience) {
  workload::Evidence evidence;
  wait_until(
      [&] {
        evidence = read_evidence(sandbox);
        return workload::is_quiet(evidence);
      },
      patience);
  return evidence;
}

}  // namespace assent::live
