#include "coordinator/tools/words.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

namespace assent::tools {

std::string table_of(const std::vector<Row>& rows, std::string_view indent) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += indent;
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += row.back() + '\n';
  }
  return text;
}

std::string age_of(Duration age) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
  const auto seconds = ms / 1000;
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (seconds < 60) return fmt::format("{}.{}s", seconds, ms % 1000 / 100);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

std::string time_of(WallTime when) {
  const std::time_t seconds = when.ms_since_epoch / 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

std::string bytes_of(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, kUnits.at(unit));
}

std::string sentence_of(const Error& error) {
  std::string_view message = error.message;
  if (message.ends_with('.')) message.remove_suffix(1);
  std::string text = fmt::format("{}: {}", to_string(error.code), message);
  if (!error.participant.empty()) text += fmt::format(", at {}", error.participant);
  if (error.step >= 0) text += fmt::format(", step {}", error.step);
  if (!error.sqlstate.empty()) text += fmt::format(" (SQLSTATE {})", error.sqlstate);
  return text;
}

std::string words_of(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string or_dash(const std::optional<Error>& error) {
  return error ? sentence_of(*error) : "-";
}

std::string or_dash(const std::optional<Outcome>& outcome) {
  return outcome ? words_of(to_string(*outcome)) : "-";
}

}  // namespace assent::tools
