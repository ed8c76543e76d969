#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include "participant_agents/core/events.h"
#include "participant_agents/server/ports.h"
#include "protocol/base/result.h"
#include "protocol/channel/channel.h"
#include "protocol/channel/transport.h"
#include "protocol/message/agent.h"
#include "protocol/wire/convert.h"

namespace assent::agent {

/// The connections of coordinators, over all incarnations. A connection has to begin with a hello;
/// what is wrong with it is said in a Refused, then the link is closed. Runs on the executor, one
/// thing at a time.
class CoordinatorLinks final : public LinkPort {
 public:
  struct Hooks {
    /// Why this hello can't be let in; nullopt: `tell` its arrival.
    std::function<std::optional<Error>(const Hello&)> judge;
    std::function<void(Event)> tell;
  };

  CoordinatorLinks(boost::asio::any_io_executor executor, Hooks hooks);

  void accept(std::unique_ptr<Transport> transport);

  /// When an incarnation ends: nothing read before is obeyed after. What it has said leaves, such
  /// as why it ends; nothing waits for that, and a peer that does not read is cut as after a
  /// refusal. No LinkGone follows.
  void close_all(const Error& why);

  void welcome(LinkId link, const Welcome& welcome) override;
  void refuse(LinkId link, const Refused& refused) override;
  void reply(LinkId link, const AgentReply& reply) override;
  void close(LinkId link) override;

 private:
  struct Link {
    std::shared_ptr<Channel> channel;
    bool introduced = false;  ///< its hello was told
  };

  void on_body(LinkId id, std::string_view body);
  void on_hello(LinkId id, Hello hello);
  void on_closed(LinkId id, const Error& reason);
  void send_reply_without_results(Channel& channel, const AgentReply& reply);

  const boost::asio::any_io_executor executor_;
  const Hooks hooks_;
  std::map<LinkId, Link> links_;
  std::uint64_t last_link_ = 0;
};

}  // namespace assent::agent
