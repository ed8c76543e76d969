#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/proxy/proxy.h"

namespace assent::live {

// Where faults happen: a sandbox of our own, or a deployment that stands there already. Of one
// thread.
class Site {
 public:
  // A coordinator or an agent, and where it listens on 127.0.0.1.
  struct Server {
    std::string name;
    std::uint16_t port = 0;
  };

  Site() = default;
  virtual ~Site() = default;
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  // Whom anybody can call, past any proxy; the coordinator comes first.
  virtual std::vector<Server> servers() const = 0;

  // What stands on its links.
  virtual Proxy& proxy() = 0;

  // The processes that we have started, by name; of a deployment none, and the rest is not asked
  // for then.
  virtual std::vector<std::string> parts() const { return {}; }
  virtual bool is_running(const std::string& /*part*/) { return true; }
  virtual void launch(const std::string& /*part*/) {}
  // Notes those that have ended by themselves since the last call.
  virtual std::vector<std::string> reap() { return {}; }
};

}  // namespace assent::live
