#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml.hpp>

#include "protocol/base/result.h"
#include "protocol/base/time.h"

/// Configuration files: every mistake is told with file, line and key, and what must stand there.

namespace assent::settings {

/// kInvalid where the file can't be read, or is no TOML; with the line.
Result<toml::value> read_toml(const std::filesystem::path& file);

/// What is wrong with the file, told in the order of its lines.
class Complaints {
 public:
  explicit Complaints(std::string file) : file_(std::move(file)) {}

  void add(const toml::value& where, std::string_view key, std::string_view what);

  bool empty() const { return found_.empty(); }

  /// kInvalid, a line for each.
  Error error();

 private:
  std::string file_;
  std::vector<std::pair<std::uint_least32_t, std::string>> found_;
};

/// One table of the file. Remembers which keys were asked for, so that `finish` knows the others.
/// What is asked for and wrong is among the complaints, and as if it were not there.
class Table {
 public:
  /// Both outlive it.
  Table(const toml::value& value, std::string name, Complaints& complaints);

  bool has(const std::string& key) { return find(key) != nullptr; }

  /// A complaint when it is missing or empty.
  std::optional<std::string> text(const std::string& key);

  /// These keep what `into` holds when the key is missing.
  template <typename Number>
  void count(const std::string& key, Number& into, std::int64_t min = 1,
             std::int64_t max = kCountMax) {
    const auto number = whole_number(key, min, max);
    if (number) into = static_cast<Number>(*number);
  }
  void milliseconds(const std::string& key, Duration& into, std::int64_t min = 1,
                    std::int64_t max = kMillisecondsMax);
  void hours(const std::string& key, Duration& into);
  void texts(const std::string& key, std::vector<std::string>& into);

  /// A complaint about a key that is there.
  void wrong(const std::string& key, std::string_view what) { wrong(*find(key), key, what); }

  /// Complains about every key that nobody has asked for.
  void finish();

 private:
  static constexpr std::int64_t kCountMax = 1'000'000;
  static constexpr std::int64_t kMillisecondsMax = 24LL * 3600 * 1000;

  const toml::value* find(const std::string& key);
  const toml::value* required(const std::string& key);
  std::optional<std::int64_t> whole_number(const std::string& key, std::int64_t min,
                                           std::int64_t max);
  void wrong(const toml::value& where, std::string_view key, std::string_view what);

  const toml::value& value_;
  std::string name_;
  Complaints& complaints_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace assent::settings
