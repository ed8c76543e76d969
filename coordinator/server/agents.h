#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "coordinator/server/agent_link.h"
#include "coordinator/server/ports.h"

namespace assent::coordinator {

/// The links to all agents. On the executor, one thing at a time.
class Agents final : public AgentsPort {
 public:
  explicit Agents(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  /// Once for each participant; its link begins to connect.
  void add(Driver& driver, const std::string& participant, const Address& address,
           AgentLink::MakeHello make_hello);

  void send(const std::string& participant, AgentRequest request) override;
  void close(const std::string& participant, const Error& why) override;

 private:
  const boost::asio::any_io_executor executor_;
  std::map<std::string, std::shared_ptr<AgentLink>> links_;
};

}  // namespace assent::coordinator
