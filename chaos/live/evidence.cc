#include "chaos/live/evidence.h"

#include <set>
#include <string>
#include <utility>
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

const char* branches_sql(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "SELECT gid FROM pg_prepared_xacts"
                                         : "XA RECOVER FORMAT='SQL'";
}

using Rows = std::vector<Row>;

// The rows of each question, in one conversation: a client that starts costs more than its answers.
std::vector<Rows> ask(DatabaseServer& database, const std::string& name,
                      const std::vector<std::string>& questions) {
  const Row end{"end of answer"};
  std::string sql;
  for (const auto& question : questions) sql += question + "; SELECT '" + end.front() + "';\n";
  std::vector<Rows> answers(1);
  for (Row& row : database.query(name, sql)) {
    if (row == end) {
      answers.emplace_back();
    } else {
      answers.back().push_back(std::move(row));
    }
  }
  return answers;
}

std::vector<std::string> branches_in(const Rows& rows) {
  std::vector<std::string> branches;
  for (const Row& row : rows) branches.push_back(row.back());
  return branches;
}

// Both have the id in front.
void add_locked(const std::string& table, const Rows& all, const Rows& free,
                std::vector<std::string>& locked) {
  std::set<std::string> held;
  for (const Row& row : all) held.insert(row.front());
  for (const Row& row : free) held.erase(row.front());
  for (const std::string& id : held) locked.push_back(table + " " + id);
}

workload::ParticipantEvidence read_participant(Sandbox& sandbox, const Participant& participant) {
  const auto [table, id, balance] = columns_of(participant.schema);
  const std::string ids = std::string("SELECT ") + id;
  const std::string from = std::string(" FROM ") + table;
  const std::string if_free = " FOR UPDATE SKIP LOCKED";
  // What is held comes first: when that is nothing, the rows read after it stay as they are.
  const auto answers = ask(sandbox.database(participant.name), participant.name,
                           {branches_sql(participant.kind),     //
                            ids + from + if_free,               //
                            "SELECT id FROM ledger" + if_free,  //
                            ids + ", " + balance + from,        //
                            "SELECT id, tx_key, card_id, amount FROM ledger"});
  const Rows& balances = answers.at(3);
  const Rows& ledger = answers.at(4);
  workload::ParticipantEvidence evidence;
  evidence.participant = participant.name;
  evidence.prepared = branches_in(answers.at(0));
  add_locked(table, balances, answers.at(1), evidence.locked);
  add_locked("ledger", ledger, answers.at(2), evidence.locked);
  for (const Row& row : balances) evidence.balances[std::stoll(row.at(0))] = std::stoll(row.at(1));
  for (const Row& row : ledger)
    evidence.ledger.push_back({row.at(1), std::stoll(row.at(2)), std::stoll(row.at(3))});
  return evidence;
}

}  // namespace

std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant) {
  DatabaseServer& database = sandbox.database(participant.name);
  return branches_in(
      database.query(participant.name, std::string(branches_sql(participant.kind)) + ";"));
}

workload::Evidence read_evidence(Sandbox& sandbox) {
  workload::Evidence evidence;
  for (const Participant& participant : sandbox.spec().participants)
    evidence.push_back(read_participant(sandbox, participant));
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
