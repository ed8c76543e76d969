#include "chaos/sim/client.h"

#include <chrono>
#include <utility>

namespace assent::sim {
namespace {

using coordinator::RequestId;

constexpr Duration kPatience = std::chrono::seconds(10);

}  // namespace

Client::Client(const Process& process, Links& links, const Weather& weather, FindCoordinator find)
    : process_(process), links_(links), weather_(weather), find_(std::move(find)) {}

bool Client::ask(ClientRequest question, Answered answered) {
  if (!link_) {
    Coordinator* coordinator = find_();
    if (coordinator == nullptr) return false;
    connect(*coordinator);
  }
  request_ = ++last_request_;
  answered_ = std::move(answered);
  link_->send(Link::Side::kCaller,
              [coordinator = coordinator_, session = session_, id = RequestId{request_},
               body = std::move(question)] { coordinator->request(session, id, body); });
  process_.in(kPatience, [this, request = request_] { on_silence(request); });
  return true;
}

void Client::give_up() {
  if (link_) link_->close(Link::Side::kCaller);
  link_.reset();
  request_ = 0;
  answered_ = nullptr;
}

void Client::connect(Coordinator& coordinator) {
  link_ = links_.make(process_.world(), weather_, process_.name());
  coordinator_ = &coordinator;
  link_->attach(Link::Side::kCaller, process_, [this](const Error&) { on_lost(); });
  session_ = coordinator.accept(
      link_, [this](RequestId request, const ClientReply& reply) { on_reply(request, reply); });
}

void Client::on_reply(RequestId request, const ClientReply& reply) {
  if (static_cast<std::uint64_t>(request) != request_) return;
  request_ = 0;
  std::exchange(answered_, nullptr)(reply);
}

void Client::on_silence(std::uint64_t request) {
  if (request_ != request) return;
  link_->close(Link::Side::kCaller);
  on_lost();
}

void Client::on_lost() {
  link_.reset();
  if (std::exchange(request_, 0) != 0) std::exchange(answered_, nullptr)(std::nullopt);
}

}  // namespace assent::sim
