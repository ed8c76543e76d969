#include "chaos/campaign/sandbox_house.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_site.h"
#include "chaos/load/use.h"
#include "chaos/sandbox/interrupt.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/private_folder.h"
#include "chaos/sandbox/programs.h"
#include "chaos/workload/workloads.h"
#include "protocol/base/xid.h"

namespace assent::live {
namespace {

constexpr std::uint16_t kPorts = 24;  // a sandbox uses base .. base + 20

std::vector<Participant> three_participants() {
  return {{"points", DatabaseKind::kPostgres, Schema::kCards},
          {"payments", DatabaseKind::kMariadb, Schema::kCards},
          {"vouchers", DatabaseKind::kPostgres, Schema::kCards}};
}

CommandResult assentctl(const std::vector<std::string>& arguments) {
  ProcessSpec command;
  command.argv = {find_built("assentctl", "coordinator/tools").string()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return run_command(command, "", std::chrono::minutes(2));
}

// Of the steady clock.
Instant instant(std::chrono::nanoseconds since_start) {
  return {std::chrono::duration_cast<Duration>(since_start)};
}

class SandboxHouse : public House {
 public:
  explicit SandboxHouse(const std::vector<std::string>& faults)
      : faults_(make_faults(faults)), sandbox_(make_spec()), site_(sandbox_) {
    for (const auto& fault : faults_) {
      if (const auto why = fault->missing()) skipped_.push_back({fault->name(), *why});
      fault->enter(sandbox_);
    }
    std::erase_if(faults_, [](const auto& fault) { return fault->missing().has_value(); });
  }

  // In good order, because a killed PostgreSQL leaves its shared memory behind.
  ~SandboxHouse() override {
    try {
      sandbox_.stop_all();
    } catch (const SandboxError&) {
      for (const auto& name : sandbox_.names()) sandbox_.kill(name);
    }
    faults_.clear();  // with what parts of the sandbox stood on
    sandbox_.remove();
  }

  std::vector<Server> servers() const override { return site_.servers(); }
  Proxy& proxy() override { return site_.proxy(); }
  std::vector<std::string> parts() const override { return site_.parts(); }
  bool is_running(const std::string& part) override { return site_.is_running(part); }
  void launch(const std::string& part) override { site_.launch(part); }
  std::vector<std::string> reap() override { return site_.reap(); }

  std::string coordinator_address() const override { return sandbox_.coordinator_address(); }
  const std::vector<std::unique_ptr<Fault>>& faults() const override { return faults_; }
  const std::vector<Skipped>& skipped() const override { return skipped_; }

  Workloads workloads() const override { return workload::make_workloads(participants()); }

  void set_up(const Workloads& workloads) override {
    sandbox_.create();
    check_interrupted();
    for (const auto& workload : workloads) {
      for (const std::string& name : participants()) {
        for (const std::string& statement : workload->setup_sql(name))
          sandbox_.database(name).query(name, statement + ";", Role::kApplication);
      }
    }
    sandbox_.start_all();
  }

  std::vector<Looked> look() override { return look_at(sandbox_); }

  std::map<std::string, workload::Use> use() const override {
    std::map<std::string, workload::Use> all;
    for (const std::string& part : sandbox_.names()) {
      if (part.starts_with("db-")) continue;
      std::ifstream file(sandbox_.spec().directory / "pids" / (part + ".pid"));
      pid_t pid = 0;
      if (!(file >> pid)) continue;
      if (const auto use = use_of(pid)) all[part] = *use;
    }
    return all;
  }

  // F 9: a branch that answered OK and was not committed is prepared again after a restart of its
  // database, and nobody is there now to free it.
  Books close_books(const Workloads& workloads) override {
    for (const std::string& part : sandbox_.names()) sandbox_.stop(part);
    Books books = read_log();
    note_timing(books);
    sandbox_.start_databases();
    const std::vector<Looked> all = look();
    books.evidence = read_evidence(all, workloads);
    for (const Looked& each : all) {
      for (auto& row : read_witnesses(each)) books.log->witnesses.push_back(std::move(row));
    }
    return books;
  }

  void keep_logs(const std::filesystem::path& folder) const override {
    std::filesystem::copy(sandbox_.spec().directory / "log", folder,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  }

 private:
  std::vector<std::string> participants() const {
    std::vector<std::string> names;
    for (const Participant& each : sandbox_.spec().participants) names.push_back(each.name);
    return names;
  }

  SandboxSpec make_spec() const {
    SandboxSpec spec;
    spec.directory = folder_.path() / "sandbox";
    spec.base_port = ports_.first();
    spec.participants = three_participants();
    spec.proxy_seed = 1;
    spec.changes_host = true;  // which notes the syncs
    for (const auto& fault : faults_) {
      if (!fault->missing()) fault->prepare(spec);
    }
    return spec;
  }

  Books read_log() const {
    Books books;
    workload::LogEvidence& log = books.log.emplace();
    const std::string folder = (sandbox_.spec().directory / "coordinator").string();
    const CommandResult verified = assentctl({"log", "verify", folder});
    if (!verified.end.succeeded())
      log.wrong.push_back(verified.standard_output + verified.standard_error);
    const CommandResult dumped = assentctl({"log", "dump", folder});
    if (!dumped.end.succeeded()) throw SandboxError("assentctl log dump: " + dumped.standard_error);
    books.log_text = dumped.standard_output;
    std::istringstream lines(books.log_text);
    for (std::string line; std::getline(lines, line);) {
      if (auto record = workload::parse_log_line(line)) {
        log.records.push_back(std::move(*record));
      } else {
        log.wrong.push_back(line);
      }
    }
    return books;
  }

  void note_timing(Books& books) {
    for (const SyncOfLog& sync : sandbox_.host().syncs_of_logs())
      books.syncs.push_back({instant(std::chrono::nanoseconds(sync.began_ns)),
                             instant(std::chrono::nanoseconds(sync.ended_ns))});
    for (const auto& [gtrid, decided] : sandbox_.proxy().decided())
      books.commits.push_back({to_string(gtrid), instant(decided.voted.time_since_epoch()),
                               instant(decided.commit.time_since_epoch())});
  }

  PrivateFolder folder_{"assent-chaos"};
  PortLease ports_{kPorts};
  std::vector<std::unique_ptr<Fault>> faults_;
  Sandbox sandbox_;
  SandboxSite site_;
  std::vector<Skipped> skipped_;
};

}  // namespace

std::unique_ptr<House> make_sandbox_house(const std::vector<std::string>& faults) {
  return std::make_unique<SandboxHouse>(faults);
}

}  // namespace assent::live
