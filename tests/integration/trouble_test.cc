// Parts that are missing, misconfigured, overrun or lying: always a clear error that says what to
// do, no effect, no hang, nothing leaked.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/sandbox/programs.h"
#include "tests/integration/support_assentctl.h"
#include "tests/integration/support_print_begin.h"
#include "tests/integration/support_program.h"
#include "tests/integration/support_till.h"
#include "tests/integration/support_untold.h"
#include "tests/support/print_result.h"
#include "tests/support/skip.h"

using namespace assent;
using namespace assent::testing;
using namespace std::chrono_literals;

namespace {

Till& till() {
  static Till till(postgres_and_mariadb());
  return till;
}

House& house() {
  return till().house();
}

/// A house of the test's own, whose coordinator has these [limits].
Setup small_house() {
  return {"PostgreSQL alone",
          {{"points", DatabaseKind::kPostgres, live::Schema::kCards},
           {"payments", DatabaseKind::kPostgres, live::Schema::kBills}}};
}
House::Adjust with_limits(const std::string& lines) {
  return [lines](live::SandboxSpec& spec) { spec.coordinator_settings = "[limits]\n" + lines; };
}

std::string why(const Answer& answer) {
  return std::string(to_string(answer.outcome)) +
         (answer.error ? ": " + answer.error->message : "");
}

bool is(const Answer& answer, Outcome outcome, ErrorCode code) {
  return answer.outcome == outcome && answer.error && answer.error->code == code;
}

Answer pay(House& at, std::int64_t card) {
  return at.client().submit(House::submission(at.payment(card, 10)));
}

/// What the coordinator says about a participant; empty when it cannot be asked.
std::optional<ParticipantSummary> participant(Client& client, const std::string& name) {
  const auto list = client.participants();
  if (!list) return std::nullopt;
  for (const auto& each : list->participants) {
    if (each.name == name) return each;
  }
  return std::nullopt;
}

bool comes_to_be_refused(Client& client, const std::string& name, ErrorCode code) {
  return comes_true([&] {
    const auto summary = participant(client, name);
    return summary && !summary->connected && summary->last_error &&
           summary->last_error->code == code;
  });
}

/// A payment that is refused while things come back has no effect and may be tried again.
Answer pay_until_taken(House& at, std::int64_t card) {
  const Submission submission = House::submission(at.payment(card, 10));
  Answer answer;
  comes_true([&] {
    at.mend();
    answer = at.client().submit(submission);
    return answer.outcome != Outcome::kRefused;
  });
  return answer;
}

/// Everything works again, and nothing was left behind.
void check_all_is_well() {
  const auto card = house().fresh_card();
  const Answer answer = pay_until_taken(house(), card);
  INFO(why(answer));
  CHECK(answer.outcome == Outcome::kCommitted);
  CHECK(house().paid(card) == 10);
  CHECK(house().left_behind() == "");
}

}  // namespace

// ---- limits

TEST_CASE("transactions beyond the limit are refused as busy, and questions still answered") {
  House small(small_house(), with_limits("transactions_max = 2\n"));
  const auto card = small.fresh_card();
  const auto payment = small.payment(card, 10);
  Client other = small.connect();
  {
    auto first = other.begin();
    auto second = other.begin();
    REQUIRE(first);
    REQUIRE(second);
    const auto third = small.client().begin();
    REQUIRE(third.has_error());
    CHECK(is(third.error(), Outcome::kRefused, ErrorCode::kBusy));
    const Answer refused = small.client().submit(House::submission(payment));
    INFO(why(refused));
    CHECK(is(refused, Outcome::kRefused, ErrorCode::kBusy));
    CHECK(small.client().outcome_of(payment.key).outcome == Outcome::kNoRecord);
    CHECK(small.client().transactions());
  }
  CHECK(small.client().submit(House::submission(payment)).outcome == Outcome::kCommitted);
  CHECK(small.paid(card) == 10);
  CHECK(small.left_behind() == "");
}

TEST_CASE("branches beyond a participant's limit are refused as busy") {
  House small(small_house(), with_limits("branches_per_participant_max = 1\n"));
  const auto card = small.fresh_card();
  Client other = small.connect();
  {
    auto open = other.begin();
    REQUIRE(open);
    REQUIRE(open->execute("points", "SELECT points FROM card WHERE id = 1"));
    const Answer refused = pay(small, card);
    INFO(why(refused));
    CHECK(is(refused, Outcome::kRefused, ErrorCode::kBusy));
  }
  // The branch is rolled back a moment after the caller was told.
  CHECK(pay_until_taken(small, card).outcome == Outcome::kCommitted);
  CHECK(small.left_behind() == "");
}

TEST_CASE("the work of sessions beyond the limit is refused, their questions are answered") {
  House small(small_house(), with_limits("sessions_max = 2\n"));
  const auto card = small.fresh_card();
  REQUIRE(pay(small, card).outcome == Outcome::kCommitted);
  Client asks = small.connect();
  REQUIRE(asks.participants());  // who only asks takes nobody's place
  Client third = small.connect();
  const auto payment = small.payment(card, 1);
  {
    Client second = small.connect();
    REQUIRE(second.submit(House::submission(small.payment(card, 1))).outcome ==
            Outcome::kCommitted);
    const Answer refused = third.submit(House::submission(payment));
    INFO(why(refused));
    CHECK(is(refused, Outcome::kRefused, ErrorCode::kBusy));
    CHECK(third.outcome_of(payment.key).outcome == Outcome::kNoRecord);
    CHECK(third.participants());
  }
  CHECK(comes_true(
      [&] { return third.submit(House::submission(payment)).outcome == Outcome::kCommitted; }));
}

TEST_CASE("connections beyond all limits are turned away") {
  House small(small_house(), with_limits("sessions_max = 2\n"));
  std::vector<Client> many;
  const auto connect = [&] {
    return Client::connect({.coordinator = small.sandbox().coordinator_address()});
  };
  auto next = connect();
  while (next && many.size() < 100) {
    many.push_back(std::move(*next));
    next = connect();
  }
  REQUIRE_FALSE(next);
  INFO(next.error().message);
  CHECK(next.error().code == ErrorCode::kBusy);
  many.clear();
  CHECK(comes_true([&] { return connect().has_value(); }));
}

// ---- parts that are down

TEST_CASE("a participant that is down before prepare refuses fast and without effect") {
  const auto name = GENERATE(std::string("points"), std::string("payments"));
  const bool database = GENERATE(false, true);
  INFO((database ? "db-" : "agent-") << name);
  if (database) {
    house().database(name).kill();
  } else {
    till().sandbox().kill("agent-" + name);
  }
  CHECK(comes_true([&] {
    const auto summary = participant(house().client(), name);
    return summary && !summary->connected;
  }));
  const auto payment = house().payment(house().fresh_card(), 10);
  Submission submission = House::submission(payment);
  submission.timeout = 40s;
  const auto begun = std::chrono::steady_clock::now();

  const Answer answer = house().client().submit(submission);

  INFO(why(answer));
  CHECK(is(answer, Outcome::kRefused, ErrorCode::kParticipantUnavailable));
  // Not the time-out's doing.
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  if (database) {
    house().database(name).start();
  } else {
    till().sandbox().start("agent-" + name);
  }
  house().mend();
  CHECK(house().ledger_rows(payment.key) == 0);
  CHECK(house().client().submit(submission).outcome == Outcome::kCommitted);
  CHECK(house().ledger_rows(payment.key) == 2);
  CHECK(house().left_behind() == "");
}

TEST_CASE("a participant that goes down after the decision is retried, and delays nobody else") {
  const auto card = house().fresh_card();
  till().sandbox().kill("agent-payments");
  till().sandbox().agent("payments").start({{"ASSENT_CRASH_POINT", "agent.commit.before:1"}});
  REQUIRE(house().wait_until_linked());
  Submission submission = House::submission(house().payment(card, 10));
  submission.timeout = 3s;

  const Answer answer = house().client().submit(submission);

  INFO(why(answer));
  REQUIRE(answer.outcome == Outcome::kCommitted);
  CHECK_FALSE(answer.applied);
  CHECK(answer.pending == std::vector<std::string>{"payments"});
  CHECK(house().balance("points", card) == 90);
  CHECK(live::prepared_branches(till().sandbox(), house().setup().participants[0]).empty());
  CHECK(live::prepared_branches(till().sandbox(), house().setup().participants[1]).size() == 1);
  CHECK(house().client().outcome_of(submission.key).outcome == Outcome::kCommitted);

  till().sandbox().start("agent-payments");
  CHECK(house().left_behind() == "");
  CHECK(house().paid(card) == 10);
  check_all_is_well();
}

TEST_CASE("a database that starts again under its agent is found again") {
  const auto name = GENERATE(std::string("points"), std::string("payments"));
  house().database(name).restart();
  check_all_is_well();
}

// ---- max_prepared_transactions

TEST_CASE("max_prepared_transactions used up by others: refused, and they are left alone") {
  auto& points = house().database("points");
  std::vector<std::string> foreign;
  for (bool room = true; room;) {
    const std::string gid = "foreign_" + std::to_string(foreign.size());
    room = points
               .run_sql("points",
                        "BEGIN; INSERT INTO ledger (tx_key, card_id, amount) VALUES "
                        "('foreign', 1, 1); PREPARE TRANSACTION '" +
                            gid + "';")
               .end.succeeded();
    if (room) foreign.push_back(gid);
  }
  REQUIRE(foreign.size() > 1);
  const auto card = house().fresh_card();

  const Answer answer = pay(house(), card);

  INFO(why(answer));
  const bool without_effect =
      answer.outcome == Outcome::kRefused || answer.outcome == Outcome::kRolledBack;
  CHECK(without_effect);
  REQUIRE(answer.error);
  CHECK_THAT(answer.error->message, Catch::Contains("prepared transactions"));
  CHECK(house().paid(card) == 0);
  CHECK(live::prepared_branches(till().sandbox(), house().setup().participants[0]).size() ==
        foreign.size());
  for (const auto& gid : foreign) points.query("points", "ROLLBACK PREPARED '" + gid + "';");
  check_all_is_well();
}

// ---- configuration

TEST_CASE("a taken port is named") {
  const auto programs = live::find_server_programs();
  const bool agent = GENERATE(false, true);
  const auto part = std::string(agent ? "agent-points" : "coordinator");
  const auto folder = std::filesystem::path(house().sandbox().spec().directory) / "other-log";
  const auto config = copy_with(config_of(till().sandbox(), part), "taken.toml", "data_dir = .*",
                                "data_dir = \"" + folder.string() + "\"");
  const auto result = run_server(agent ? programs.agent : programs.coordinator, config);
  INFO(result.standard_error);
  CHECK_FALSE(result.end.succeeded());
  const auto port = agent ? till().sandbox().agent("points").spec().port
                          : till().sandbox().coordinator().spec().port;
  CHECK_THAT(result.standard_error, Catch::Contains(std::to_string(port)));
  check_all_is_well();
}

TEST_CASE("a configuration that cannot be read is named by line and key") {
  const auto programs = live::find_server_programs();
  const bool agent = GENERATE(false, true);
  const auto part = std::string(agent ? "agent-points" : "coordinator");
  const auto config =
      copy_with(config_of(till().sandbox(), part), "wrong.toml", "\nlisten = .*", "\nlistten = 7");

  const auto result = run_server(agent ? programs.agent : programs.coordinator, config);

  INFO(result.standard_error);
  CHECK(result.end.exit_code == 2);
  CHECK_THAT(result.standard_error, Catch::Contains("wrong.toml:3") && Catch::Contains("listten"));
  const auto missing = run_server(agent ? programs.agent : programs.coordinator, "/no/such.toml");
  INFO(missing.standard_error);
  CHECK(missing.end.exit_code == 2);
  CHECK_THAT(missing.standard_error, Catch::Contains("/no/such.toml"));
}

TEST_CASE("a participant with unfinished branches can't be taken out of the configuration") {
  House own(postgres_and_mariadb());
  decided_and_untold(own, own.fresh_card());
  own.kill("coordinator");
  const auto config = copy_with(config_of(own.sandbox(), "coordinator"), "without.toml",
                                R"(\[\[participant\]\]\nname = "payments"\n.*\n.*\n)", "");

  const auto result = run_server(live::find_server_programs().coordinator, config);

  INFO(result.standard_error);
  CHECK(result.end.exit_code == 2);
  CHECK_THAT(result.standard_error, Catch::Contains("payments (1)"));
  own.sandbox().start("coordinator");
  start_payments_again(own);
  CHECK(own.left_behind() == "");
}

TEST_CASE("a token that others may read is refused") {
  const auto programs = live::find_server_programs();
  const auto token = till().sandbox().spec().directory / "config" / "open.token";
  std::ofstream(token) << "0123456789abcdef0123456789abcdef\n";
  std::filesystem::permissions(token, std::filesystem::perms(0644));
  const auto config = copy_with(config_of(till().sandbox(), "coordinator"), "open.toml",
                                "token_file = .*", "token_file = \"" + token.string() + "\"");

  const auto result = run_server(programs.coordinator, config);

  INFO(result.standard_error);
  CHECK_FALSE(result.end.succeeded());
  CHECK_THAT(result.standard_error, Catch::Contains("open.token"));
}

// ---- who may command an agent

TEST_CASE("a coordinator with the wrong token is turned away, and says so") {
  const auto token = till().sandbox().spec().directory / "config" / "agent-points.token";
  const std::string right = text_of(token);
  live::write_private_file(token, std::string(64, '0') + "\n");  // read by each at its start
  till().sandbox().kill("coordinator");
  till().sandbox().start("coordinator");

  CHECK(comes_to_be_refused(house().client(), "points", ErrorCode::kUnauthorized));
  const Answer answer = pay(house(), house().fresh_card());
  INFO(why(answer));
  CHECK(is(answer, Outcome::kRefused, ErrorCode::kParticipantUnavailable));

  live::write_private_file(token, right);
  till().sandbox().kill("coordinator");
  till().sandbox().start("coordinator");
  check_all_is_well();
}

TEST_CASE("an agent turns away a coordinator that it does not know") {
  const auto config = config_of(till().sandbox(), "agent-points");
  const std::string right = text_of(config);
  copy_with(config, config.filename(), "name = \"pay\"", "name = \"somebody-else\"");
  till().sandbox().kill("agent-points");
  till().sandbox().start("agent-points");

  CHECK(comes_to_be_refused(house().client(), "points", ErrorCode::kUnauthorized));

  live::write_private_file(config, right);
  till().sandbox().kill("agent-points");
  till().sandbox().start("agent-points");
  check_all_is_well();
}

TEST_CASE("a coordinator on an old copy of the log is refused by every agent") {
  const auto folder = till().sandbox().spec().directory;
  till().sandbox().stop("coordinator");
  std::filesystem::copy(folder / "coordinator", folder / "old-log",
                        std::filesystem::copy_options::recursive);
  till().sandbox().start("coordinator");
  check_all_is_well();
  till().sandbox().stop("coordinator");
  till().sandbox().start("coordinator");
  check_all_is_well();
  for (const char* participant : {"points", "payments"}) {
    INFO(participant);
    CHECK(comes_true([&] { return house().knows_log_top(house().client(), participant); }));
  }

  const live::PortLease port{1};
  const auto address = "127.0.0.1:" + std::to_string(port.first());
  const auto with_port = copy_with(config_of(till().sandbox(), "coordinator"), "deposed.toml",
                                   "listen = .*", "listen = \"" + address + "\"");
  const auto config = copy_with(with_port, "deposed.toml", "data_dir = .*",
                                "data_dir = \"" + (folder / "old-log").string() + "\"");
  {
    live::Service deposed(
        extra_service("deposed", live::find_server_programs().coordinator, config, port.first()));
    deposed.start();
    auto client = Client::connect({.coordinator = address});
    REQUIRE(client);
    CHECK(comes_to_be_refused(*client, "points", ErrorCode::kFenced));
    CHECK(comes_to_be_refused(*client, "payments", ErrorCode::kFenced));
    const Answer answer =
        client->submit(House::submission(house().payment(house().fresh_card(), 10)));
    INFO(why(answer));
    const bool no_claim =
        answer.outcome == Outcome::kUnknown;  // the other opening may know the key
    CHECK(no_claim);
    check_all_is_well();
    deposed.stop();
  }
  std::filesystem::remove_all(folder / "old-log");
}

TEST_CASE("a second agent for the same database does not start") {
  const auto name = GENERATE(std::string("points"), std::string("payments"));
  const live::PortLease port{1};
  const auto config =
      copy_with(config_of(till().sandbox(), "agent-" + name), "second.toml", "listen = .*",
                "listen = \"127.0.0.1:" + std::to_string(port.first()) + "\"");

  const auto result = run_server(live::find_server_programs().agent, config);

  INFO(result.standard_error);
  CHECK_FALSE(result.end.succeeded());
  CHECK_THAT(result.standard_error, Catch::Contains("another agent"));
  check_all_is_well();
}

// ---- bytes that are no message

TEST_CASE("garbage on a port ends its connection and nothing else") {
  const bool agent = GENERATE(false, true);
  const auto port = agent ? till().sandbox().agent("points").spec().port
                          : till().sandbox().coordinator().spec().port;
  const auto garbage = GENERATE(std::string("GET / HTTP/1.1\r\n\r\n"), std::string(64, '\xff'),
                                std::string(64, '\0'), std::string(1 << 20, 'a'));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  ::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
  char byte = 0;
  ssize_t got = 1;
  while (got > 0) got = ::recv(fd, &byte, 1, 0);  // whatever it says before it hangs up

  const bool hung_up = got == 0 || errno == ECONNRESET;
  CHECK(hung_up);
  ::close(fd);
  check_all_is_well();
}

// ---- the disk under the log

namespace {

House::Adjust with_log_on_small_disk(int free_min_mib) {
  return [free_min_mib](live::SandboxSpec& spec) {
    spec.disks["coordinator"] = 16;
    spec.coordinator_settings =
        "[limits]\ndisk_free_min_mib = " + std::to_string(free_min_mib) + "\n";
  };
}

/// The coordinator, which cannot make a file larger than 64 KiB.
live::Process start_with_small_files(Till& at) {
  live::ProcessSpec spec;
  spec.argv = {"/bin/bash", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --config \"$1\"",
               live::find_server_programs().coordinator.string(),
               config_of(at.sandbox(), "coordinator").string()};
  spec.log_file = at.sandbox().spec().directory / "small-files.log";
  spec.dies_with_owner = true;
  return live::Process::start(spec);
}

}  // namespace

TEST_CASE("a full disk under the log stops the coordinator, and loses nothing") {
  if (const auto why_not = live::LoopDisk::why_not()) return skip(*why_not);
  Till own(small_house(), with_log_on_small_disk(0));
  live::LoopDisk& disk = own.sandbox().disk("coordinator");
  disk.fill();
  auto payers = own.pay(5'000);
  live::Service& coordinator = own.sandbox().coordinator();
  CHECK(comes_true([&] { return !coordinator.is_running(); }));
  REQUIRE(coordinator.end());
  CHECK_FALSE(coordinator.end()->succeeded());
  CHECK_THAT(text_of(coordinator.spec().log_file), Catch::Contains("No space left"));
  payers->stop();

  disk.free();
  own.sandbox().start("coordinator");
  CHECK(own.settle_up(*payers) == "");
  own.sandbox().stop("coordinator");
}

TEST_CASE("while the disk is nearly full work is refused, and taken again when there is room") {
  if (const auto why_not = live::LoopDisk::why_not()) return skip(*why_not);
  House own(small_house(), with_log_on_small_disk(1));
  live::LoopDisk& disk = own.sandbox().disk("coordinator");
  const auto folder = own.sandbox().spec().directory / "coordinator";
  const auto card = own.fresh_card();
  const auto before = own.payment(card, 10);
  REQUIRE(own.client().submit(House::submission(before)).outcome == Outcome::kCommitted);

  disk.fill();
  // Questions only, so that nothing has to be written before the coordinator has seen it.
  CHECK(comes_true([&] {
    const auto status = own.client().status();
    return status && status->findings.size() == 1;
  }));
  const Answer refused = pay(own, card);
  INFO(why(refused));
  CHECK(is(refused, Outcome::kRefused, ErrorCode::kLogUnavailable));
  CHECK_THAT(refused.error->message, Catch::Contains(folder.string()));
  CHECK(own.client().submit(House::submission(before)).outcome == Outcome::kCommitted);
  CHECK(own.paid(card) == 10);

  disk.free();
  CHECK(comes_true([&] { return pay(own, card).outcome == Outcome::kCommitted; }));
  own.sandbox().stop("coordinator");
}

TEST_CASE("while the log is larger than it may be work is refused, and nothing is forgotten") {
  Till own(small_house(), with_limits("log_max_mib = 1\n"));
  House& house = own.house();
  const auto card = house.fresh_card();
  const auto before = house.payment(card, 10);
  REQUIRE(house.client().submit(House::submission(before)).outcome == Outcome::kCommitted);
  const auto is_full = [&] {
    const auto status = house.client().status();
    return status && status->findings.size() == 1;
  };
  auto payers = own.pay(20'000);
  CHECK(comes_true(is_full));
  payers->stop();

  const Answer refused = pay(house, card);
  INFO(why(refused));
  CHECK(is(refused, Outcome::kRefused, ErrorCode::kLogUnavailable));
  CHECK_THAT(refused.error->message, Catch::Contains("log_max_mib"));
  CHECK(house.client().submit(House::submission(before)).outcome == Outcome::kCommitted);
}

TEST_CASE("a log that may not grow stops the coordinator, and loses nothing") {
  Till own(small_house());
  own.sandbox().stop("coordinator");
  auto coordinator = start_with_small_files(own);
  auto payers = own.pay(5'000);
  CHECK(coordinator.wait_for_end(kPatience));
  REQUIRE(coordinator.end());
  CHECK(coordinator.end()->signal == 0);
  CHECK_FALSE(coordinator.end()->succeeded());
  CHECK_THAT(text_of(own.sandbox().spec().directory / "small-files.log"),
             Catch::Contains("File too large"));
  payers->stop();

  own.sandbox().start("coordinator");
  CHECK(own.settle_up(*payers) == "");
}
