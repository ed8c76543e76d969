#include "tests/core/story.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <catch2/catch.hpp>

namespace assent::testing {
namespace {

constexpr const char* kAnswerMark = "----";

std::string take_word(std::istringstream& in) {
  std::string word;
  bool quoted = false;
  for (char c = 0; in.get(c);) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      break;
    } else {
      word += c;
    }
  }
  return word;
}

StoryCommand parse_command(const std::string& line) {
  std::istringstream in(line);
  StoryCommand command{take_word(in), {}};
  while (in) {
    const std::string word = take_word(in);
    if (word.empty()) continue;
    const auto equals = word.find('=');
    command.args[word.substr(0, equals)] =
        equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  return command;
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The story as the core tells it now.
std::string play(const std::string& story, const StoryTeller& tell) {
  std::istringstream lines(story);
  std::string out;
  std::string answer;
  bool in_answer = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) in_answer = false;
    if (in_answer) continue;
    out += line + "\n";
    if (line == kAnswerMark) {
      in_answer = true;
      out += answer;
      answer.clear();
    } else if (!line.empty() && line.front() != '#') {
      answer += tell(parse_command(line));
    }
  }
  return out;
}

std::vector<std::filesystem::path> stories_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::string StoryCommand::text(const std::string& key, const std::string& otherwise) const {
  const auto at = args.find(key);
  return at == args.end() ? otherwise : at->second;
}

std::uint64_t StoryCommand::number(const std::string& key, std::uint64_t otherwise) const {
  const auto at = args.find(key);
  if (at == args.end()) return otherwise;
  const std::string& digits = at->second;
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
    throw std::invalid_argument(name + " " + key + "=" + digits + ": not a number");
  }
  return value;
}

void check_stories(const std::filesystem::path& folder,
                   const std::function<StoryTeller()>& make_teller) {
  const auto stories = stories_in(folder);
  REQUIRE_FALSE(stories.empty());
  for (const auto& file : stories) {
    INFO("story " << file.string());
    const std::string expected = read_text(file);
    const std::string told = play(expected, make_teller());
    if (std::getenv("ASSENT_REWRITE") != nullptr) {
      std::ofstream(file, std::ios::binary) << told;
    } else {
      CHECK(told == expected);
    }
  }
}

}  // namespace assent::testing
