#include "chaos/campaign/deployment_config.h"

#include <utility>

#include "protocol/channel/address.h"
#include "protocol/settings/toml_file.h"

namespace assent::live {
namespace {

using settings::Complaints;
using settings::Table;

// An assentd and its agents listen on 127.0.0.1 and nowhere else.
std::optional<std::uint16_t> read_port(Table& table, const std::string& key) {
  const auto text = table.text(key);
  if (!text) return std::nullopt;
  const auto address = parse_address(*text);
  if (address.has_error()) {
    table.wrong(key, address.error().message);
    return std::nullopt;
  }
  if (address->host != "127.0.0.1") {
    table.wrong(key, "must be on 127.0.0.1: run this where it listens");
    return std::nullopt;
  }
  return address->port;
}

DeploymentConfig::Participant read_participant(Table table) {
  DeploymentConfig::Participant participant;
  participant.name = table.text("name").value_or("");
  if (const auto text = table.text("kind")) {
    if (const auto kind = parse_database_kind(*text))
      participant.kind = *kind;
    else
      table.wrong("kind", "must be \"postgres\" or \"mariadb\"");
  }
  participant.connection = table.text("connection").value_or("");
  if (table.has("agent")) participant.agent_port = read_port(table, "agent");
  table.finish();
  return participant;
}

DeploymentConfig::Command read_command(Table table) {
  DeploymentConfig::Command command{
      table.text("name").value_or(""), table.text("target").value_or(""),
      table.text("start").value_or(""), table.text("heal").value_or("")};
  table.finish();
  return command;
}

template <typename Read>
auto read_all(const toml::value& root, const std::string& key, Complaints& complaints, Read read) {
  std::vector<decltype(read(std::declval<Table>()))> all;
  if (!root.contains(key)) return all;
  const toml::value& list = root.at(key);
  if (!list.is_array()) {
    complaints.add(list, key, "must be written [[" + key + "]]");
    return all;
  }
  for (const toml::value& each : list.as_array()) all.push_back(read(Table(each, key, complaints)));
  return all;
}

}  // namespace

DeploymentConfig read_deployment_config(const std::filesystem::path& file) {
  const auto root = settings::read_toml(file);
  if (root.has_error()) throw SandboxError(root.error().message);
  Complaints complaints(file.string());
  Table table(*root, "", complaints);
  DeploymentConfig config;
  config.coordinator_port = read_port(table, "coordinator").value_or(0);
  table.texts("faults", config.faults);
  config.participants = read_all(*root, "participant", complaints, read_participant);
  config.commands = read_all(*root, "command", complaints, read_command);
  if (config.participants.size() < 2)
    complaints.add(*root, "participant", "at least two are needed, each as [[participant]]");
  for (const char* list : {"participant", "command"}) table.has(list);
  table.finish();
  if (!complaints.empty()) throw SandboxError(complaints.error().message);
  return config;
}

}  // namespace assent::live
