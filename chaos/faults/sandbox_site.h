#pragma once

#include "chaos/faults/site.h"
#include "chaos/sandbox/sandbox.h"

namespace assent::live {

class SandboxSite : public Site {
 public:
  // It has a proxy on every link, if anybody asks for that, and outlives this.
  explicit SandboxSite(Sandbox& sandbox) : sandbox_(sandbox) {}

  std::vector<Server> servers() const override;
  Proxy& proxy() override { return sandbox_.proxy(); }
  std::vector<std::string> parts() const override { return sandbox_.names(); }
  bool is_running(const std::string& part) override { return sandbox_.is_running(part); }
  void launch(const std::string& part) override { sandbox_.launch(part); }
  std::vector<std::string> reap() override { return sandbox_.reap(); }

 private:
  Sandbox& sandbox_;
};

}  // namespace assent::live
