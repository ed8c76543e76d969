#pragma once

#include <memory>
#include <vector>

#include "chaos/campaign/deployment_config.h"
#include "chaos/faults/fault.h"

namespace assent::live {

// Faults that a deployment's owner describes by commands: a kind for each name.
std::vector<std::unique_ptr<Fault>> make_command_faults(
    const std::vector<DeploymentConfig::Command>& commands);

}  // namespace assent::live
