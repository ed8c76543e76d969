#include "chaos/campaign/deployment.h"

#include <algorithm>
#include <utility>

#include "chaos/campaign/deployment_config.h"
#include "chaos/campaign/fault_command.h"
#include "chaos/campaign/odbc_view.h"
#include "chaos/faults/faults.h"
#include "chaos/sandbox/schema.h"
#include "chaos/workload/workloads.h"
#include "protocol/base/time.h"

namespace assent::live {
namespace {

constexpr const char* kCoordinator = "coordinator";
constexpr const char* kLedger = "ledger";

// Keys of other runs are remembered there.
std::string name_of_this_run() {
  return std::to_string(read_clocks().wall.ms_since_epoch);
}

std::vector<std::string> tables_of(const Workloads& workloads) {
  std::vector<std::string> tables{kLedger};
  for (const auto& each : workloads) tables.push_back(each->table().name);
  return tables;
}

std::string find_tables_sql(DatabaseKind kind, const std::vector<std::string>& tables) {
  std::string names;
  for (const std::string& table : tables) names += (names.empty() ? "'" : ", '") + table + "'";
  return std::string("SELECT table_name FROM information_schema.tables WHERE table_schema = ") +
         (kind == DatabaseKind::kPostgres ? "current_schema()" : "DATABASE()") +
         " AND table_name IN (" + names + ")";
}

class Deployment : public House {
 public:
  Deployment(DeploymentConfig config, const std::vector<std::string>& faults)
      : config_(std::move(config)), faults_(make_permitted()) {
    clients_call_ =
        proxy_.add(kCoordinator, Carries::kClientFrames, config_.coordinator_port).port();
    if (!faults.empty()) faults_ = choose_faults(std::move(faults_), faults);
    for (const auto& fault : faults_) {
      if (const auto why = fault->missing()) skipped_.push_back({fault->name(), *why});
    }
    std::erase_if(faults_, [](const auto& fault) { return fault->missing().has_value(); });
  }

  std::vector<Server> servers() const override {
    std::vector<Server> servers{{kCoordinator, config_.coordinator_port}};
    for (const auto& each : config_.participants) {
      if (each.agent_port) servers.push_back({"agent-" + each.name, *each.agent_port});
    }
    return servers;
  }
  Proxy& proxy() override { return proxy_; }

  std::string coordinator_address() const override {
    return "127.0.0.1:" + std::to_string(clients_call_);
  }
  const std::vector<std::unique_ptr<Fault>>& faults() const override { return faults_; }
  const std::vector<Skipped>& skipped() const override { return skipped_; }

  Workloads workloads() const override {
    std::vector<std::string> names;
    for (const auto& each : config_.participants) names.push_back(each.name);
    Workloads all = workload::make_workloads(names, name_of_this_run());
    std::erase_if(all, [&](const auto& each) { return each->setup_sql(names.front()).empty(); });
    return all;
  }

  // All or nothing, but for a database that fails in the midst of it.
  void set_up(const Workloads& workloads) override {
    const std::vector<Looked> all = look();
    for (const Looked& each : all) refuse_if_there(each, tables_of(workloads));
    for (const Looked& each : all) {
      std::vector<std::string> statements{ledger_sql(each.database->kind())};
      for (const auto& workload : workloads) {
        for (std::string& statement : workload->setup_sql(each.participant))
          statements.push_back(std::move(statement));
      }
      each.database->ask(statements);
    }
  }

  std::vector<Looked> look() override {
    std::vector<Looked> all;
    for (const auto& each : config_.participants)
      all.push_back({each.name, std::make_unique<OdbcView>(each.name, each.kind, each.connection)});
    return all;
  }

  Books close_books(const Workloads& workloads) override {
    return {read_evidence(look(), workloads), std::nullopt, ""};
  }

  void clear_away(const Workloads& workloads) override {
    for (const Looked& each : look()) {
      for (const std::string& table : tables_of(workloads))
        each.database->ask({"DROP TABLE " + table});
    }
  }

 private:
  std::vector<std::unique_ptr<Fault>> make_permitted() const {
    std::vector<std::unique_ptr<Fault>> all;
    if (!config_.faults.empty()) all = choose_faults(make_faults_for_any_site(), config_.faults);
    for (auto& each : make_command_faults(config_.commands)) all.push_back(std::move(each));
    return all;
  }

  static void refuse_if_there(const Looked& looked, const std::vector<std::string>& tables) {
    const auto found = looked.database->ask({find_tables_sql(looked.database->kind(), tables)});
    if (found.front().empty()) return;
    throw SandboxError("the database of " + looked.participant + " has a table '" +
                       found.front().front().front() +
                       "' already: if an earlier run has left it, drop account, node and ledger "
                       "there; otherwise give the run a database of its own");
  }

  const DeploymentConfig config_;
  std::vector<std::unique_ptr<Fault>> faults_;
  std::vector<Skipped> skipped_;
  Proxy proxy_{1};
  std::uint16_t clients_call_ = 0;
};

}  // namespace

std::unique_ptr<House> make_deployment(const std::filesystem::path& config,
                                       const std::vector<std::string>& faults) {
  return std::make_unique<Deployment>(read_deployment_config(config), faults);
}

}  // namespace assent::live
