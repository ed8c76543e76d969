#include "chaos/load/evidence.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/xid.h"

namespace assent::live {
namespace {

workload::Table table_of(Schema schema) {
  return schema == Schema::kCards ? workload::Table{"card", "id", "points"}
                                  : workload::Table{"bill", "card_id", "due"};
}

const char* branches_sql(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "SELECT gid FROM pg_prepared_xacts"
                                         : "XA RECOVER FORMAT='SQL'";
}

using Rows = DatabaseView::Rows;

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

// For each table its rows, and with the first of them what is common to all.
std::vector<workload::ParticipantEvidence> read_participant(
    const Looked& looked, const std::vector<workload::Table>& tables) {
  const std::string if_free = " FOR UPDATE SKIP LOCKED";
  // What is held comes first: when that is nothing, the rows read after it stay as they are.
  std::vector<std::string> questions{branches_sql(looked.database->kind()),
                                     "SELECT id FROM ledger" + if_free};
  for (const auto& table : tables)
    questions.push_back("SELECT " + table.id + " FROM " + table.name + if_free);
  questions.emplace_back("SELECT id, tx_key, card_id, amount FROM ledger");
  for (const auto& table : tables)
    questions.push_back("SELECT " + table.id + ", " + table.value + " FROM " + table.name);
  const auto answers = looked.database->ask(questions);
  const Rows& ledger = answers.at(2 + tables.size());
  std::vector<workload::ParticipantEvidence> all(tables.size());
  auto& first = all.front();
  first.prepared = branches_in(answers.at(0));
  add_locked("ledger", ledger, answers.at(1), first.locked);
  for (const Row& row : ledger)
    first.ledger.push_back({row.at(1), std::stoll(row.at(2)), std::stoll(row.at(3))});
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const Rows& values = answers.at(3 + tables.size() + i);
    add_locked(tables[i].name, values, answers.at(2 + i), first.locked);
    for (const Row& row : values) all[i].balances[std::stoll(row.at(0))] = std::stoll(row.at(1));
    all[i].participant = looked.participant;
  }
  return all;
}

// Gives each workload its rows, by the beginnings of their keys.
void deal(const Workloads& workloads, std::vector<workload::ParticipantEvidence>& all) {
  for (workload::LedgerRow& row : std::exchange(all.front().ledger, {})) {
    const auto is_its = [&](const auto& each) { return row.key.starts_with(each->name() + "-"); };
    const auto whose = std::find_if(workloads.begin(), workloads.end(), is_its);
    auto& at = whose == workloads.end() ? all.front()
                                        : all[static_cast<std::size_t>(whose - workloads.begin())];
    at.ledger.push_back(std::move(row));
  }
}

}  // namespace

std::vector<Looked> look_at(Sandbox& sandbox) {
  std::vector<Looked> all;
  for (const Participant& each : sandbox.spec().participants)
    all.push_back(
        {each.name, std::make_unique<ServerView>(sandbox.database(each.name), each.name)});
  return all;
}

std::vector<std::string> prepared_branches(DatabaseView& database) {
  return branches_in(database.ask({branches_sql(database.kind())}).front());
}

std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant) {
  ServerView database(sandbox.database(participant.name), participant.name);
  return prepared_branches(database);
}

// As docs/DATABASE_FORMAT.md has them.
std::vector<workload::WitnessRow> read_witnesses(const Looked& looked) {
  if (looked.database->kind() != DatabaseKind::kMariadb) return {};
  std::vector<workload::WitnessRow> witnesses;
  const auto answers = looked.database->ask({"SELECT log_id, epoch, sequence FROM assent_witness"});
  for (const Row& row : answers.front()) {
    const Gtrid gtrid{LogId{std::stoull(row.at(0))},
                      Epoch{static_cast<std::uint32_t>(std::stoul(row.at(1)))},
                      Sequence{std::stoull(row.at(2))}};
    witnesses.push_back({looked.participant, to_string(gtrid)});
  }
  return witnesses;
}

std::vector<workload::Evidence> read_evidence(const std::vector<Looked>& all,
                                              const Workloads& workloads) {
  std::vector<workload::Table> tables;
  for (const auto& each : workloads) tables.push_back(each->table());
  std::vector<workload::Evidence> evidence(workloads.size());
  for (const Looked& looked : all) {
    auto read = read_participant(looked, tables);
    deal(workloads, read);
    for (std::size_t i = 0; i < read.size(); ++i) evidence[i].push_back(std::move(read[i]));
  }
  return evidence;
}

workload::Evidence read_evidence(Sandbox& sandbox) {
  workload::Evidence evidence;
  const auto& participants = sandbox.spec().participants;
  const std::vector<Looked> all = look_at(sandbox);
  for (std::size_t i = 0; i < all.size(); ++i)
    evidence.push_back(read_participant(all[i], {table_of(participants[i].schema)}).front());
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
