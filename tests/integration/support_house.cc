#include "tests/integration/support_house.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

namespace assent::testing {
namespace {

using live::Schema;

constexpr const char* kThird = "miles";
constexpr const char* kCoordinator = "coordinator";

bool is_database(const std::string& part) {
  return part.starts_with("db-");
}

/// Of "agent-points" or "db-points".
std::string participant_of(const std::string& part) {
  return part.substr(part.find('-') + 1);
}

std::string balance_sql(Schema schema, std::int64_t card) {
  const std::string id = std::to_string(card);
  return schema == Schema::kCards ? "SELECT points FROM card WHERE id = " + id + ";"
                                  : "SELECT due FROM bill WHERE card_id = " + id + ";";
}

std::int64_t at_first(Schema schema) {
  return schema == Schema::kCards ? 100 : 1000;
}

Client connected(const std::string& coordinator) {
  auto client = Client::connect({.coordinator = coordinator, .application = "test"});
  if (!client) throw live::SandboxError(client.error().message);
  return std::move(*client);
}

}  // namespace

Setup postgres_and_postgres() {
  return {"PostgreSQL and PostgreSQL",
          live::points_and_payments(DatabaseKind::kPostgres, DatabaseKind::kPostgres)};
}

Setup postgres_and_mariadb() {
  return {"PostgreSQL and MariaDB",
          live::points_and_payments(DatabaseKind::kPostgres, DatabaseKind::kMariadb)};
}

Setup mariadb_and_mariadb() {
  return {"MariaDB and MariaDB",
          live::points_and_payments(DatabaseKind::kMariadb, DatabaseKind::kMariadb)};
}

Setup three_participants() {
  Setup setup = postgres_and_mariadb();
  setup.name = "three participants";
  setup.participants.push_back({kThird, DatabaseKind::kMariadb, Schema::kCards});
  return setup;
}

House::House(Setup setup, const Adjust& adjust)
    : setup_(std::move(setup)), sandbox_(spec(adjust)), client_([this] {
        sandbox_.create();
        sandbox_.start_all();
        return connected(sandbox_.coordinator_address());
      }()) {
  if (!wait_until_linked())
    throw live::SandboxError("the coordinator is not linked to every agent");
}

// Orderly, because a killed PostgreSQL leaves its shared memory behind.
House::~House() {
  try {
    sandbox_.stop_all();
  } catch (const live::SandboxError&) {
    for (const auto& name : sandbox_.names()) sandbox_.kill(name);
  }
  sandbox_.remove();
}

House& House::shared(const Setup& setup) {
  static std::map<std::string, std::unique_ptr<House>> houses;
  auto& house = houses[setup.name];
  if (!house) house = std::make_unique<House>(setup);
  return *house;
}

live::SandboxSpec House::spec(const Adjust& adjust) const {
  live::SandboxSpec spec;
  spec.directory = folder_.path() / "sandbox";
  spec.base_port = ports_.first();
  spec.participants = setup_.participants;
  if (adjust) adjust(spec);
  return spec;
}

Client House::connect() {
  return connected(sandbox_.coordinator_address());
}

std::string House::fresh_key() {
  return "key-" + std::to_string(++keys_used_);
}

workload::Payment House::payment(std::int64_t card, std::int64_t amount, std::string key) {
  workload::Payment payment;
  payment.key = key.empty() ? fresh_key() : std::move(key);
  payment.amount = amount;
  for (const auto& participant : setup_.participants) {
    const bool cards = participant.schema == Schema::kCards;
    payment.legs.push_back(
        {participant.name, cards ? workload::Balance::kPoints : workload::Balance::kDue, card});
  }
  return payment;
}

Submission House::submission(const workload::Payment& payment) {
  Submission submission;
  submission.key = payment.key;
  submission.steps = workload::steps_of(payment);
  return submission;
}

std::int64_t House::balance(const std::string& participant, std::int64_t card) {
  const auto found = std::find_if(setup_.participants.begin(), setup_.participants.end(),
                                  [&](const auto& each) { return each.name == participant; });
  return std::stoll(
      database(participant).query_value(participant, balance_sql(found->schema, card)));
}

std::int64_t House::paid(std::int64_t card) {
  std::vector<std::int64_t> lost;
  for (const auto& participant : setup_.participants)
    lost.push_back(at_first(participant.schema) - balance(participant.name, card));
  for (const auto each : lost) {
    if (each != lost.front())
      throw std::runtime_error("the participants disagree on card " + std::to_string(card));
  }
  return lost.front();
}

std::int64_t House::ledger_rows(const std::string& key) {
  std::int64_t rows = 0;
  for (const auto& participant : setup_.participants)
    rows +=
        std::stoll(database(participant.name)
                       .query_value(participant.name,
                                    "SELECT count(*) FROM ledger WHERE tx_key = '" + key + "';"));
  return rows;
}

bool House::knows_log_top(Client& client, const std::string& participant) {
  const auto status = client.status();
  if (!status) return false;
  live::DatabaseServer& server = database(participant);
  const bool postgres = server.kind() == DatabaseKind::kPostgres;
  const std::string told =
      server.query_value(participant, std::string("SELECT MAX(log_top) FROM ") +
                                          (postgres ? "assent.fence" : "assent_fence") + ";");
  return told != "NULL" && std::stoull(told) >= status->log.top;
}

bool House::becomes_quiet() {
  return workload::is_quiet(live::read_when_quiet(sandbox_, kPatience));
}

std::string House::left_behind() {
  std::string text;
  for (const auto& each : live::read_when_quiet(sandbox_, kPatience)) {
    for (const auto& branch : each.prepared)
      text += "prepared at " + each.participant + ": " + branch + "\n";
    for (const auto& row : each.locked) text += "locked at " + each.participant + ": " + row + "\n";
  }
  return text;
}

void House::kill(const std::string& name, live::KillScope scope) {
  if (is_database(name)) database(participant_of(name)).kill(scope);
  sandbox_.kill(name);
  const auto end = end_of(name);
  if (end && end->signal != SIGKILL) note_end(name);
}

void House::mend() {
  const bool linked = comes_true([this] {
    for (const auto& name : sandbox_.reap()) {
      note_end(name);
      sandbox_.start(name);
    }
    return live::is_linked(client_);
  });
  if (!linked)
    throw live::SandboxError("the coordinator does not find all of its agents again\n" +
                             ends_of_logs());
}

bool House::wait_until_linked() {
  return comes_true([this] { return live::is_linked(client_); });
}

void House::note_end(const std::string& name) {
  ended_by_itself_ +=
      name + " ended by itself, " + end_of(name)->describe() + "\n" + end_of_log(name);
}

std::optional<live::ProcessEnd> House::end_of(const std::string& name) {
  if (name == kCoordinator) return sandbox_.coordinator().end();
  return is_database(name) ? database(participant_of(name)).end()
                           : sandbox_.agent(participant_of(name)).end();
}

std::string House::end_of_log(const std::string& name) const {
  const auto file = sandbox_.spec().directory / "log" / (name + ".log");
  return "the end of " + file.string() + ":\n" + live::tail_of(file);
}

std::string House::ends_of_logs() {
  std::string text;
  for (const auto& name : sandbox_.names()) text += end_of_log(name);
  return text;
}

}  // namespace assent::testing
