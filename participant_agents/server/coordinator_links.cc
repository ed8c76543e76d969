#include "participant_agents/server/coordinator_links.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "participant_agents/core/refusal.h"
#include "participant_agents/server/crash_points.h"
#include "protocol/base/check.h"

namespace assent::agent {

CoordinatorLinks::CoordinatorLinks(boost::asio::any_io_executor executor, Hooks hooks)
    : executor_(std::move(executor)), hooks_(std::move(hooks)) {}

void CoordinatorLinks::accept(std::unique_ptr<Transport> transport) {
  const LinkId id{++last_link_};
  auto channel = Channel::make(executor_, std::move(transport));
  links_[id].channel = channel;
  channel->start([this, id](std::string_view body) { on_body(id, body); },
                 [this, id](const Error& reason) { on_closed(id, reason); });
}

void CoordinatorLinks::on_body(LinkId id, std::string_view body) {
  const auto at = links_.find(id);
  if (at == links_.end()) return;
  auto decoded = decode_to_agent(body);
  if (!decoded) return refuse(id, {decoded.error()});
  if (auto* request = std::get_if<AgentRequest>(&*decoded)) {
    if (!at->second.introduced) {
      return refuse(id, {refusal(ErrorCode::kUnauthorized, "a link begins with a hello")});
    }
    crash_point(point_of(*request));
    return hooks_.tell(RequestArrived{id, std::move(*request)});
  }
  if (at->second.introduced) {
    return refuse(id, {refusal(ErrorCode::kInvalid, "a link has one hello")});
  }
  on_hello(id, std::get<Hello>(std::move(*decoded)));
}

void CoordinatorLinks::on_hello(LinkId id, Hello hello) {
  Link& link = links_.at(id);
  if (auto error = hooks_.judge(hello)) {
    spdlog::warn("coordinator={} at {} refused: {}", hello.coordinator, link.channel->peer(),
                 error->message);
    return refuse(id, {*error});
  }
  link.introduced = true;
  link.channel->established();
  crash_point("agent.hello.received");
  hooks_.tell(HelloArrived{id, std::move(hello)});
}

void CoordinatorLinks::on_closed(LinkId id, const Error& reason) {
  const auto at = links_.find(id);
  if (at == links_.end()) return;
  const bool introduced = at->second.introduced;
  links_.erase(at);
  if (!introduced) return;
  spdlog::info("link={} closed: {}", static_cast<std::uint64_t>(id), reason.message);
  crash_point("agent.link.gone");
  hooks_.tell(LinkGone{id});
}

void CoordinatorLinks::close_all(const Error& why) {
  for (auto& [id, link] : std::exchange(links_, {})) link.channel->close_when_sent(why);
}

// ---------------------------------------------------------------- what the core has to say

void CoordinatorLinks::welcome(LinkId link, const Welcome& welcome) {
  const auto at = links_.find(link);
  if (at == links_.end()) return;
  crash_point("agent.welcome.before_send");
  const auto sent = at->second.channel->send(welcome);
  ASSENT_CHECK(sent.has_value());  // a welcome is short
  at->second.channel->crash_point_when_sent("agent.welcome.sent");
}

void CoordinatorLinks::refuse(LinkId link, const Refused& refused) {
  const auto at = links_.find(link);
  if (at == links_.end()) return;
  const auto channel = std::move(at->second.channel);
  const bool told = at->second.introduced;
  links_.erase(at);
  const auto sent = channel->send(refused);
  ASSENT_CHECK(sent.has_value());  // encode() cuts its text to the limit
  channel->close_when_sent(refused.error);
  // The core forgets a link that it refuses itself; one that breaks the protocol later it has to be
  // told of.
  if (told) hooks_.tell(LinkGone{link});
}

void CoordinatorLinks::reply(LinkId link, const AgentReply& reply) {
  const auto at = links_.find(link);
  if (at == links_.end()) return;
  Channel& channel = *at->second.channel;
  const PointsAround points = points_around(reply);
  crash_point(points.before);
  if (!channel.send(reply)) send_reply_without_results(channel, reply);
  channel.crash_point_when_sent(points.after);
}

/// Rows of many statements can be longer together than a frame may be. The coordinator has to get
/// an answer: the branch stays what it is, and the transaction is rolled back.
void CoordinatorLinks::send_reply_without_results(Channel& channel, const AgentReply& reply) {
  const Error error = refusal(ErrorCode::kStatementFailed,
                              "the rows of all statements are longer together than " +
                                  std::to_string(kFrameBytesMax) + " bytes; ask for fewer");
  AgentReply shorter{reply.incarnation, Pong{}};
  if (const auto* worked = std::get_if<Worked>(&reply.body)) {
    shorter.body = Worked{worked->xid, worked->first_index, {}, error};
  } else if (const auto* voted = std::get_if<Voted>(&reply.body)) {
    shorter.body = Voted{voted->xid, Vote::kUnknown, {}, error, {}};
  } else if (const auto* list = std::get_if<PreparedList>(&reply.body)) {
    shorter.body = PreparedList{list->scan, {}, 0, error};
  } else if (const auto* seen = std::get_if<Inspected>(&reply.body)) {
    shorter.body = Inspected{seen->serial, {}, {}, error};
  }
  const auto sent = channel.send(shorter);
  ASSENT_CHECK(sent.has_value());
}

void CoordinatorLinks::close(LinkId link) {
  const auto at = links_.find(link);
  if (at == links_.end()) return;
  const auto channel = std::move(at->second.channel);
  links_.erase(at);
  channel->close(refusal(ErrorCode::kFenced, "a newer link of this coordinator has replaced it"));
}

}  // namespace assent::agent
