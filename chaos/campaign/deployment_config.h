#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "chaos/sandbox/database_server.h"

namespace assent::live {

// What deployment.h's file says.
struct DeploymentConfig {
  struct Participant {
    std::string name;
    DatabaseKind kind = DatabaseKind::kPostgres;
    std::string connection;
    std::optional<std::uint16_t> agent_port;
  };
  struct Command {
    std::string name;
    std::string target;
    std::string start;
    std::string heal;
  };

  std::uint16_t coordinator_port = 0;
  std::vector<std::string> faults;
  std::vector<Participant> participants;
  std::vector<Command> commands;
};

// Throws SandboxError with file, line and key, and what to do.
DeploymentConfig read_deployment_config(const std::filesystem::path& file);

}  // namespace assent::live
