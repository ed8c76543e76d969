#include "coordinator/server/options.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <toml.hpp>

#include "protocol/base/xid.h"

namespace assent::coordinator {
namespace {

constexpr std::int64_t kCountMax = 1'000'000;
constexpr std::int64_t kMillisecondsMax = 24LL * 3600 * 1000;
constexpr std::int64_t kRetentionHoursMax = 24LL * 366;
constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 1024;

Error invalid(std::string message) {
  Error error;
  error.code = ErrorCode::kInvalid;
  error.message = std::move(message);
  return error;
}

/// What is wrong with the file, told in the order of its lines.
class Complaints {
 public:
  explicit Complaints(std::string file) : file_(std::move(file)) {}

  void add(const toml::value& where, std::string_view key, std::string_view what) {
    found_.emplace_back(where.location().line(), fmt::format("{}: {}", key, what));
  }

  bool empty() const { return found_.empty(); }

  Error error() {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text;
    for (const auto& [line, what] : found_) {
      if (!text.empty()) text += '\n';
      text += fmt::format("{}:{}: {}", file_, line, what);
    }
    return invalid(std::move(text));
  }

 private:
  std::string file_;
  std::vector<std::pair<std::uint_least32_t, std::string>> found_;
};

/// One table of the file. Remembers which keys were asked for, so that `finish` knows the others.
class Table {
 public:
  Table(const toml::value& value, std::string name, Complaints& complaints)
      : value_(value), name_(std::move(name)), complaints_(complaints) {
    if (!value_.is_table()) complaints_.add(value_, name_, "must be a table");
  }

  std::optional<std::string> text(const std::string& key) {
    const toml::value* found = required(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_string() || found->as_string().str.empty()) {
      wrong(*found, key, "must be a text in quotes that is not empty");
      return std::nullopt;
    }
    return found->as_string().str;
  }

  /// Keeps what `into` holds when the key is missing.
  template <typename Number>
  void count(const std::string& key, Number& into, std::int64_t min = 1) {
    const auto number = whole_number(key, kCountMax, min);
    if (number) into = static_cast<Number>(*number);
  }

  void milliseconds(const std::string& key, Duration& into) {
    const auto number = whole_number(key, kMillisecondsMax);
    if (number) into = std::chrono::milliseconds(*number);
  }

  void hours(const std::string& key, Duration& into) {
    const auto number = whole_number(key, kRetentionHoursMax);
    if (number) into = std::chrono::hours(*number);
  }

  void wrong(const std::string& key, std::string_view what) { wrong(*find(key), key, what); }

  void finish() {
    if (!value_.is_table()) return;
    for (const auto& [key, value] : value_.as_table()) {
      if (!asked_.contains(key)) wrong(value, key, "there is no such key");
    }
  }

 private:
  const toml::value* find(const std::string& key) {
    asked_.insert(key);
    if (!value_.is_table()) return nullptr;
    const auto found = value_.as_table().find(key);
    return found == value_.as_table().end() ? nullptr : &found->second;
  }

  const toml::value* required(const std::string& key) {
    const toml::value* found = find(key);
    if (found == nullptr && value_.is_table()) wrong(value_, key, "is missing");
    return found;
  }

  std::optional<std::int64_t> whole_number(const std::string& key, std::int64_t max,
                                           std::int64_t min = 1) {
    const toml::value* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_integer() || found->as_integer() < min || found->as_integer() > max) {
      wrong(*found, key, fmt::format("must be a whole number from {} to {}", min, max));
      return std::nullopt;
    }
    return found->as_integer();
  }

  void wrong(const toml::value& where, std::string_view key, std::string_view what) {
    complaints_.add(where, fmt::format("{}.{}", name_, key), what);
  }

  const toml::value& value_;
  std::string name_;
  Complaints& complaints_;
  std::set<std::string, std::less<>> asked_;
};

std::optional<Address> read_address(Table& table, const std::string& key) {
  const auto text = table.text(key);
  if (!text) return std::nullopt;
  auto address = parse_address(*text);
  if (address.has_error()) {
    table.wrong(key, address.error().message);
    return std::nullopt;
  }
  // Until TLS is there (design section 3) token and payments could be read on the way.
  if (!boost::asio::ip::make_address(address->host).is_loopback()) {
    table.wrong(key,
                "must be a loopback address, such as 127.0.0.1:7400: links are not encrypted yet");
    return std::nullopt;
  }
  return std::move(*address);
}

std::filesystem::path beside(const std::filesystem::path& file, const std::string& path) {
  return std::filesystem::absolute(file).parent_path() / path;
}

void read_coordinator(Table table, const std::filesystem::path& file, ServerOptions& options) {
  if (auto name = table.text("name")) {
    if (!is_participant_name(*name))
      table.wrong("name", "must be 1 to 32 of a-z, 0-9, _ and -, beginning with a letter");
    options.core.name = std::move(*name);
  }
  if (auto listen = read_address(table, "listen")) options.listen = std::move(*listen);
  if (auto folder = table.text("data_dir")) options.data_dir = beside(file, *folder);
  table.finish();
}

void read_limits(Table table, ServerOptions& options) {
  Config& core = options.core;
  table.count("transactions_max", core.transactions_max);
  table.count("branches_per_participant_max", core.branches_per_participant_max);
  table.count("sessions_max", options.sessions_max);
  table.count("session_requests_max", options.session_requests_max);
  table.count("disk_free_min_mib", options.disk_free_min_mib, 0);
  table.count("log_max_mib", options.log_max_mib, 0);
  table.milliseconds("drain_timeout_ms", options.drain_timeout);
  table.milliseconds("default_timeout_ms", core.default_timeout);
  table.milliseconds("timeout_max_ms", core.timeout_max);
  table.milliseconds("interactive_timeout_ms", core.interactive_timeout);
  table.milliseconds("optimistic_lock_wait_ms", core.optimistic_lock_wait);
  table.milliseconds("ordered_lock_wait_ms", core.ordered_lock_wait);
  table.milliseconds("retry_min_ms", core.retry_min);
  table.milliseconds("retry_max_ms", core.retry_max);
  table.milliseconds("scan_interval_ms", core.scan_interval);
  table.hours("retention_hours", core.retention);
  table.finish();
}

void read_participant(Table table, const std::filesystem::path& file, ServerOptions& options) {
  ParticipantOptions participant;
  if (auto name = table.text("name")) {
    const auto& before = options.core.participants;
    if (!is_participant_name(*name))
      table.wrong("name", "must be 1 to 32 of a-z, 0-9, _ and -, beginning with a letter");
    if (std::find(before.begin(), before.end(), *name) != before.end())
      table.wrong("name", fmt::format("'{}' names another participant already", *name));
    participant.name = std::move(*name);
  }
  if (auto agent = read_address(table, "agent")) participant.agent = std::move(*agent);
  if (auto token = table.text("token_file")) participant.token_file = beside(file, *token);
  table.finish();
  options.core.participants.push_back(participant.name);
  options.participants.push_back(std::move(participant));
}

void read_participants(const toml::value& list, const std::filesystem::path& file,
                       Complaints& complaints, ServerOptions& options) {
  if (!list.is_array()) {
    complaints.add(list, "participant", "must be written [[participant]]");
    return;
  }
  for (const toml::value& each : list.as_array())
    read_participant(Table(each, "participant", complaints), file, options);
}

void read_root(const toml::value& root, const std::filesystem::path& file, Complaints& complaints,
               ServerOptions& options) {
  bool coordinator = false;
  bool participants = false;
  for (const auto& [key, value] : root.as_table()) {
    if (key == "coordinator") {
      coordinator = true;
      read_coordinator(Table(value, key, complaints), file, options);
    } else if (key == "limits") {
      read_limits(Table(value, key, complaints), options);
    } else if (key == "participant") {
      participants = true;
      read_participants(value, file, complaints, options);
    } else {
      complaints.add(value, key,
                     "there is no such key; known are coordinator, limits, participant");
    }
  }
  if (!coordinator) complaints.add(root, "coordinator", "is missing");
  if (!participants)
    complaints.add(root, "participant", "is missing: name at least one database's agent");
}

Result<toml::value> parse(const std::filesystem::path& file) {
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

std::string_view without_space_around(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Result<ServerOptions> read_options(const std::filesystem::path& file) {
  auto root = parse(file);
  if (root.has_error()) return root.error();
  ServerOptions options;
  Complaints complaints(file.string());
  read_root(*root, file, complaints, options);
  if (!complaints.empty()) return complaints.error();
  if (auto valid = options.core.validate(); valid.has_error()) {
    Error error = valid.error();
    error.message = fmt::format("{}: {}", file.string(), error.message);
    return error;
  }
  return options;
}

Result<std::string> read_token(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    return invalid(
        fmt::format("token file {} can't be read: {}", file.string(), std::strerror(errno)));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return invalid(fmt::format("token file {} may be read by others than its owner: chmod 600 {}",
                               file.string(), file.string()));
  std::ifstream stream(file, std::ios::binary);
  std::string text(kTokenBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    return invalid(
        fmt::format("token file {} can't be read: {}", file.string(), std::strerror(errno)));
  const auto token = without_space_around(
      std::string_view(text.data(), static_cast<std::size_t>(stream.gcount())));
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax)
    return invalid(fmt::format("token file {} must hold {} to {} characters", file.string(),
                               kTokenBytesMin, kTokenBytesMax));
  return std::string(token);
}

}  // namespace assent::coordinator
