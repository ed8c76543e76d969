#include "chaos/campaign/campaign.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "chaos/campaign/deployment.h"
#include "chaos/campaign/report.h"
#include "chaos/campaign/report_page.h"
#include "chaos/campaign/sandbox_house.h"
#include "chaos/faults/person.h"
#include "chaos/load/evidence.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/interrupt.h"
#include "chaos/workload/mix.h"

namespace assent::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using workload::Violation;

constexpr seconds kWarmUp{2};         // not counted
constexpr seconds kHealthy{4};        // before the first fault, and after the last
constexpr seconds kRound{2};          // of a person who looks after what was done by hand
constexpr seconds kRoundWaits{1};     // for an answer: faults have to end in time
constexpr seconds kHealedWithin{60};  // linked, decided, quiet: each

Instant now() {
  return read_clocks().steady;
}

void add(std::vector<Violation>& all, std::vector<Violation> more) {
  for (Violation& each : more) all.push_back(std::move(each));
}

std::unique_ptr<House> make_house(const CampaignOptions& options) {
  return options.config.empty() ? make_sandbox_house(options.faults)
                                : make_deployment(options.config, options.faults);
}

class Run {
 public:
  explicit Run(const CampaignOptions& options)
      : house_(make_house(options)), mix_(house_->workloads(), options.seed) {
    campaign_.options = options;
    campaign_.skipped = house_->skipped();
  }

  Campaign run() {
    house_->set_up(mix_.workloads());
    looked_ = house_->look();
    before_ = read_evidence(looked_, mix_.workloads());
    note_what_is_there();
    check_interrupted();
    {
      Meter meter;
      Sampler sampler(*house_, meter);
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
    close_books();
    count();
    if (!campaign_.options.out.empty()) write_files();
    if (campaign_.has_passed()) house_->clear_away(mix_.workloads());
    return std::move(campaign_);
  }

 private:
  PayersSpec payers_spec(Meter& meter) {
    PayersSpec spec;
    spec.coordinator = house_->coordinator_address();
    spec.clients = campaign_.options.clients;
    spec.patience = milliseconds(300);  // then another: its participants may be well
    spec.vanish_every = 50;
    spec.ask_every = 20;
    spec.meter = &meter;
    return spec;
  }

  // ---- the steps

  // Prepared branches that others have left: they may stay.
  void note_what_is_there() {
    for (const auto& each : before_.front()) {
      for (const std::string& branch : each.prepared)
        injected_.foreign.push_back({each.participant, branch});
    }
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
        scene_, house_->faults(),
        make_schedule(campaign_.options.seed, house_->faults().size(), campaign_.options.time));
    const Instant end = campaign_.first_fault + campaign_.options.time;
    try {
      while (now() < end) {
        check_interrupted();
        injector.turn(now() - campaign_.first_fault);
        tell_what_is_foreign(sampler);
        if (now() >= next_round_) take_back_by_hand();
        sleep_briefly();
      }
    } catch (...) {  // on its way: no deployment stays as faults have left it
      injector.heal_all();
      throw;
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
    const auto heals = [this] {
      take_back_by_hand();
      return is_well();
    };
    if (!wait_until(heals, kHealedWithin))
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

  // Whoever rolls a branch back by hand has its database looked at once more if something makes the
  // coordinator go through its log before the fence row is told of the damage.
  void take_back_by_hand() {
    next_round_ = now() + kRound;
    if (injected_.rolled_back.empty()) return;
    auto person = Person::at(house_->coordinator_address(), kRoundWaits);
    if (!person) return;
    for (const workload::HandMade& hand : injected_.rolled_back) {
      if (!is_put_back(hand.participant) && person->finds_quarantined(hand.participant))
        person->allow(Allowance::kHistory, "a branch was rolled back by hand", hand.participant);
    }
  }

  // Its copy stands in its place now, and is to be noticed.
  bool is_put_back(const std::string& participant) const {
    const auto& all = injected_.put_back;
    return std::any_of(all.begin(), all.end(), [&](const workload::PutBack& each) {
      return each.of == participant && !each.noticed;
    });
  }

  bool is_well() {
    check_interrupted();
    auto client = connect();
    return client && is_linked(*client);
  }

  std::optional<Client> connect() {
    auto client =
        Client::connect({.coordinator = house_->coordinator_address(), .application = "chaos"});
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
          left = workload::check_left_behind(read_evidence(looked_, mix_.workloads()).front(),
                                             injected_.foreign);
          return left.empty();
        },
        kHealedWithin);
    add(campaign_.violations, std::move(left));
    for (const std::string& part : house_->reap())
      campaign_.violations.push_back({"alive", part + " ended by itself"});
  }

  void close_books() {
    const House::Books books = house_->close_books(mix_.workloads());
    log_text_ = books.log_text;
    campaign_.log_was_read = books.log.has_value();
    const workload::LogEvidence log = books.log.value_or(workload::LogEvidence{});
    const workload::Damaged damaged = workload::damaged_by_hand(log, injected_);
    campaign_.log_records = log.records.size();
    campaign_.damaged = damaged.size();
    workload::Evidence all;
    for (const auto& each : books.evidence) all.insert(all.end(), each.begin(), each.end());
    auto& found = campaign_.violations;
    add(found, workload::check(mix_.workloads(), before_, history_, books.evidence, damaged));
    add(found, workload::check_left_behind(books.evidence.front(), injected_.foreign));
    add(found, workload::check_injected(log, injected_, books.evidence.front()));
    if (!campaign_.log_was_read) return;
    add(found, workload::check_log(log, history_, all, damaged));
    add(found, workload::check_durability(books.syncs, books.commits));
  }

  void count() {
    campaign_.asked = history_.entries().size();
    for (const auto& [key, entry] : history_.entries()) campaign_.tellings += entry.tellings.size();
    campaign_.committed = history_.count(workload::Verdict::kCommitted);
    campaign_.no_effect = history_.count(workload::Verdict::kNoEffect);
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
    house_->keep_logs(out / "log");
  }

  std::unique_ptr<House> house_;
  workload::Mix mix_;
  workload::Injected injected_;
  Scene scene_{*house_, injected_};
  std::size_t foreign_told_ = 0;
  Instant next_round_{};
  Campaign campaign_;
  std::vector<Looked> looked_;
  std::vector<workload::Evidence> before_;
  workload::History history_;
  std::string log_text_;
};

}  // namespace

Campaign run_campaign(const CampaignOptions& options) {
  return Run(options).run();
}

}  // namespace assent::live
