#pragma once

#include <map>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "coordinator/server/agent_link.h"
#include "coordinator/server/ports.h"

namespace assent::coordinator {

/// The links to all agents. One thread.
class Agents final : public AgentsPort {
 public:
  explicit Agents(boost::asio::io_context& io) : io_(io) {}

  /// Once for each participant; its link begins to connect.
  void add(Driver& driver, const std::string& participant, const Address& address,
           AgentLink::MakeHello make_hello);

  void send(const std::string& participant, AgentRequest request) override;
  void close(const std::string& participant, const Error& why) override;

  void stop();

 private:
  boost::asio::io_context& io_;
  std::map<std::string, std::shared_ptr<AgentLink>> links_;
};

}  // namespace assent::coordinator
