// A real process that dies by SIGKILL at each of the log's crash points: who has been told is
// right.

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/log/log_fixture.h"

namespace assent::coordinator {
namespace {

using assent::testing::example_commit;
using assent::testing::example_key;

constexpr std::uint64_t kLast = 5;

struct Ended {
  std::string output;
  int status = 0;
};

// Runs log_writer to its end; `crash_point` as in ASSENT_CRASH_POINT, or empty.
Ended run_writer(const std::filesystem::path& dir, const std::string& crash_point) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, pipe[0]);
  std::string program = ASSENT_BINARY_DIR "/tests/log/log_writer";
  std::string folder = dir.string();
  std::string last = std::to_string(kLast);
  std::string variable = "ASSENT_CRASH_POINT=" + crash_point;
  const std::array<char*, 4> arguments{program.data(), folder.data(), last.data(), nullptr};
  std::vector<char*> environment;  // ours: the options of a sanitizer, say
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  if (!crash_point.empty()) environment.push_back(variable.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(),
                        environment.data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  Ended ended;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    ended.output.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  REQUIRE(::waitpid(child, &ended.status, 0) == child);
  return ended;
}

struct Said {
  bool opened = false;
  LogId log_id{};
  Epoch epoch{};
  std::uint64_t durable = 0;
};

Said parse(const std::string& output) {
  Said said;
  std::istringstream words(output);
  for (std::string word; words >> word;) {
    std::uint64_t log_id = 0;
    std::uint32_t epoch = 0;
    if (word == "open" && words >> log_id >> epoch) {
      said.opened = true;
      said.log_id = LogId{log_id};
      said.epoch = Epoch{epoch};
    } else if (word == "durable") {
      words >> said.durable;
    }
  }
  return said;
}

TEST_CASE("killed at a crash point: nobody was told what is not there", "[log][crash]") {
  const auto point = GENERATE(as<std::string>(), "log.write.before", "log.write.synced",
                              "log.write.marked", "log.write.told");
  const auto passing = GENERATE(1U, 2U, kLast);
  INFO(point << ":" << passing);
  const testing::TemporaryFolder folder;
  const auto dir = folder.path() / "log";
  const auto ended = run_writer(dir, fmt::format("{}:{}", point, passing));
  REQUIRE(WIFSIGNALED(ended.status));
  REQUIRE(WTERMSIG(ended.status) == SIGKILL);
  const Said said = parse(ended.output);
  REQUIRE(said.opened);
  CHECK((said.durable == passing - 1 || (point == "log.write.told" && said.durable == passing)));

  testing::Reports reports;
  const auto opened = LevelDbLog::open({.dir = dir}, reports.listener());
  REQUIRE(opened.has_value());
  auto& log = **opened;
  CHECK(log.opening().log_id == said.log_id);
  CHECK(log.opening().epoch > said.epoch);
  // The batch in which it died is there as a whole from its sync on, and not at all before.
  const auto there = point == "log.write.before" ? passing - 1 : passing;
  CHECK(log.opening().unfinished.size() == there);
  for (std::uint64_t i = 1; i <= kLast; ++i) {
    const auto found = log.find_key(example_key(i));
    REQUIRE(found.has_value());
    CHECK(found->has_value() == (i <= there));
    if (*found) {
      CHECK(std::get<CommitRecord>((*found)->record) == example_commit(said.log_id, said.epoch, i));
    }
  }
}

TEST_CASE("killed while it is opened: the next opening is a later epoch", "[log][crash]") {
  const auto point =
      GENERATE(as<std::string>(), "log.opening.before_record", "log.opening.after_record");
  const bool new_log = GENERATE(true, false);
  INFO(point << (new_log ? ", a new log" : ", an old log"));
  const testing::TemporaryFolder folder;
  const auto dir = folder.path() / "log";
  Said before;
  if (!new_log) {
    before = parse(run_writer(dir, "").output);
    REQUIRE(before.durable == kLast);
  }
  for (int i = 0; i < 2; ++i) {
    const auto ended = run_writer(dir, point + ":1");
    REQUIRE(WIFSIGNALED(ended.status));
    CHECK(ended.output.empty());
  }
  testing::Reports reports;
  const auto opened = LevelDbLog::open({.dir = dir}, reports.listener());
  REQUIRE(opened.has_value());
  CHECK((*opened)->opening().epoch > before.epoch);
  CHECK((*opened)->opening().unfinished.size() == (new_log ? 0 : kLast));
}

TEST_CASE("another process is refused while the log is open", "[log][crash]") {
  const testing::TemporaryFolder folder;
  const auto dir = folder.path() / "log";
  testing::Reports reports;
  const auto opened = LevelDbLog::open({.dir = dir}, reports.listener());
  REQUIRE(opened.has_value());
  const auto ended = run_writer(dir, "");
  REQUIRE(WIFEXITED(ended.status));
  CHECK(WEXITSTATUS(ended.status) == 1);
  CHECK(ended.output.find("it is in use") != std::string::npos);
}

}  // namespace
}  // namespace assent::coordinator
