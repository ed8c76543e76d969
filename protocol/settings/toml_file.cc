#include "protocol/settings/toml_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

namespace assent::settings {
namespace {

constexpr std::int64_t kHoursMax = 24LL * 366;

Error invalid(std::string message) {
  Error error;
  error.code = ErrorCode::kInvalid;
  error.message = std::move(message);
  return error;
}

}  // namespace

Result<toml::value> read_toml(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return invalid(fmt::format("{}: can't be read: {}", file.string(), std::strerror(errno)));
  }
  try {
    return toml::parse(stream, file.string());
  } catch (const toml::exception& wrong) {
    // what() is a drawing of several lines; the sentence is its first.
    std::string_view what = wrong.what();
    what = what.substr(0, what.find('\n'));
    if (what.starts_with("[error] ")) what.remove_prefix(8);
    return invalid(fmt::format("{}:{}: {}", file.string(), wrong.location().line(), what));
  } catch (const std::exception& wrong) {
    return invalid(fmt::format("{}: can't be read: {}", file.string(), wrong.what()));
  }
}

// ---- complaints

void Complaints::add(const toml::value& where, std::string_view key, std::string_view what) {
  found_.emplace_back(where.location().line(), fmt::format("{}: {}", key, what));
}

Error Complaints::error() {
  std::stable_sort(found_.begin(), found_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [line, what] : found_) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{}:{}: {}", file_, line, what);
  }
  return invalid(std::move(text));
}

// ---- a table

Table::Table(const toml::value& value, std::string name, Complaints& complaints)
    : value_(value), name_(std::move(name)), complaints_(complaints) {
  if (!value_.is_table()) complaints_.add(value_, name_, "must be a table");
}

std::optional<std::string> Table::text(const std::string& key) {
  const toml::value* found = required(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string() || found->as_string().str.empty()) {
    wrong(*found, key, "must be a text in quotes that is not empty");
    return std::nullopt;
  }
  return found->as_string().str;
}

void Table::milliseconds(const std::string& key, Duration& into, std::int64_t min,
                         std::int64_t max) {
  const auto number = whole_number(key, min, max);
  if (number) into = std::chrono::milliseconds(*number);
}

void Table::hours(const std::string& key, Duration& into) {
  const auto number = whole_number(key, 1, kHoursMax);
  if (number) into = std::chrono::hours(*number);
}

void Table::texts(const std::string& key, std::vector<std::string>& into) {
  const toml::value* found = find(key);
  if (found == nullptr) return;
  const bool fits =
      found->is_array() && std::all_of(found->as_array().begin(), found->as_array().end(),
                                       [](const toml::value& each) { return each.is_string(); });
  if (!fits) return wrong(*found, key, "must be a list of texts in quotes");
  into.clear();
  for (const toml::value& each : found->as_array()) into.push_back(each.as_string().str);
}

void Table::finish() {
  if (!value_.is_table()) return;
  for (const auto& [key, value] : value_.as_table()) {
    if (!asked_.contains(key)) wrong(value, key, "there is no such key");
  }
}

const toml::value* Table::find(const std::string& key) {
  asked_.insert(key);
  if (!value_.is_table()) return nullptr;
  const auto found = value_.as_table().find(key);
  return found == value_.as_table().end() ? nullptr : &found->second;
}

const toml::value* Table::required(const std::string& key) {
  const toml::value* found = find(key);
  if (found == nullptr && value_.is_table()) wrong(value_, key, "is missing");
  return found;
}

std::optional<std::int64_t> Table::whole_number(const std::string& key, std::int64_t min,
                                                std::int64_t max) {
  const toml::value* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_integer() || found->as_integer() < min || found->as_integer() > max) {
    wrong(*found, key, fmt::format("must be a whole number from {} to {}", min, max));
    return std::nullopt;
  }
  return found->as_integer();
}

void Table::wrong(const toml::value& where, std::string_view key, std::string_view what) {
  complaints_.add(where, name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key), what);
}

}  // namespace assent::settings
