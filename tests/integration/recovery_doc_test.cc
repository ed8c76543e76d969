// docs/RECOVERY.md, word for word: each symptom is made on a sandbox of its own, each command is
// typed as it stands there and has to print what stands there, and afterwards all must be well.
// ASSENT_STORY picks the stories whose title contains it; ASSENT_REWRITE=1 puts what commands print
// into the document: read the diff.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "chaos/sandbox/host.h"
#include "tests/integration/support_document.h"
#include "tests/integration/support_house.h"

namespace assent::testing {
namespace {

using Kind = DocumentStep::Kind;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Commands that only look are asked again until they print what is shown.
bool only_looks(const std::string& command) {
  for (const char* verb : {"list", "show", "status", "participants", "outcome"}) {
    if (command.rfind(std::string("assentctl ") + verb, 0) == 0) return true;
  }
  return command.find("SELECT") != std::string::npos;
}

constexpr const char* kPayment =
    R"({"key": "order-8123", "wait": "applied", "timeout_ms": 5000, "steps": [
  {"participant": "points", "sql": "UPDATE card SET points = points - ? WHERE id = ? AND points >= ?",
   "params": [100, 1, 100], "expect_rows": 1},
  {"participant": "payments", "sql": "UPDATE bill SET due = due - ? WHERE card_id = ? AND due >= ?",
   "params": [100, 1, 100], "expect_rows": 1}]})";

const bool kRewrites = environment("ASSENT_REWRITE") == "1";

class Story {
 public:
  explicit Story(const DocumentStory& story) : story_(story), house_(postgres_and_mariadb()) {
    std::ofstream(shell_start_) << "set -u\n. '" << house_.sandbox().spec().directory.string()
                                << "/env'\n"
                                << "SANDBOX='" << house_.sandbox().spec().directory.string()
                                << "'\n";
    std::ofstream(folder_.path() / "pay.json") << kPayment;
  }

  /// With kRewrites: the commands, with what they printed.
  const std::vector<DocumentStep>& written() const { return written_; }

  void run() {
    for (const DocumentStep& step : story_.steps) {
      INFO("docs/RECOVERY.md:" << step.line << ": " << step.text);
      if (step.kind == Kind::kDo) {
        act(step.text);
      } else {
        type(step);
      }
    }
    check_all_is_well();
  }

 private:
  /// The test's part of a story.
  void act(const std::string& text) {
    std::istringstream words(text);
    std::string verb;
    std::string name;
    words >> verb >> name;
    std::string rest;
    std::getline(words >> std::ws, rest);
    if (verb == "stop") {
      house_.sandbox().stop(name);
    } else if (verb == "start") {
      house_.sandbox().start(name);
    } else if (verb == "pause") {
      house_.sandbox().pause(name);
    } else if (verb == "resume") {
      house_.sandbox().resume(name);
    } else if (verb == "clock") {  // clock OFFSET: of the coordinator's host
      house_.sandbox().stop("coordinator");
      house_.sandbox().host().set_clock(live::parse_clock_offset(name));
      house_.sandbox().start("coordinator");
      REQUIRE(house_.wait_until_linked());
    } else if (verb == "links") {
      REQUIRE(house_.wait_until_linked());
    } else if (verb == "crash") {  // crash NAME at POINT: a start that dies there
      crash(name, rest.substr(rest.find(' ') + 1));
    } else if (verb == "ended") {
      REQUIRE(live::wait_until([&] { return !house_.sandbox().is_running(name); }, kPatience));
    } else if (verb == "sh") {
      const Printed printed = shell(name + " " + rest);
      INFO(printed.text);
      REQUIRE(printed.succeeded);
    } else {
      FAIL("unknown: " << text);
    }
  }

  /// Nothing is left behind, nobody has to do anything, the books agree, and a payment commits.
  void check_all_is_well() {
    INFO(house_.left_behind());
    CHECK(house_.becomes_quiet());
    const auto is_clean = [&] {
      const auto status = house_.client().status();
      return status && status->ready && status->findings.empty();
    };
    CHECK(comes_true(is_clean));
    for (const std::int64_t card : {1, 2, 3}) CHECK_NOTHROW(house_.paid(card));
    CHECK(house_.client().submit(House::submission(house_.payment(4, 10))).outcome ==
          Outcome::kCommitted);
  }

  void crash(const std::string& name, const std::string& point) {
    house_.sandbox().kill(name);
    const std::string participant = name.substr(name.find('-') + 1);
    live::Service& service = name == "coordinator" ? house_.sandbox().coordinator()
                                                   : house_.sandbox().agent(participant);
    service.start({{"ASSENT_CRASH_POINT", point + ":1"}});
    REQUIRE(house_.wait_until_linked());
  }

  void type(const DocumentStep& step) {
    const std::string command = names_.translate(step.text);
    Printed printed;
    const auto matches = [&] {
      printed = shell(command);
      return names_.match(step.output, printed.text);
    };
    const bool matched = only_looks(step.text) && !kRewrites ? comes_true(matches) : matches();
    if (kRewrites) return write(step, command, printed.text);
    INFO("printed:\n" << printed.text);
    INFO("shown:\n" << step.output);
    CHECK(matched);
  }

  void write(const DocumentStep& step, const std::string& command, const std::string& printed) {
    printed_ += printed;
    names_.learn(story_, printed_);
    written_.push_back(step);
    written_.back().text = command;
    written_.back().output = printed;
  }

  struct Printed {
    bool succeeded = false;
    std::string text;
  };

  Printed shell(const std::string& command) {
    live::ProcessSpec bash;
    bash.argv = {"bash", "-c", ". '" + shell_start_.string() + "'\nexec 2>&1\n" + command};
    bash.directory = folder_.path();
    const live::CommandResult result = live::run_command(bash, "", kPatience);
    return {result.end.succeeded(), result.standard_output};
  }

  const DocumentStory& story_;
  TemporaryFolder folder_;
  const std::filesystem::path shell_start_ = folder_.path() / "start.sh";
  House house_;
  DocumentNames names_;
  std::vector<DocumentStep> written_;
  std::string printed_;
};

const std::filesystem::path kDocument = ASSENT_SOURCE_DIR "/docs/RECOVERY.md";

TEST_CASE("docs/RECOVERY.md repairs each of its symptoms, word for word") {
  const auto stories = read_document(kDocument);
  REQUIRE(stories.size() >= 6);
  std::ifstream page(kDocument);
  CHECK_THAT(std::string(std::istreambuf_iterator<char>(page), {}), Catch::Contains(kPayment));
  std::vector<DocumentStep> written;
  for (const DocumentStory& story : stories) {
    const bool wanted = story.title.find(environment("ASSENT_STORY")) != std::string::npos;
    if (!wanted) {
      std::copy_if(story.steps.begin(), story.steps.end(), std::back_inserter(written),
                   [](const DocumentStep& step) { return step.kind == Kind::kCommand; });
      continue;
    }
    CAPTURE(story.title);
    Story told(story);
    told.run();
    written.insert(written.end(), told.written().begin(), told.written().end());
  }
  if (kRewrites) rewrite_document(kDocument, written);
}

TEST_CASE("what differs from run to run does not matter, everything else does") {
  DocumentNames names;
  const std::string shown = "0123456789abcdef-3-2a  committed   4m12s  3 tries\n";
  CHECK(names.match(shown, "fedcba9876543210-1-7 committed 350ms 12 tries\n"));
  CHECK(names.translate("show 0123456789abcdef-3-2a") == "show fedcba9876543210-1-7");
  CHECK_FALSE(names.match(shown, "fedcba9876543210-1-8 committed 350ms 12 tries\n"));
  CHECK_FALSE(names.match(shown, "fedcba9876543210-1-7 rolled back 350ms 12 tries\n"));
  CHECK_FALSE(names.match(shown, ""));
}

}  // namespace
}  // namespace assent::testing
