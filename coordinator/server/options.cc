#include "coordinator/server/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "protocol/base/xid.h"
#include "protocol/settings/toml_file.h"

namespace assent::coordinator {
namespace {

using settings::Complaints;
using settings::Table;

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

}  // namespace

Result<ServerOptions> read_options(const std::filesystem::path& file) {
  auto root = settings::read_toml(file);
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

}  // namespace assent::coordinator
