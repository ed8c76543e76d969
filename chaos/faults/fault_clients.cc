// Clients that nobody wants: a thousand who say nothing, and some who say anything.

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "chaos/faults/faults.h"

namespace assent::live {
namespace {

using boost::asio::ip::tcp;

constexpr std::size_t kIdle = 1'000;
constexpr rlim_t kDescriptors = kIdle + 500;
constexpr std::size_t kRude = 50;
constexpr std::uint64_t kBytesMax = 4'000;

// Connections to one port of this machine.
class Callers {
 public:
  // False: it was refused, which is an answer, too.
  bool call(std::uint16_t port) {
    boost::system::error_code refused;
    tcp::socket& socket = sockets_.emplace_back(io_);
    socket.connect({boost::asio::ip::address_v4::loopback(), port}, refused);
    if (refused) sockets_.pop_back();
    return !refused;
  }
  void say(const std::string& bytes) {
    boost::system::error_code closed;
    boost::asio::write(sockets_.back(), boost::asio::buffer(bytes), closed);
  }
  void hang_up_last() { sockets_.pop_back(); }
  void hang_up() { sockets_.clear(); }

 private:
  boost::asio::io_context io_;
  std::vector<tcp::socket> sockets_;
};

class Idle : public Fault {
  std::string name() const override { return "idle"; }

  std::optional<std::string> missing() const override {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= kDescriptors) return std::nullopt;
    return "this process may open " + std::to_string(limit.rlim_max) + " files: allow " +
           std::to_string(kDescriptors) + " with ulimit -H -n";
  }

  // For us, and for the coordinator, which inherits it.
  void prepare(SandboxSpec&) override {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, kDescriptors);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  std::string aim(workload::Random&, Site&) override {
    return "coordinator, by " + std::to_string(kIdle) + " clients";
  }
  std::vector<std::string> parts() const override { return {}; }

  void start(Scene& scene) override {
    const std::uint16_t port = scene.site.servers().front().port;
    for (std::size_t i = 0; i < kIdle; ++i) callers_.call(port);
  }
  void heal(Scene&) override { callers_.hang_up(); }

  Callers callers_;
};

class Malformed : public Fault {
  std::string name() const override { return "malformed"; }

  std::string aim(workload::Random& random, Site& site) override {
    const auto servers = site.servers();
    called_ = random.one_in(2) ? servers.front() : random.one_of(servers);
    words_.clear();
    for (std::size_t i = 0; i < kRude; ++i) words_.push_back(draw_words(random));
    return called_.name;
  }
  std::vector<std::string> parts() const override { return {}; }

  // Half of them hang up at once.
  void start(Scene&) override {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (!callers_.call(called_.port)) return;
      callers_.say(words_[i]);
      if (i % 2 == 0) callers_.hang_up_last();
    }
  }
  void heal(Scene&) override { callers_.hang_up(); }

  static std::string draw_words(workload::Random& random) {
    std::string words(random.below(kBytesMax), '\0');
    const bool all_alike = random.one_in(4);
    const auto same = static_cast<char>(random.below(256));
    for (char& byte : words) byte = all_alike ? same : static_cast<char>(random.below(256));
    return words;
  }

  Site::Server called_;
  std::vector<std::string> words_;
  Callers callers_;
};

}  // namespace

std::unique_ptr<Fault> make_idle() {
  return std::make_unique<Idle>();
}

std::unique_ptr<Fault> make_malformed() {
  return std::make_unique<Malformed>();
}

}  // namespace assent::live
