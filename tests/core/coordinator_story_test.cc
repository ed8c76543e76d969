// Plays every story in testdata/coordinator and testdata/recovery and compares the whole output
// with what the file says. After a change that is meant: ASSENT_REWRITE=1 ./core_test "coordinator
// stories", then read the diff, and commit it only if you understand what caused it.

#include "tests/core/coordinator_story.h"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

const fs::path kStories = fs::path(ASSENT_SOURCE_DIR) / "tests/core/testdata";

std::set<fs::path> stories() {
  std::set<fs::path> found;
  for (const char* const folder : {"coordinator", "recovery"}) {
    for (const auto& entry : fs::directory_iterator(kStories / folder)) {
      if (entry.path().extension() == ".txt") found.insert(entry.path());
    }
  }
  return found;
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string indented(const std::string& output) {
  std::istringstream lines(output);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
  return out;
}

std::string played(Story& story, const std::string& command) {
  try {
    return indented(story.play(command));
  } catch (const std::exception& wrong) {
    return std::string("  WRONG COMMAND: ") + wrong.what() + "\n";
  }
}

/// The story with what happens now below each command. Commands begin at the margin, what happened
/// is indented, comments and empty lines stay as they are.
std::string told_anew(const std::string& told) {
  Story story;
  std::istringstream lines(told);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) continue;
    out += line + "\n";
    if (!line.empty() && line.front() != '#') out += played(story, line);
  }
  return out;
}

}  // namespace

TEST_CASE("coordinator stories") {
  const bool rewrite = std::getenv("ASSENT_REWRITE") != nullptr;
  const auto files = stories();
  REQUIRE(files.size() >= 60);
  for (const fs::path& file : files) {
    INFO(file.filename().string());
    const std::string told = read(file);
    const std::string now = told_anew(told);
    if (rewrite) std::ofstream(file, std::ios::binary) << now;
    const std::string& expected = rewrite ? now : told;
    CHECK(expected.find("WRONG COMMAND") == std::string::npos);
    CHECK(now == expected);
  }
}

}  // namespace assent::coordinator
