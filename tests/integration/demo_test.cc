// ./run demo, in short: what its last table says, and that nothing is left of it however it ends.

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/sandbox/process.h"
#include "tests/integration/support_house.h"
#include "tests/integration/support_program.h"

using namespace assent;
using namespace assent::testing;

namespace {

namespace fs = std::filesystem;

/// It has patience of its own, of a minute for each of its waits.
constexpr std::chrono::minutes kWhole{5};

/// A demo whose private folder lies in one of ours.
struct Demo {
  TemporaryFolder folder;
  live::ProcessSpec spec;

  explicit Demo(const std::string& payments) {
    const std::string program = ASSENT_BINARY_DIR "/chaos/demo/assent-demo";
    spec.argv = {program, "--payments-count", payments, "--clients", "4"};
    spec.environment["TMPDIR"] = folder.path();
    spec.log_file = folder.path() / "said";
    spec.dies_with_owner = true;
  }

  std::string said() const { return text_of(spec.log_file); }

  /// Processes that were started with a file of it.
  std::vector<std::string> left_running() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::string command = text_of(entry.path() / "cmdline");
      std::replace(command.begin(), command.end(), '\0', ' ');
      if (command.find(folder.path()) != std::string::npos) out.push_back(command);
    }
    return out;
  }

  void check_nothing_is_left() const {
    CHECK(left_running() == std::vector<std::string>{});
    std::vector<fs::path> files(fs::directory_iterator(folder.path()), {});
    std::erase(files, spec.log_file);
    CHECK(files == std::vector<fs::path>{});
  }
};

/// Of the last table.
long number(const std::string& said, const std::string& row) {
  std::smatch found;
  const std::regex line("\n +" + row + " +([0-9,]+)\n");
  if (!std::regex_search(said, found, line)) throw std::runtime_error("no row '" + row + "'");
  return std::stol(std::regex_replace(found[1].str(), std::regex(","), ""));
}

}  // namespace

TEST_CASE("the demo pays, kills, and its books are right") {
  const Demo demo("200");
  live::Process running = live::Process::start(demo.spec);
  REQUIRE(running.wait_for_end(kWhole));
  const std::string said = demo.said();
  INFO(said);
  CHECK(running.end()->succeeded());
  constexpr long kPayments = 203;  // three are told as a story
  CHECK(number(said, "committed") + number(said, "rolled back") == kPayments);
  CHECK(number(said, "committed") > 0);
  CHECK(number(said, "rolled back") > 0);
  CHECK(number(said, "points spent") > 0);
  CHECK(number(said, "points spent") == number(said, "due paid"));
  CHECK(number(said, "points before") - number(said, "points after") ==
        number(said, "points spent"));
  CHECK(number(said, "processes killed") == 9);
  for (const char* none : {"refused to the end", "unknown", "prepared branches left", "locks left",
                           "ended by themselves"}) {
    INFO(none);
    CHECK(number(said, none) == 0);
  }
  CHECK_THAT(said, Catch::Contains("All 203 payments checked one by one against both ledgers"));
  demo.check_nothing_is_left();
}

TEST_CASE("a demo that is interrupted leaves nothing behind") {
  const Demo demo("1000000");
  live::Process running = live::Process::start(demo.spec);
  REQUIRE(comes_true(
      [&] { return demo.said().find("while processes are killed") != std::string::npos; }));
  CHECK(demo.left_running().size() >= 5);
  running.send(SIGTERM);
  REQUIRE(running.wait_for_end(kWhole));
  INFO(demo.said());
  CHECK(running.end()->exit_code == 128 + SIGTERM);
  CHECK_THAT(demo.said(), Catch::Contains("interrupted; everything was ended and removed"));
  demo.check_nothing_is_left();
}
