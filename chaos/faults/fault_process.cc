// What befalls a process: each of the sandbox, the databases too.

#include "chaos/faults/fault_part.h"
#include "chaos/faults/faults.h"

namespace assent::live {
namespace {

class OfOneProcess : public OfOnePart {
  std::vector<std::string> candidates(const Sandbox& sandbox) const override {
    return sandbox.names();
  }
};

class Kill : public OfOneProcess {
  std::string name() const override { return "kill"; }
  void start(Scene& scene) override { scene.sandbox.kill(part()); }
  void heal(Scene& scene) override { scene.sandbox.launch(part()); }
};

class Pause : public OfOneProcess {
  std::string name() const override { return "pause"; }
  void start(Scene& scene) override { scene.sandbox.pause(part()); }
  void heal(Scene& scene) override { scene.sandbox.resume(part()); }
};

class Restart : public OfOneProcess {
  std::string name() const override { return "restart"; }
  void start(Scene& scene) override { scene.sandbox.stop(part()); }
  void heal(Scene& scene) override { scene.sandbox.launch(part()); }
};

}  // namespace

std::unique_ptr<Fault> make_kill() {
  return std::make_unique<Kill>();
}

std::unique_ptr<Fault> make_pause() {
  return std::make_unique<Pause>();
}

std::unique_ptr<Fault> make_restart() {
  return std::make_unique<Restart>();
}

}  // namespace assent::live
