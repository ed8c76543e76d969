#include "chaos/demo/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "chaos/demo/killing.h"
#include "chaos/demo/screen.h"
#include "chaos/load/evidence.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/interrupt.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/private_folder.h"
#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/checker.h"
#include "chaos/workload/payment.h"
#include "coordinator/client/client.h"

namespace assent::live {
namespace {

constexpr std::uint16_t kPorts = 24;  // a sandbox uses base .. base + 20
constexpr std::int64_t kStoryCard = 1;
constexpr std::int64_t kStoryPayments = 3;  // besides those of the payers
constexpr std::int64_t kCards = 400;        // few enough that some of them run out of points
constexpr std::int64_t kAmountMax = 30;
constexpr std::chrono::seconds kPatience{60};  // until everything is decided, and then quiet
constexpr std::size_t kViolationsShown = 20;

std::string describe(DatabaseKind kind) {
  return kind == DatabaseKind::kPostgres ? "PostgreSQL" : "MariaDB";
}

class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options), sandbox_(spec()) {}

  // Orderly, because a killed PostgreSQL leaves its shared memory behind.
  ~Demo() {
    try {
      sandbox_.stop_all();
    } catch (const SandboxError& error) {
      screen_.failure(error.what());
      for (const auto& name : sandbox_.names()) {
        if (sandbox_.is_running(name)) sandbox_.kill(name);
      }
    }
    sandbox_.remove();
  }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  bool run() {
    introduce();
    start();
    pay_once();
    pay_too_much();
    pay_while_killing();
    ask_for_open_ones();
    pay_afterwards();
    return show_the_books();
  }

 private:
  SandboxSpec spec() const {
    SandboxSpec spec;
    spec.directory = folder_.path() / "sandbox";
    spec.base_port = ports_.first();
    spec.participants = points_and_payments(options_.points, options_.payments);
    return spec;
  }

  // ---- the steps

  void introduce() {
    screen_.heading("Assent demo: all of a payment, or none of it");
    screen_.say("A card's points live in one database, its bill in another. Paying with points");
    screen_.say("must lower both, or neither, whatever dies on the way.");
  }

  void start() {
    screen_.heading("Starting a private sandbox");
    screen_.say(fmt::format("{} for the points, {} for the payments, an agent beside each, and",
                            describe(options_.points), describe(options_.payments)));
    screen_.say("the coordinator: on loopback only, in a folder that goes away afterwards.");
    const auto begin = Clock::now();
    sandbox_.create();
    check_interrupted();
    sandbox_.start_all();
    check_interrupted();
    before_ = read_evidence(sandbox_);
    auto client =
        Client::connect({.coordinator = sandbox_.coordinator_address(), .application = "demo"});
    if (!client) throw SandboxError(client.error().message);
    client_.emplace(std::move(*client));
    if (!wait_until([this] { return is_linked(*client_); }, kPatience))
      throw SandboxError("the coordinator does not reach both agents");
    screen_.say(fmt::format("Ready after {:.1f} s: 10,000 cards with 100 points and 1,000 to pay.",
                            std::chrono::duration<double>(Clock::now() - begin).count()));
  }

  void pay_once() {
    screen_.heading("1. One payment");
    show_card();
    screen_.say("We pay 100 with points: one submit, one UPDATE and one ledger row for each side.");
    const Answer answer = pay("demo-first");
    if (answer.outcome != Outcome::kCommitted) throw_unexpected(answer);
    screen_.success(fmt::format("committed, as {}", to_string(*answer.gtrid)));
    show_card();
  }

  void pay_too_much() {
    screen_.heading("2. A payment that must fail");
    screen_.say("Again 100, but there are no points left, while the bill could be lowered.");
    const Answer answer = pay("demo-second");
    if (answer.outcome != Outcome::kRolledBack) throw_unexpected(answer);
    screen_.success(
        fmt::format("rolled back: {}", answer.error ? answer.error->message : "no reason given"));
    show_card();
  }

  void pay_while_killing() {
    screen_.heading(fmt::format("3. {} payments from {} clients, while processes are killed",
                                with_commas(options_.payments_count), options_.clients));
    screen_.say("Random cards and amounts; payments that find too few points are rolled back.");
    PayersSpec spec;
    spec.coordinator = sandbox_.coordinator_address();
    spec.clients = options_.clients;
    Payers payers(spec, [this] { return next_payment(); });
    Killing killing(sandbox_, payers, screen_, static_cast<std::uint64_t>(options_.payments_count));
    const auto begin = Clock::now();
    killing.run();
    history_.add(payers.finish());
    kills_ = killing.kills();
    crashes_ = killing.crashes();
    screen_.say(fmt::format("Paid in {:.1f} s, with {} kills.",
                            std::chrono::duration<double>(Clock::now() - begin).count(), kills_));
  }

  void ask_for_open_ones() {
    screen_.heading("4. Asking for what was left open");
    const std::size_t open = history_.open().size();
    screen_.say(
        open == 0
            ? std::string("Every client got its answer, so there is nothing to ask.")
            : fmt::format("{} clients' calls ended without knowing. Asking by key ...", open));
    resolve_open(history_, *client_, kPatience);
    if (open == 0) return;
    screen_.say(fmt::format("Still open: {}", history_.open().size()));
  }

  // A house that refuses everybody keeps its books in order, too.
  void pay_afterwards() {
    const auto payment = workload::point_payment("demo-last", kStoryCard + kCards + 1, 100);
    Answer answer;
    const auto is_final = [&] {  // not while what was killed last is still looked at
      check_interrupted();
      answer = submit(*client_, payment, history_);
      return answer.outcome == Outcome::kCommitted || answer.outcome == Outcome::kRolledBack;
    };
    wait_until(is_final, kPatience);
    if (answer.outcome != Outcome::kCommitted) throw_unexpected(answer);
    screen_.say("One more payment, after all that: committed.");
  }

  bool show_the_books() {
    screen_.heading("5. The books, read straight from both databases");
    const workload::Evidence after = read_when_quiet(sandbox_, kPatience);
    std::size_t prepared = 0;
    std::size_t locked = 0;
    for (const auto& each : after) {
      prepared += each.prepared.size();
      locked += each.locked.size();
    }
    screen_.table({
        {"committed", count(Outcome::kCommitted)},
        {"rolled back", count(Outcome::kRolledBack)},
        {"refused to the end", with_commas(refused())},
        {"unknown", with_commas(static_cast<std::int64_t>(history_.open().size()))},
        {"points before", with_commas(before_.at(0).total())},
        {"points after", with_commas(after.at(0).total())},
        {"points spent", with_commas(before_.at(0).total() - after.at(0).total())},
        {"due before", with_commas(before_.at(1).total())},
        {"due after", with_commas(after.at(1).total())},
        {"due paid", with_commas(before_.at(1).total() - after.at(1).total())},
        {"prepared branches left", with_commas(static_cast<std::int64_t>(prepared))},
        {"locks left", with_commas(static_cast<std::int64_t>(locked))},
        {"processes killed", with_commas(kills_)},
        {"ended by themselves", with_commas(crashes_)},
        {"longest wait of a client",
         fmt::format("{:.2f} s", std::chrono::duration<double>(history_.longest_wait()).count())},
    });
    return show_verdict(workload::check(before_, history_, after));
  }

  bool show_verdict(const std::vector<workload::Violation>& violations) {
    screen_.say("");
    if (violations.empty() && history_.open().empty() && refused() == 0 && crashes_ == 0) {
      screen_.success(
          fmt::format("All {} payments checked one by one against both ledgers: nothing lost, "
                      "doubled or halved.",
                      with_commas(static_cast<std::int64_t>(history_.entries().size()))));
      return true;
    }
    screen_.failure(
        fmt::format("{} violations, {} payments without an outcome, {} refused to the end, "
                    "{} processes that ended by themselves",
                    violations.size(), history_.open().size(), refused(), crashes_));
    for (std::size_t i = 0; i < violations.size() && i < kViolationsShown; ++i)
      screen_.failure(fmt::format("{}: {}", violations[i].invariant, violations[i].what));
    return false;
  }

  // ---- verbs

  Answer pay(const std::string& key) {
    check_interrupted();
    return submit(*client_, workload::point_payment(key, kStoryCard, 100), history_);
  }

  [[noreturn]] void throw_unexpected(const Answer& answer) {
    throw SandboxError("the payment came out " + std::string(to_string(answer.outcome)) +
                       (answer.error ? ": " + answer.error->message : ""));
  }

  void show_card() {
    screen_.say(fmt::format(
        "Card {}: {} points in {}, {} to pay in {}", kStoryCard,
        value("points", "SELECT points FROM card WHERE id = 1;"), describe(options_.points),
        value("payments", "SELECT due FROM bill WHERE card_id = 1;"), describe(options_.payments)));
  }

  std::string value(const std::string& participant, const std::string& sql) {
    return with_commas(std::stoll(sandbox_.database(participant).query_value(participant, sql)));
  }

  // Payments of which somebody was told this outcome.
  std::int64_t told(Outcome outcome) const {
    const auto was_told = [outcome](const workload::Telling& telling) {
      return telling.outcome == outcome;
    };
    return std::count_if(history_.entries().begin(), history_.entries().end(),
                         [was_told](const auto& each) {
                           const auto& tellings = each.second.tellings;
                           return std::any_of(tellings.begin(), tellings.end(), was_told);
                         });
  }

  std::string count(Outcome outcome) const { return with_commas(told(outcome)); }

  // Of all that were to be paid; also those that were never asked because nobody was there.
  std::int64_t refused() const {
    const auto open = static_cast<std::int64_t>(history_.open().size());
    return drawn_ + kStoryPayments - told(Outcome::kCommitted) - told(Outcome::kRolledBack) - open;
  }

  // Called by the payers' threads, one at a time.
  std::optional<workload::Transaction> next_payment() {
    if (drawn_ == options_.payments_count) return std::nullopt;
    std::uniform_int_distribution<std::int64_t> card(kStoryCard + 1, kStoryCard + kCards);
    std::uniform_int_distribution<std::int64_t> amount(1, kAmountMax);
    return workload::point_payment("demo-" + std::to_string(++drawn_), card(random_),
                                   amount(random_));
  }

  DemoOptions options_;
  PrivateFolder folder_{"assent-demo"};
  PortLease ports_{kPorts};
  Screen screen_;
  Sandbox sandbox_;
  std::optional<Client> client_;
  workload::Evidence before_;
  workload::History history_;
  std::mt19937_64 random_{std::random_device{}()};
  int drawn_ = 0;
  int kills_ = 0;
  int crashes_ = 0;
};

}  // namespace

bool run_demo(const DemoOptions& options) {
  return Demo(options).run();
}

}  // namespace assent::live
