#include "coordinator/server/agents.h"

#include <utility>

namespace assent::coordinator {

void Agents::add(Driver& driver, const std::string& participant, const Address& address,
                 AgentLink::MakeHello make_hello) {
  auto link = AgentLink::make(executor_, driver, participant, address, std::move(make_hello));
  links_.emplace(participant, link);
  link->start();
}

void Agents::send(const std::string& participant, AgentRequest request) {
  links_.at(participant)->send(request);
}

void Agents::close(const std::string& participant, const Error& why) {
  links_.at(participant)->close(why);
}

}  // namespace assent::coordinator
