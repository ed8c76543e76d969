#include "tests/integration/support_document.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace assent::testing {
namespace {

const std::regex& gtrid_pattern() {
  static const std::regex pattern("[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+");
  return pattern;
}

std::vector<std::string> gtrids_in(const std::string& text) {
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), gtrid_pattern()), end; it != end; ++it) {
    out.push_back(it->str());
  }
  return out;
}

std::vector<std::string> distinct(const std::vector<std::string>& all) {
  std::vector<std::string> out;
  for (const std::string& one : all) {
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
  }
  return out;
}

std::optional<std::string> behind(const std::string& line, const std::string& start) {
  if (line.rfind(start, 0) != 0) return std::nullopt;
  return line.substr(start.size());
}

/// Reads line by line; knows in what block it is.
class Reader {
 public:
  void take(const std::string& line) {
    ++line_;
    if (block_ != Block::kNone) return take_in_block(line);
    if (line == "```console") {
      block_ = Block::kConsole;
    } else if (line == "```sandbox") {
      block_ = Block::kSandbox;
    } else if (const auto title = behind(line, "## ")) {
      stories_.push_back({*title, {}});
    }
  }

  std::vector<DocumentStory> finish() {
    if (block_ != Block::kNone) throw std::runtime_error("the last block does not end");
    std::erase_if(stories_, [](const DocumentStory& story) { return story.steps.empty(); });
    return std::move(stories_);
  }

 private:
  enum class Block { kNone, kConsole, kSandbox };

  void take_in_block(const std::string& line) {
    if (line == "```") {
      block_ = Block::kNone;
    } else if (block_ == Block::kSandbox) {
      add({DocumentStep::Kind::kDo, line, "", line_});
    } else if (const auto command = behind(line, "$ ")) {
      add({DocumentStep::Kind::kCommand, *command, "", line_});
    } else {
      stories_.back().steps.back().output += line + "\n";
    }
  }

  void add(DocumentStep step) {
    if (stories_.empty()) throw std::runtime_error("a step stands before the first heading");
    stories_.back().steps.push_back(std::move(step));
  }

  std::vector<DocumentStory> stories_;
  Block block_ = Block::kNone;
  int line_ = 0;
};

}  // namespace

std::vector<DocumentStory> read_document(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  Reader reader;
  for (std::string line; std::getline(stream, line);) reader.take(line);
  return reader.finish();
}

void rewrite_document(const std::filesystem::path& file,
                      const std::vector<DocumentStep>& commands) {
  std::ostringstream out;
  {
    std::ifstream stream(file);
    auto command = commands.begin();
    bool in_block = false;
    for (std::string line; std::getline(stream, line);) {
      const bool is_command = in_block && behind(line, "$ ");
      if (!in_block || line == "```") out << line << "\n";
      if (is_command) {
        out << "$ " << command->text << "\n" << command->output;
        ++command;
      }
      in_block = in_block ? line != "```" : line == "```console";
    }
  }
  std::ofstream(file) << out.str();
}

std::string plain(const std::string& text) {
  std::string out = std::regex_replace(text, gtrid_pattern(), "GTRID");
  out = std::regex_replace(out, std::regex("/[^ ]*/sandbox/"), "SANDBOX/");
  out = std::regex_replace(out, std::regex("\\b[0-9a-f]{32}\\b"), "DATABASE");
  out = std::regex_replace(out, std::regex("\\b[0-9a-f]{16}\\b"), "LOG");
  out = std::regex_replace(out, std::regex("\\b[0-9][0-9.]*(d|h|m|s|ms|us)([0-9]+(h|m|s|ms))*\\b"),
                           "TIME");
  out = std::regex_replace(out, std::regex("[0-9][0-9,.]*"), "N");
  out = std::regex_replace(out, std::regex("[-=]{3,}"), "---");
  out = std::regex_replace(out, std::regex("[ \\t]+"), " ");
  return std::regex_replace(out, std::regex(" ?\\n\\s*"), "\n");
}

bool DocumentNames::match(const std::string& shown, const std::string& printed) {
  if (plain(shown) != plain(printed)) return false;
  const std::vector<std::string> theirs = gtrids_in(shown);
  const std::vector<std::string> ours = gtrids_in(printed);
  std::map<std::string, std::string> gtrids = gtrids_;
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (gtrids.emplace(theirs[i], ours[i]).first->second != ours[i]) return false;
  }
  gtrids_ = std::move(gtrids);
  return true;
}

void DocumentNames::learn(const DocumentStory& story, const std::string& printed) {
  std::string told;
  for (const DocumentStep& step : story.steps) told += step.text + "\n" + step.output;
  const std::vector<std::string> theirs = distinct(gtrids_in(told));
  const std::vector<std::string> ours = distinct(gtrids_in(printed));
  for (std::size_t i = 0; i < std::min(theirs.size(), ours.size()); ++i)
    gtrids_[theirs[i]] = ours[i];
}

std::string DocumentNames::translate(const std::string& text) const {
  std::string out = text;
  for (const auto& [theirs, ours] : gtrids_) {
    out = std::regex_replace(out, std::regex(theirs), ours);
  }
  return out;
}

}  // namespace assent::testing
