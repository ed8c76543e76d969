#include "participant_agents/server/options.h"

#include <utility>

#include <boost/asio/ip/address.hpp>

#include "protocol/base/xid.h"
#include "protocol/settings/token_file.h"
#include "protocol/settings/toml_file.h"

namespace assent::agent {
namespace {

using settings::Complaints;
using settings::Table;

void read_agent(Table table, Options& options) {
  if (auto participant = table.text("participant")) {
    if (!is_participant_name(*participant))
      table.wrong("participant", "must be 1 to 32 of a-z, 0-9, _ and -, beginning with a letter");
    options.database.participant = std::move(*participant);
  }
  if (const auto text = table.text("listen")) {
    const auto listen = parse_address(*text);
    if (!listen) {
      table.wrong("listen", listen.error().message);
    } else if (!boost::asio::ip::make_address(listen->host).is_loopback()) {
      table.wrong(
          "listen",
          "must be a loopback address, such as 127.0.0.1:7401: links are not encrypted yet");
    } else {
      options.listen = *listen;
    }
  }
  table.milliseconds("link_grace_ms", options.link_grace, 0, 60'000);
  table.finish();
}

void read_database(Table table, Options& options) {
  if (const auto kind = table.text("kind")) {
    if (*kind != "postgres" && *kind != "mariadb")
      table.wrong("kind", "must be \"postgres\" or \"mariadb\"");
    options.database.kind = *kind == "postgres" ? rm::Kind::kPostgres : rm::Kind::kMariadb;
  }
  if (auto connection = table.text("connection"))
    options.database.connection = std::move(*connection);
  table.milliseconds("statement_timeout_ms", options.database.statement_timeout, 100, 600'000);
  table.count("work_sessions", options.work_sessions, 1, 500);
  table.count("finish_sessions", options.finish_sessions, 1, 100);
  table.count("queue_max", options.queue_max, 0, 100'000);
  table.finish();
}

void read_coordinator(Table table, Options& options) {
  KnownCoordinator known;
  if (auto name = table.text("name")) {
    known.name = std::move(*name);
    for (const auto& other : options.coordinators) {
      if (other.name == known.name) table.wrong("name", "stands in two [[coordinator]] sections");
    }
  }
  if (const auto file = table.text("token_file")) {
    auto token = settings::read_token(*file);
    if (token)
      known.token = std::move(*token);
    else
      table.wrong("token_file", token.error().message);
  }
  table.finish();
  options.coordinators.push_back(std::move(known));
}

void read_coordinators(const toml::value& list, Complaints& complaints, Options& options) {
  if (!list.is_array()) {
    complaints.add(list, "coordinator", "must be written [[coordinator]]");
    return;
  }
  for (const toml::value& each : list.as_array())
    read_coordinator(Table(each, "coordinator", complaints), options);
}

void read_root(const toml::value& root, Complaints& complaints, Options& options) {
  for (const char* section : {"agent", "database", "coordinator"}) {
    if (!root.contains(section)) complaints.add(root, section, "is missing");
  }
  for (const auto& [key, value] : root.as_table()) {
    if (key == "agent") {
      read_agent(Table(value, key, complaints), options);
    } else if (key == "database") {
      read_database(Table(value, key, complaints), options);
    } else if (key == "coordinator") {
      read_coordinators(value, complaints, options);
    } else {
      complaints.add(value, key, "there is no such key; known are agent, database, coordinator");
    }
  }
}

}  // namespace

Result<Options> read_options(const std::filesystem::path& file) {
  const auto root = settings::read_toml(file);
  if (root.has_error()) return root.error();
  Options options;
  Complaints complaints(file.string());
  read_root(*root, complaints, options);
  if (!complaints.empty()) return complaints.error();
  return options;
}

}  // namespace assent::agent
