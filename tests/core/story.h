#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace assent::testing {

// A story drives a core by commands and holds everything that it answers:
//
//   # why this matters
//   hello link=1 epoch=2
//   gone link=1
//   ----
//   raise-fence link=1 ...
//
// Blocks are apart by an empty line; several commands of one block answer one after another. A
// value with spaces stands in "quotes"; a word without = is a flag.
struct StoryCommand {
  std::string name;
  std::map<std::string, std::string> args;

  bool has(const std::string& key) const { return args.contains(key); }
  std::string text(const std::string& key, const std::string& otherwise) const;
  // Throws std::invalid_argument, with key and value, for what is not a number.
  std::uint64_t number(const std::string& key, std::uint64_t otherwise) const;
};

// What one command comes to: lines, each with its newline.
using StoryTeller = std::function<std::string(const StoryCommand&)>;

// Plays every *.txt below `folder`, each to a teller of its own, and compares the whole text in a
// Catch2 check. With ASSENT_REWRITE=1 in the environment it writes the files instead: read the
// difference before committing it.
void check_stories(const std::filesystem::path& folder,
                   const std::function<StoryTeller()>& make_teller);

}  // namespace assent::testing
