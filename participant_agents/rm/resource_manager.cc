#include "participant_agents/rm/resource_manager.h"

#include "participant_agents/rm/mariadb.h"
#include "participant_agents/rm/postgres.h"

namespace assent::rm {

std::unique_ptr<ResourceManager> make_resource_manager(const Settings& settings) {
  return settings.kind == Kind::kPostgres ? make_postgres(settings) : make_mariadb(settings);
}

}  // namespace assent::rm
