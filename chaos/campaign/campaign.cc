#include "chaos/campaign/campaign.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "chaos/campaign/report.h"
#include "chaos/campaign/report_page.h"
#include "chaos/faults/faults.h"
#include "chaos/load/evidence.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/interrupt.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/private_folder.h"
#include "chaos/sandbox/programs.h"
#include "chaos/workload/log_evidence.h"
#include "chaos/workload/mix.h"
#include "chaos/workload/workloads.h"

namespace assent::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using workload::Violation;

constexpr std::uint16_t kPorts = 24;  // a sandbox uses base .. base + 20
constexpr seconds kWarmUp{2};         // not counted
constexpr seconds kHealthy{4};        // before the first fault, and after the last
constexpr seconds kHealedWithin{60};  // linked, decided, quiet: each

Instant now() {
  return read_clocks().steady;
}

std::vector<Participant> three_participants() {
  return {{"points", DatabaseKind::kPostgres, Schema::kCards},
          {"payments", DatabaseKind::kMariadb, Schema::kCards},
          {"vouchers", DatabaseKind::kPostgres, Schema::kCards}};
}

std::vector<std::string> names_of(const std::vector<Participant>& participants) {
  std::vector<std::string> names;
  for (const Participant& each : participants) names.push_back(each.name);
  return names;
}

void add(std::vector<Violation>& all, std::vector<Violation> more) {
  for (Violation& each : more) all.push_back(std::move(each));
}

CommandResult assentctl(const std::vector<std::string>& arguments) {
  ProcessSpec command;
  command.argv = {find_built("assentctl", "coordinator/tools").string()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return run_command(command, "", std::chrono::minutes(2));
}

class Run {
 public:
  explicit Run(const CampaignOptions& options)
      : faults_(make_faults(options.faults)),
        sandbox_(spec(faults_)),
        mix_(workload::make_workloads(names_of(three_participants())), options.seed) {
    campaign_.options = options;
    leave_out_what_is_missing();
  }

  // In good order, because a killed PostgreSQL leaves its shared memory behind.
  ~Run() {
    try {
      sandbox_.stop_all();
    } catch (const SandboxError&) {
      for (const auto& name : sandbox_.names()) sandbox_.kill(name);
    }
    faults_.clear();  // with what parts of the sandbox stood on
    sandbox_.remove();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Campaign run() {
    set_up();
    {
      Meter meter;
      Sampler sampler(sandbox_, meter);
      Payers payers(payers_spec(meter), [this] { return mix_.next(); });
      campaign_.began = now();
      grow_warm(sampler);
      inject(sampler);
      heal(sampler);
      payers.stop();
      history_ = payers.finish();
      ask_everything();
      sampler.stop();
      campaign_.ended = now();
      campaign_.samples = sampler.samples();
      campaign_.holds = sampler.holds();
    }
    look_while_it_lives();
    look_when_it_is_stopped();
    count();
    if (!campaign_.options.out.empty()) write_files();
    return std::move(campaign_);
  }

 private:
  SandboxSpec spec(const std::vector<std::unique_ptr<Fault>>& faults) const {
    SandboxSpec spec;
    spec.directory = folder_.path() / "sandbox";
    spec.base_port = ports_.first();
    spec.participants = three_participants();
    for (const auto& fault : faults) {
      if (!fault->missing()) fault->prepare(spec);
    }
    return spec;
  }

  void leave_out_what_is_missing() {
    for (const auto& fault : faults_) {
      if (const auto why = fault->missing()) campaign_.skipped.push_back({fault->name(), *why});
    }
    std::erase_if(faults_, [](const auto& fault) { return fault->missing().has_value(); });
  }

  PayersSpec payers_spec(Meter& meter) {
    PayersSpec spec;
    spec.coordinator = sandbox_.coordinator_address();
    spec.clients = campaign_.options.clients;
    spec.patience = milliseconds(300);  // then another: its participants may be well
    spec.vanish_every = 50;
    spec.ask_every = 20;
    spec.meter = &meter;
    return spec;
  }

  // ---- the steps

  void set_up() {
    sandbox_.create();
    check_interrupted();
    for (const auto& workload : mix_.workloads()) {
      for (const Participant& each : sandbox_.spec().participants)
        sandbox_.database(each.name).query(each.name, workload->setup_sql(each.name),
                                           Role::kApplication);
    }
    sandbox_.start_all();
    before_ = read_evidence(sandbox_, mix_.workloads());
    check_interrupted();
  }

  void pass(Duration time) {
    const Instant end = now() + time;
    while (now() < end) {
      check_interrupted();
      sleep_briefly();
    }
  }

  void grow_warm(Sampler& sampler) {
    pass(kWarmUp);
    const Instant from = now();
    pass(kHealthy);
    campaign_.first_fault = now();
    campaign_.before = sampler.health(from, campaign_.first_fault);
  }

  void inject(Sampler& sampler) {
    Injector injector(
        scene_, faults_,
        make_schedule(campaign_.options.seed, faults_.size(), campaign_.options.time));
    const Instant end = campaign_.first_fault + campaign_.options.time;
    while (now() < end) {
      check_interrupted();
      injector.turn(now() - campaign_.first_fault);
      tell_what_is_foreign(sampler);
      sleep_briefly();
    }
    injector.heal_all();
    campaign_.faults = injector.events();
    campaign_.violations = injector.crashes();
  }

  void tell_what_is_foreign(Sampler& sampler) {
    if (injected_.foreign.size() == foreign_told_) return;
    foreign_told_ = injected_.foreign.size();
    std::map<std::string, std::set<std::string>> foreign;
    for (const auto& branch : injected_.foreign) foreign[branch.participant].insert(branch.name);
    for (auto& [participant, names] : foreign) sampler.leave_out(participant, std::move(names));
  }

  void heal(Sampler& sampler) {
    if (!wait_until([this] { return is_well(); }, kHealedWithin))
      campaign_.violations.push_back({"L5", "the coordinator does not reach every participant"});
    campaign_.healed = now();
    // Who waits for what was lost on the way has to give up first.
    do {
      const Instant from = now();
      pass(kHealthy);
      campaign_.after = sampler.health(from, now());
    } while (!workload::is_back(campaign_.before, campaign_.after) &&
             now() - campaign_.healed < workload::kBackWithin);
    add(campaign_.violations, workload::check_health(campaign_.before, campaign_.after));
  }

  bool is_well() {
    check_interrupted();
    auto client = connect();
    return client && is_linked(*client);
  }

  std::optional<Client> connect() {
    auto client =
        Client::connect({.coordinator = sandbox_.coordinator_address(), .application = "chaos"});
    if (!client) return std::nullopt;
    return std::move(*client);
  }

  void ask_everything() {
    auto client = connect();
    if (!client) throw SandboxError("the coordinator is not to be reached after all was healed");
    resolve_open(history_, *client, kHealedWithin);
    ask_again(history_, *client);
    add(campaign_.violations, workload::check_finality(history_));
  }

  // Agents have their time to free what is left; then it is looked at as it stands.
  void look_while_it_lives() {
    std::vector<Violation> left;
    wait_until(
        [&] {
          check_interrupted();
          left = workload::check_left_behind(read_evidence(sandbox_, mix_.workloads()).front(),
                                             injected_.foreign);
          return left.empty();
        },
        kHealedWithin);
    add(campaign_.violations, std::move(left));
    for (const std::string& part : sandbox_.reap())
      campaign_.violations.push_back({"alive", part + " ended by itself"});
  }

  // F 9: a branch that answered OK and was not committed is prepared again after a restart of its
  // database, and nobody is there now to free it.
  void look_when_it_is_stopped() {
    for (const std::string& part : sandbox_.names()) sandbox_.stop(part);
    read_log();
    sandbox_.start_databases();
    const auto after = read_evidence(sandbox_, mix_.workloads());
    for (const Participant& each : sandbox_.spec().participants) {
      for (auto& row : read_witnesses(sandbox_, each)) log_.witnesses.push_back(std::move(row));
    }
    const workload::Damaged damaged = workload::damaged_by_hand(log_, injected_);
    campaign_.damaged = damaged.size();
    workload::Evidence all;
    for (const auto& each : after) all.insert(all.end(), each.begin(), each.end());
    auto& found = campaign_.violations;
    add(found, workload::check(mix_.workloads(), before_, history_, after, damaged));
    add(found, workload::check_left_behind(after.front(), injected_.foreign));
    add(found, workload::check_log(log_, history_, all, damaged));
    add(found, workload::check_injected(log_, injected_, after.front()));
  }

  void read_log() {
    const std::string folder = (sandbox_.spec().directory / "coordinator").string();
    const CommandResult verified = assentctl({"log", "verify", folder});
    if (!verified.end.succeeded())
      log_.wrong.push_back(verified.standard_output + verified.standard_error);
    const CommandResult dumped = assentctl({"log", "dump", folder});
    if (!dumped.end.succeeded()) throw SandboxError("assentctl log dump: " + dumped.standard_error);
    log_text_ = dumped.standard_output;
    std::istringstream lines(log_text_);
    for (std::string line; std::getline(lines, line);) {
      if (auto record = workload::parse_log_line(line)) {
        log_.records.push_back(std::move(*record));
      } else {
        log_.wrong.push_back(line);
      }
    }
  }

  void count() {
    campaign_.asked = history_.entries().size();
    for (const auto& [key, entry] : history_.entries()) campaign_.tellings += entry.tellings.size();
    campaign_.committed = history_.count(workload::Verdict::kCommitted);
    campaign_.no_effect = history_.count(workload::Verdict::kNoEffect);
    campaign_.log_records = log_.records.size();
  }

  void write_files() {
    const auto& out = campaign_.options.out;
    std::filesystem::create_directories(out);
    std::ofstream history(out / "history.jsonl");
    history_.write(history);
    std::ofstream(out / "log.txt") << log_text_;
    const std::string report = to_json(campaign_);
    std::ofstream(out / "report.json") << report << "\n";
    std::ofstream(out / "report.html") << to_page(report);
    if (campaign_.has_passed()) return;
    // What happened is in the words of the processes, too.
    std::filesystem::copy(sandbox_.spec().directory / "log", out / "log",
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  }

  PrivateFolder folder_{"assent-chaos"};
  PortLease ports_{kPorts};
  std::vector<std::unique_ptr<Fault>> faults_;
  Sandbox sandbox_;
  workload::Mix mix_;
  workload::Injected injected_;
  Scene scene_{sandbox_, injected_};
  std::size_t foreign_told_ = 0;
  Campaign campaign_;
  std::vector<workload::Evidence> before_;
  workload::History history_;
  workload::LogEvidence log_;
  std::string log_text_;
};

}  // namespace

Campaign run_campaign(const CampaignOptions& options) {
  return Run(options).run();
}

}  // namespace assent::live
