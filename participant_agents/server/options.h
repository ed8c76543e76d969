#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/channel/address.h"

namespace assent::agent {

/// Who may command this agent, and the secret that shows it.
struct KnownCoordinator {
  std::string name;
  std::string token;
};

/// What assent-agentd is told by its configuration file:
///
///   [agent]
///   participant = "points"            # the configured name of this database at its coordinators
///   listen = "127.0.0.1:7401"         # loopback only
///   link_grace_ms = 2000              # optional: how long unprepared branches outlive their link
///   [database]
///   kind = "postgres"                 # or "mariadb"
///   connection = "Driver={...};..."   # ODBC; the account must be the agent's own
///   work_sessions = 16                # optional: branches that work at the same time
///   finish_sessions = 4               # optional: for commit and rollback
///   queue_max = 1000                  # optional: messages of work that wait for a session
///   statement_timeout_ms = 10000      # optional
///   [[coordinator]]
///   name = "pay"
///   token_file = "/path/points.token" # of mode 0600, at least 16 bytes, a last newline not
///   counted
struct Options {
  Address listen;
  Duration link_grace = std::chrono::seconds(2);
  rm::Settings database;  ///< with the participant's name
  std::size_t work_sessions = 16;
  std::size_t finish_sessions = 4;
  std::size_t queue_max = 1000;
  std::vector<KnownCoordinator> coordinators;
};

/// kInvalid with file, line and key, and what to do; also for keys that nobody asked for and for
/// token files that cannot be used.
Result<Options> read_options(const std::filesystem::path& file);

}  // namespace assent::agent
