// The decision log is lost, whole or in part: another folder, or none, is found in its place, or a
// copy, or one that lacks records or its mark. Nothing is presumed until a person has said so
// (design sections 6 and 7, R2, R10).

#include <filesystem>
#include <functional>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/integration/support_print_begin.h"
#include "tests/integration/support_program.h"
#include "tests/integration/support_untold.h"
#include "tests/log/losing.h"
#include "tests/support/print_result.h"

using namespace assent;
using namespace assent::testing;

namespace {

constexpr int kDone = 0;
constexpr int kUnknown = 3;
constexpr int kRefused = 4;

/// The branch that is committed has a witness row, so that everybody can see it.
Setup mariadb_and_postgres() {
  return {"MariaDB and PostgreSQL",
          live::points_and_payments(DatabaseKind::kMariadb, DatabaseKind::kPostgres)};
}

/// What one assentctl said, shown when a check fails.
struct Told {
  int exit = 0;
  std::string text;
};

Told assentctl(House& house, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), ASSENT_BINARY_DIR "/coordinator/tools/assentctl");
  live::ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.environment["ASSENT_COORDINATOR"] = house.sandbox().coordinator_address();
  const auto result = live::run_command(spec, {}, kPatience);
  return {result.end.exit_code, result.standard_output + result.standard_error};
}

Told resolve(House& house, const std::string& gtrid, const std::string& decision) {
  return assentctl(house, {"resolve", gtrid, decision, "--reason", "the log is lost", "--yes"});
}

std::vector<std::string> prepared(House& house, const std::string& participant) {
  for (const auto& each : house.setup().participants) {
    if (each.name == participant) return live::prepared_branches(house.sandbox(), each);
  }
  return {};
}

constexpr const char* kUndecided = "coordinator.commit_record.before";
constexpr const char* kDecided = "coordinator.durable.received";

/// Prepared at points, and the coordinator ends before anybody is told what was decided.
void leave_prepared(House& house, const workload::Payment& payment,
                    const std::string& crash_point) {
  house.kill("coordinator");
  auto& coordinator = house.sandbox().coordinator();
  coordinator.start({{"ASSENT_CRASH_POINT", crash_point + ":1"}});
  Client client = house.connect();
  Submission submission = House::submission(payment);
  std::erase_if(submission.steps, [](const Step& step) { return step.participant != "points"; });
  const auto is_ready = [&] {  // and points has been told how far the log goes
    const auto status = client.status();
    return status && status->ready && house.knows_log_top(client, "points");
  };
  const auto has_ended = [&] {
    if (coordinator.is_running()) client.submit(submission);
    return !coordinator.is_running();
  };
  if (!comes_true(is_ready) || !comes_true(has_ended))
    throw std::runtime_error("the coordinator did not end at " + crash_point);
}

/// Of a branch as its database lists it.
std::string gtrid_of(const std::string& listed) {
  std::smatch found;
  if (!std::regex_search(listed, found, std::regex("[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+"))) return "";
  return found.str();
}

struct LostLog {
  House house{mariadb_and_postgres()};
  std::int64_t card = house.fresh_card();
  workload::Payment paid = house.payment(card, 10);
  std::int64_t untold_card = house.fresh_card();
  std::int64_t undecided_card = house.fresh_card();
  std::string untold;     ///< committed at points, prepared at payments
  std::string undecided;  ///< prepared at points

  LostLog() {
    REQUIRE(house.client().submit(House::submission(paid)).outcome == Outcome::kCommitted);
    untold = decided_and_untold(house, untold_card);
    REQUIRE(comes_true([&] { return prepared(house, "points").empty(); }));
    leave_prepared(house, house.payment(undecided_card, 10), kUndecided);
    house.kill("agent-payments");
    house.sandbox().start("agent-payments");
    REQUIRE(prepared(house, "points").size() == 1);
    REQUIRE(prepared(house, "payments").size() == 1);
    undecided = gtrid_of(prepared(house, "points").front());
  }

  std::filesystem::path folder() { return house.sandbox().spec().directory / "coordinator"; }

  void start() { house.sandbox().start("coordinator"); }

  void check_nothing_is_presumed() {
    REQUIRE(house.wait_until_linked());
    CHECK(comes_true([&] {
      const std::string text = assentctl(house, {"status"}).text;
      return text.find(untold) != std::string::npos && text.find(undecided) != std::string::npos;
    }));
    const Told status = assentctl(house, {"status"});
    INFO(status.text);
    CHECK(status.exit == kUnknown);
    CHECK_THAT(status.text, Catch::Contains("not ready; decisions may be missing") &&
                                Catch::Contains("at stake") && Catch::Contains(untold) &&
                                Catch::Contains(undecided) &&
                                Catch::Contains("whom they block: assentctl list --in-doubt") &&
                                Catch::Contains("assentctl allow presume"));
    Client client = house.connect();
    CHECK(client.submit(House::submission(paid)).outcome == Outcome::kUnknown);
    CHECK(client.settle(paid.key).outcome == Outcome::kUnknown);
    // One that was never used looks the same.
    CHECK(client.submit(House::submission(house.payment(card, 10))).outcome == Outcome::kUnknown);
    CHECK(house.paid(card) == 10);
    CHECK(prepared(house, "points").size() == 1);
    CHECK(prepared(house, "payments").size() == 1);
  }
};

}  // namespace

TEST_CASE("the folder of the log is empty: nothing is presumed until a person gives it up") {
  LostLog lost;
  House& house = lost.house;
  std::filesystem::rename(lost.folder(), lost.folder().string() + "-unmounted");
  lost.start();
  lost.check_nothing_is_presumed();
  house.kill("coordinator");
  lost.start();
  lost.check_nothing_is_presumed();

  const Told listed = assentctl(house, {"list", "--in-doubt"});
  INFO(listed.text);
  CHECK_THAT(listed.text, Catch::Contains(lost.untold) && Catch::Contains(lost.undecided) &&
                              Catch::Contains("a lost log of this coordinator"));
  const Told against = resolve(house, lost.untold, "--rollback");
  INFO(against.text);
  CHECK(against.exit == kRefused);
  CHECK_THAT(against.text, Catch::Contains("can only be committed"));
  const Told committed = resolve(house, lost.untold, "--commit");
  INFO(committed.text);
  CHECK(committed.exit == kDone);
  CHECK(comes_true([&] { return prepared(house, "payments").empty(); }));
  CHECK(house.paid(lost.untold_card) == 10);
  CHECK(resolve(house, lost.untold, "--rollback").exit == kRefused);
  // What a database that is down holds, a person has to answer for.
  house.kill("agent-payments");
  house.database("payments").kill();
  const Told unseen = resolve(house, lost.undecided, "--rollback");
  INFO(unseen.text);
  CHECK(unseen.exit == kRefused);
  CHECK_THAT(unseen.text, Catch::Contains("payments") && Catch::Contains("--despite"));
  CHECK(prepared(house, "points").size() == 1);
  const Told despite =
      assentctl(house, {"resolve", lost.undecided, "--rollback", "--despite", "payments",
                        "--reason", "nothing of it was ever sent there", "--yes"});
  INFO(despite.text);
  CHECK(despite.exit == kDone);
  CHECK(comes_true([&] { return prepared(house, "points").empty(); }));
  CHECK_THAT(assentctl(house, {"show", lost.undecided}).text,
             Catch::Contains("nothing of it was ever sent there"));
  house.database("payments").start();
  house.sandbox().start("agent-payments");
  CHECK(house.left_behind() == "");
  CHECK(house.paid(lost.undecided_card) == 0);

  const Told allowed =
      assentctl(house, {"allow", "presume", "--reason", "the disk is gone", "--yes"});
  INFO(allowed.text);
  CHECK(allowed.exit == kDone);
  for (int life = 0; life < 2; ++life) {
    INFO("life " << life);
    REQUIRE(house.wait_until_linked());
    CHECK(comes_true([&] { return assentctl(house, {"status"}).exit == kDone; }));
    CHECK(comes_true([&] {
      return house.connect().submit(House::submission(house.payment(lost.card, 1))).outcome ==
             Outcome::kCommitted;
    }));
    house.kill("coordinator");
    lost.start();
  }
  CHECK(house.left_behind() == "");
}

TEST_CASE("the folder is there again: the log that was lost goes on as if nothing had been") {
  LostLog lost;
  House& house = lost.house;
  const auto away = lost.folder().string() + "-unmounted";
  std::filesystem::rename(lost.folder(), away);
  lost.start();
  REQUIRE(house.wait_until_linked());
  CHECK(comes_true(
      [&] { return assentctl(house, {"status"}).text.find("lost log") != std::string::npos; }));
  house.kill("coordinator");
  std::filesystem::remove_all(lost.folder());
  std::filesystem::rename(away, lost.folder());
  lost.start();
  CHECK(house.left_behind() == "");
  CHECK(house.paid(lost.untold_card) == 10);
  CHECK(house.paid(lost.undecided_card) == 0);
  CHECK(comes_true([&] { return assentctl(house, {"status"}).exit == kDone; }));
  CHECK(house.connect().outcome_of(lost.paid.key).outcome == Outcome::kCommitted);
}

// ---- in part

namespace {

using Path = std::filesystem::path;

struct Way {
  std::string name;
  std::string says;
  /// With a branch prepared at points and nobody told.
  std::string crash_point = kDecided;
  /// The coordinator is down each time: before that payment, and behind it.
  std::function<void(const Path& log, const Path& kept)> before = [](const Path&, const Path&) {};
  std::function<void(const Path& log, const Path& kept)> behind;
  bool restored = false;
  /// Of a key that was answered "committed" long before.
  Outcome paid = Outcome::kCommitted;
  /// A database that was told of more than the log holds lets nobody in until that is given up.
  bool points_is_heard = true;
};

void copy_folder(const Path& from, const Path& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

void put_back(const Path& log, const Path& kept) {
  std::filesystem::remove_all(log);
  std::filesystem::rename(kept, log);
}

std::vector<Way> ways() {
  Way end{.name = "its end is cut off", .says = "decisions are missing at its end"};
  end.behind = [](const Path& log, const Path&) { lose_record(log, newest_record(log)); };

  Way mark{.name = "its mark is gone", .says = "high-water mark", .crash_point = kUndecided};
  mark.behind = [](const Path& log, const Path&) {
    REQUIRE(std::filesystem::remove(log / "high_water_mark"));
  };

  Way gap{.name = "a record in its middle is gone", .says = "record 2", .crash_point = kUndecided};
  gap.behind = [](const Path& log, const Path&) { lose_record(log, 2); };
  gap.paid = Outcome::kUnknown;  // that was its record

  Way copy{.name = "a copy of its folder was put back", .says = "its folder is a copy"};
  copy.before = copy_folder;
  copy.behind = put_back;
  copy.points_is_heard = false;

  Way backup{.name = "a backup of it was put back", .says = "backup"};
  backup.before = [](const Path& log, const Path& kept) {
    live::ProcessSpec spec;
    spec.argv = {ASSENT_BINARY_DIR "/coordinator/tools/assentctl", "log", "backup", log, kept};
    REQUIRE(live::run_command(spec, {}, kPatience).end.succeeded());
  };
  backup.behind = put_back;
  backup.restored = true;
  backup.points_is_heard = false;
  return {end, mark, gap, copy, backup};
}

/// What is printed on the line behind one that is `head`, typed as it stands there.
Told type_what_follows(House& house, const std::string& head, const std::string& printed) {
  const std::string start = head + "\n";
  const std::size_t at = printed.find(start);
  REQUIRE(at != std::string::npos);
  const std::size_t line = at + start.size();
  const std::string command = printed.substr(line, printed.find('\n', line) - line);
  live::ProcessSpec bash;
  bash.argv = {"bash", "-c", "PATH='" ASSENT_BINARY_DIR "/coordinator/tools':$PATH\n" + command};
  bash.environment["ASSENT_COORDINATOR"] = house.sandbox().coordinator_address();
  const auto result = live::run_command(bash, {}, kPatience);
  return {result.end.exit_code, result.standard_output + result.standard_error};
}

/// One payment is known to all, one is decided and untold at payments, and one is prepared at
/// points; then the log is lost in that way.
struct PartlyLost {
  const Way way;
  House house{mariadb_and_postgres()};
  workload::Payment paid = house.payment(house.fresh_card(), 10);
  std::int64_t untold_card = house.fresh_card();
  workload::Payment lost = house.payment(house.fresh_card(), 10);
  std::string prepared_xid;

  explicit PartlyLost(Way how) : way(std::move(how)) {
    REQUIRE(house.client().submit(House::submission(paid)).outcome == Outcome::kCommitted);
    decided_and_untold(house, untold_card);
    REQUIRE(comes_true([&] { return prepared(house, "points").empty(); }));
    const Path log = house.sandbox().spec().directory / "coordinator";
    const Path kept = log.string() + "-kept";
    house.kill("coordinator");
    way.before(log, kept);
    leave_prepared(house, lost, way.crash_point);
    way.behind(log, kept);
    REQUIRE(prepared(house, "points").size() == 1);
    prepared_xid = gtrid_of(prepared(house, "points").front());
  }

  std::int64_t card_of(const workload::Payment& payment) { return payment.legs.front().id; }

  void check_what_is_known_is_driven_on() {
    CHECK(comes_true([&] { return prepared(house, "payments").empty(); }));
    CHECK(house.paid(untold_card) == 10);
    Client client = house.connect();
    CHECK(client.submit(House::submission(paid)).outcome == way.paid);
    CHECK(house.paid(card_of(paid)) == 10);
  }

  void check_nothing_is_presumed() {
    const std::string at_stake = way.points_is_heard ? prepared_xid + "/points prepared"
                                                     : "participant points was told of record";
    Told status;
    CHECK(comes_true([&] {
      status = assentctl(house, {"status"});
      return status.text.find(at_stake) != std::string::npos;
    }));
    INFO(status.text);
    CHECK(status.exit == kUnknown);
    CHECK_THAT(status.text, Catch::Contains("not ready; decisions may be missing") &&
                                Catch::Contains(way.says) &&
                                Catch::Contains("assentctl allow presume --reason \"WHY\""));
    if (way.points_is_heard) {
      CHECK_THAT(status.text, Catch::Contains("whom they block: assentctl list --in-doubt"));
    }
    Client client = house.connect();
    CHECK(client.submit(House::submission(lost)).outcome == Outcome::kUnknown);
    CHECK(client.settle(lost.key).outcome == Outcome::kUnknown);
    CHECK(prepared(house, "points").size() == 1);
  }

  /// What a decision may have been lost of, only a person ends: with the commands that are printed.
  void resolve() {
    CHECK(comes_true(
        [&] { return assentctl(house, {"status"}).text.find(prepared_xid) != std::string::npos; }));
    CHECK(prepared(house, "points").size() == 1);
    const Told plan = assentctl(house, {"resolve", prepared_xid, "--rollback", "--reason",
                                        "nobody was told, and no other database has a part"});
    INFO(plan.text);
    CHECK(type_what_follows(house, "to do it", plan.text).exit == kDone);
    CHECK(comes_true([&] { return prepared(house, "points").empty(); }));
  }

  void allow() {
    const Told plan = type_what_follows(house, "    to go on:", assentctl(house, {"status"}).text);
    INFO(plan.text);
    CHECK_THAT(plan.text, Catch::Contains("stays so until it is resolved"));
    CHECK_THAT(plan.text, Catch::Contains(way.points_is_heard
                                              ? prepared_xid
                                              : "points is not connected: what it holds prepared"));
    CHECK(type_what_follows(house, "to do it", plan.text).exit == kDone);
  }
};

}  // namespace

TEST_CASE(
    "a log that is lost in part presumes nothing, drives what it knows, and a person ends it") {
  PartlyLost story(GENERATE(from_range(ways())));
  House& house = story.house;
  INFO(story.way.name);
  auto spec = house.sandbox().coordinator().spec();
  if (story.way.restored) spec.argv.emplace_back("--restored");
  live::Service coordinator(spec);
  coordinator.start();
  house.kill("agent-payments");
  house.sandbox().start("agent-payments");
  story.check_nothing_is_presumed();
  story.check_what_is_known_is_driven_on();
  coordinator.kill();
  house.sandbox().start("coordinator");
  story.check_nothing_is_presumed();

  story.allow();
  story.resolve();
  CHECK(house.left_behind() == "");
  CHECK(house.paid(story.card_of(story.lost)) == 0);
  CHECK(comes_true([&] { return assentctl(house, {"status"}).exit == kDone; }));
  const auto next = House::submission(house.payment(story.card_of(story.lost), 10));
  CHECK(comes_true([&] { return house.connect().submit(next).outcome == Outcome::kCommitted; }));
  CHECK(house.paid(story.card_of(story.lost)) == 10);
}

// ---- twice

// A snapshot of the disk is started beside the original, or in its place. Nothing in it shows that
// it is a copy, and each start of it gives it a higher epoch; the original has decided something.
TEST_CASE("a deposed coordinator stays so however often it is started, and presumes nothing then") {
  House house{mariadb_and_postgres()};
  const Path log = house.sandbox().spec().directory / "coordinator";
  const Path snapshot = log.string() + "-snapshot";
  house.kill("coordinator");
  copy_folder(log, snapshot);
  std::filesystem::remove(snapshot / "origin");
  std::filesystem::create_hard_link(log / "origin", snapshot / "origin");
  house.sandbox().start("coordinator");
  const auto card = house.fresh_card();
  const std::string untold = decided_and_untold(house, card);
  REQUIRE(comes_true([&] { return prepared(house, "points").empty(); }));
  house.kill("coordinator");
  start_payments_again(house);
  put_back(log, snapshot);

  const auto status_says = [&](const std::string& what) {
    return comes_true(
        [&] { return assentctl(house, {"status"}).text.find(what) != std::string::npos; });
  };
  constexpr int kPastItsRecords = 6;  // then its numbers are above what the databases were told
  for (int life = 0; life < kPastItsRecords; ++life) {
    INFO("life " << life);
    house.sandbox().start("coordinator");
    CHECK(status_says("deposed by another opening"));
    CHECK(prepared(house, "payments").size() == 1);
    house.kill("coordinator");
  }
  house.sandbox().start("coordinator");
  const std::vector<std::string> allow = {"allow", "presume", "--reason",
                                          "the original is gone with its host", "--yes"};
  CHECK(comes_true([&] { return assentctl(house, allow).exit == kDone; }));
  house.kill("coordinator");
  house.sandbox().start("coordinator");
  REQUIRE(house.wait_until_linked());
  CHECK(status_says("only a person can end them"));
  CHECK(prepared(house, "payments").size() == 1);
  const Told against = resolve(house, untold, "--rollback");
  INFO(against.text);
  CHECK(against.exit == kRefused);
  CHECK_THAT(against.text, Catch::Contains("can only be committed"));
  CHECK(resolve(house, untold, "--commit").exit == kDone);
  CHECK(comes_true([&] { return prepared(house, "payments").empty(); }));
  CHECK(house.paid(card) == 10);
  CHECK(house.left_behind() == "");
}
