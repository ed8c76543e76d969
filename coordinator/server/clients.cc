#include "coordinator/server/clients.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include "protocol/wire/request_hash.h"

namespace assent::coordinator {
namespace {

/// A key without a hash would match nothing; without a key nobody asks for it.
RequestHash hash_of(const ClientRequest& body) {
  const auto* submit = std::get_if<Submit>(&body);
  if (submit == nullptr || submit->key.empty()) return {};
  return request_hash(submit->steps, submit->not_after);
}

bool is_work(const ClientRequest& body) {
  return std::holds_alternative<Submit>(body) || std::holds_alternative<Begin>(body);
}

/// Connections above the seats: for questions of people and of callers who want to know an outcome.
constexpr std::size_t kStandingRoom = 16;

Error no_seat(std::size_t sessions_max) {
  return {.code = ErrorCode::kBusy,
          .message = fmt::format(
              "{} clients are at work, the most allowed (sessions_max): questions are answered, "
              "but no work is taken; try again later",
              sessions_max)};
}

}  // namespace

Result<> Clients::listen(const Address& address) {
  auto listener = Listener::open(
      executor_, address, limits_.sessions_max + kStandingRoom,
      [this](std::unique_ptr<Transport> transport) { accept(std::move(transport)); });
  if (listener.has_error()) return listener.error();
  listener_ = std::move(*listener);
  return {};
}

void Clients::serve(Driver& driver, const ClientWelcome& welcome,
                    std::map<std::string, std::string> agents) {
  driver_ = &driver;
  welcome_ = welcome;
  agents_ = std::move(agents);
}

void Clients::reply(ClientSessionId session, RequestId request, ClientReply reply) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  if (auto* list = std::get_if<ParticipantList>(&reply)) {
    for (ParticipantSummary& each : list->participants) each.agent_address = agents_.at(each.name);
  }
  if (auto* status = std::get_if<CoordinatorStatus>(&reply)) {
    if (no_work_) status->findings.push_back({no_work_->message, {}, ""});
  }
  found->second->reply(request, std::move(reply));
}

void Clients::drain(std::function<void()> when_done) {
  listener_.reset();
  when_drained_ = std::move(when_done);
  if (sessions_.empty()) {
    boost::asio::post(executor_, when_drained_);
  } else if (under_way_ == 0) {
    close_all();
  }
}

void Clients::accept(std::unique_ptr<Transport> transport) {
  const ClientSessionId id{++sessions_begun_};
  auto session = ClientSession::make(id, welcome_, limits_.requests_max, *this);
  sessions_.emplace(id, session);
  session->start(executor_, std::move(transport));
}

bool Clients::requested(ClientSessionId session, RequestId request, ClientRequest body,
                        std::optional<Error> busy) {
  // While draining the link closes without an answer: a refusal would promise that the key is free
  // (R15).
  if (when_drained_) return false;
  if (is_work(body) && !busy) {
    busy = no_work_;
    if (!busy && !take_seat(session)) busy = no_seat(limits_.sessions_max);
  }
  ++under_way_;
  const RequestHash hash = hash_of(body);
  driver_->client_requested(session, request, std::move(body), hash, std::move(busy));
  return true;
}

/// False: none is left. A session that has one keeps it until it ends.
bool Clients::take_seat(ClientSessionId session) {
  if (seats_.contains(session)) return true;
  if (seats_.size() == limits_.sessions_max) return false;
  seats_.insert(session);
  return true;
}

void Clients::answered(std::size_t count) {
  under_way_ -= count;
  if (when_drained_ && under_way_ == 0) close_all();
}

void Clients::closed(ClientSessionId session) {
  sessions_.erase(session);
  seats_.erase(session);
  driver_->client_closed(session);
  if (when_drained_ && sessions_.empty()) when_drained_();
}

void Clients::close_all() {
  const Error stopping{.code = ErrorCode::kStopping, .message = "the coordinator is stopping"};
  for (const auto& [id, session] : sessions_) session->close(stopping);
}

}  // namespace assent::coordinator
