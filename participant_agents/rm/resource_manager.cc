#include "participant_agents/rm/resource_manager.h"

#include "participant_agents/rm/postgres.h"
#include "protocol/base/check.h"

namespace assent::rm {

std::unique_ptr<ResourceManager> make_resource_manager(const Settings& settings) {
  ASSENT_CHECK(settings.kind == Kind::kPostgres);
  return make_postgres(settings);
}

}  // namespace assent::rm
