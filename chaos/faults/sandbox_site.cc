#include "chaos/faults/sandbox_site.h"

namespace assent::live {

std::vector<Site::Server> SandboxSite::servers() const {
  std::vector<Server> servers{{"coordinator", sandbox_.coordinator().spec().port}};
  for (const Participant& each : sandbox_.spec().participants)
    servers.push_back({"agent-" + each.name, sandbox_.agent(each.name).spec().port});
  return servers;
}

}  // namespace assent::live
