// What befalls a process: each of the sandbox, the databases too.

#include "chaos/live/faults.h"

namespace assent::live {
namespace {

class OfOneProcess : public Fault {
 public:
  std::string aim(workload::Random& random, const Sandbox& sandbox) override {
    part_ = random.one_of(sandbox.names());
    return part_;
  }
  std::vector<std::string> parts() const override { return {part_}; }

 protected:
  const std::string& part() const { return part_; }

 private:
  std::string part_;
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
