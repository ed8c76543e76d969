#pragma once

#include <memory>

#include "participant_agents/rm/resource_manager.h"

/// MariaDB 10.5 or later through Connector/ODBC: branches are XA transactions, the proof of a
/// commit is a witness row that the branch itself writes into its database (design section 6; F 9
/// to F 14).

namespace assent::rm {

std::unique_ptr<ResourceManager> make_mariadb(const Settings& settings);

}  // namespace assent::rm
