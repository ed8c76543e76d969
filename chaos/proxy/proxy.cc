#include "chaos/proxy/proxy.h"

#include <algorithm>
#include <future>
#include <list>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "chaos/proxy/passage.h"

namespace assent::live {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Runs `f` in the thread of `io`, and returns when it has.
template <typename F>
auto in_thread(asio::io_context& io, F f) {
  std::packaged_task<decltype(f())()> task(std::move(f));
  auto done = task.get_future();
  asio::post(io, std::move(task));
  return done.get();
}

tcp::endpoint loopback(std::uint16_t port) {
  return {asio::ip::address_v4::loopback(), port};
}

}  // namespace

// ---- a trap

bool Trap::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [&] { return state_->caught; });
}

void Trap::release() {
  if (!state_) return;  // moved from
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->released, true)) return;
  }
  state_->go_on();
}

// ---- a link

class ProxyLink::Impl {
 public:
  Impl(asio::io_context& io, Carries carries, std::uint16_t server_port, std::uint64_t seed,
       std::function<void(const Frame&)> see)
      : io_(io),
        server_(loopback(server_port)),
        seed_(seed),
        acceptor_(io, loopback(0)),
        port_(acceptor_.local_endpoint().port()),
        state_{carries, {}, {}, {}, std::move(see)} {
    accept();
  }

  std::uint16_t port() const { return port_; }
  Carries carries() const { return state_.carries; }

  template <typename F>
  auto in_thread(F f) {
    return live::in_thread(io_, std::move(f));
  }

  void set(Direction direction, const Conduct& conduct) {
    state_.conducts.at(static_cast<std::size_t>(direction)) = conduct;
    for (const auto& passage : passages_) passage->go_on();
  }

  void cut(Cut how) {
    for_all_standing([&](Passage& passage) { passage.cut(how); });
  }

  void half_open(End survivor) {
    for_all_standing([&](Passage& passage) { passage.half_open(survivor); });
  }

  void refuse() { refuses_ = true; }

  void heal() {
    refuses_ = false;
    state_.conducts = {};
    for (const auto& passage : passages_) passage->heal();
  }

  void set_trap(std::shared_ptr<Trap::State> trap) { state_.traps.push_back(std::move(trap)); }

  // In any thread.
  void trap_released(const std::weak_ptr<Trap::State>& trap) {
    asio::post(io_, [this, trap] {
      state_.traps.remove(trap.lock());
      for (const auto& passage : passages_) passage->go_on();
    });
  }

  const LinkCounts& counts() const { return state_.counts; }

 private:
  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error) return;  // no descriptors left: the peer waits, as for a server that is gone
      welcome(std::move(socket));
      accept();
    });
  }

  void welcome(tcp::socket socket) {
    passages_.remove_if([](const auto& passage) { return passage->has_ended(); });
    const std::uint64_t number = ++state_.counts.connections;
    const auto& passage = passages_.emplace_back(
        std::make_shared<Passage>(std::move(socket), state_, seed_ + number));
    if (refuses_) return passage->cut(Cut::kReset);
    passage->begin(server_);
  }

  template <typename Action>
  void for_all_standing(Action action) {
    for (const auto& passage : passages_) {
      if (passage->has_ended()) continue;
      ++state_.counts.cut;
      action(*passage);
    }
  }

  asio::io_context& io_;
  const tcp::endpoint server_;
  const std::uint64_t seed_;
  tcp::acceptor acceptor_;
  const std::uint16_t port_;
  LinkState state_;
  bool refuses_ = false;
  std::list<std::shared_ptr<Passage>> passages_;
};

std::uint16_t ProxyLink::port() const {
  return impl_->port();
}

Carries ProxyLink::carries() const {
  return impl_->carries();
}

void ProxyLink::set(Direction direction, const Conduct& conduct) {
  impl_->in_thread([&] { impl_->set(direction, conduct); });
}

void ProxyLink::set(const Conduct& conduct) {
  set(Direction::kToServer, conduct);
  set(Direction::kToClient, conduct);
}

void ProxyLink::cut(Cut how) {
  impl_->in_thread([&] { impl_->cut(how); });
}

void ProxyLink::refuse() {
  impl_->in_thread([&] { impl_->refuse(); });
}

void ProxyLink::half_open(End survivor) {
  impl_->in_thread([&] { impl_->half_open(survivor); });
}

void ProxyLink::heal() {
  impl_->in_thread([&] { impl_->heal(); });
}

Trap ProxyLink::trap(std::function<bool(const Frame&)> wanted) {
  return impl_->in_thread([&] {
    auto state = std::make_shared<Trap::State>(std::move(wanted));
    state->go_on = [impl = impl_.get(), trap = std::weak_ptr(state)] { impl->trap_released(trap); };
    impl_->set_trap(state);
    return Trap(std::move(state));
  });
}

LinkCounts ProxyLink::counts() const {
  return impl_->in_thread([&] { return impl_->counts(); });
}

// ---- all of them

class Proxy::Impl {
 public:
  explicit Impl(std::uint64_t seed) : seed_(seed) {}

  // Before the links go, whose sockets the thread uses.
  void stop() {
    io_.stop();
    thread_.join();
  }

  std::shared_ptr<ProxyLink::Impl> add(Carries carries, std::uint16_t server_port) {
    const std::uint64_t seed = seed_ + (++links_ << 32U);
    auto see = [this](const Frame& frame) { note(frame); };
    return live::in_thread(io_, [&] {
      return std::make_shared<ProxyLink::Impl>(io_, carries, server_port, seed, std::move(see));
    });
  }

  std::map<Gtrid, Decided> decided() {
    return live::in_thread(io_, [&] { return decided_; });
  }

 private:
  void note(const Frame& frame) {
    if (const auto* voted = message_in<Voted>(frame); voted && voted->vote == Vote::kPrepared) {
      votes_[voted->xid.gtrid].try_emplace(voted->xid.bqual, Clock::now());
    } else if (const auto* commit = message_in<Commit>(frame)) {
      note_decided(commit->xid.gtrid);
    }
  }

  void note_decided(const Gtrid& gtrid) {
    const auto [decided, is_first] = decided_.try_emplace(gtrid, Decided{{}, Clock::now()});
    if (!is_first) return;
    for (const auto& [branch, at] : votes_[gtrid])
      decided->second.voted = std::max(decided->second.voted, at);
    votes_.erase(gtrid);
  }

  const std::uint64_t seed_;
  std::uint64_t links_ = 0;
  std::map<Gtrid, std::map<std::string, Clock::time_point>> votes_;  // the first of each branch
  std::map<Gtrid, Decided> decided_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};  // last: it uses all the others
};

Proxy::Proxy(std::uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {}

Proxy::~Proxy() {
  impl_->stop();
}

ProxyLink& Proxy::add(const std::string& name, Carries carries, std::uint16_t server_port) {
  try {
    return links_.insert_or_assign(name, ProxyLink(impl_->add(carries, server_port))).first->second;
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("the proxy can't listen for " + name + ": " + error.what());
  }
}

ProxyLink& Proxy::link(const std::string& name) {
  const auto found = links_.find(name);
  if (found == links_.end()) throw std::runtime_error("the proxy has no link '" + name + "'");
  return found->second;
}

std::vector<std::string> Proxy::names() const {
  std::vector<std::string> names;
  for (const auto& [name, link] : links_) names.push_back(name);
  return names;
}

void Proxy::heal() {
  for (auto& [name, link] : links_) link.heal();
}

std::map<Gtrid, Decided> Proxy::decided() const {
  return impl_->decided();
}

}  // namespace assent::live
