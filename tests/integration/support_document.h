#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// A document whose console blocks are run, so that what it shows stays true.
///
///   ## A symptom                       a story begins
///   ```sandbox
///   stop agent-payments                makes the symptom, or does what the text asks for
///   ```
///   ```console
///   $ assentctl list --in-doubt        what the reader types
///   5d2c.. commit ...                  what is then printed
///   ```

namespace assent::testing {

struct DocumentStep {
  enum class Kind { kDo, kCommand } kind = Kind::kDo;
  std::string text;    ///< a line of a sandbox block; of a console block, behind `$ `
  std::string output;  ///< of a command: lines up to the next one
  int line = 0;
};

struct DocumentStory {
  std::string title;
  std::vector<DocumentStep> steps;
};

/// The stories that have steps. Throws std::runtime_error when a block does not end.
std::vector<DocumentStory> read_document(const std::filesystem::path& file);

/// Puts `commands`, with their outputs, in the place of those that stand there, in their order.
void rewrite_document(const std::filesystem::path& file, const std::vector<DocumentStep>& commands);

/// The names that a document uses for what differs from run to run: its transactions.
class DocumentNames {
 public:
  /// True when both texts say the same but for numbers, times and the width of columns, and every
  /// gtrid of the document stands for one of this run; then those are remembered.
  bool match(const std::string& shown, const std::string& printed);

  /// The n-th gtrid of a story stands for the n-th that its commands have printed: for rewriting.
  void learn(const DocumentStory& story, const std::string& printed);

  /// The document's gtrids replaced by this run's.
  std::string translate(const std::string& text) const;

 private:
  std::map<std::string, std::string> gtrids_;  // of the document: of this run
};

/// What `match` compares: without numbers, times, gtrids and widths.
std::string plain(const std::string& text);

}  // namespace assent::testing
