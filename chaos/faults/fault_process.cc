// What befalls a process: each of the sandbox, the databases too.

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"

namespace assent::live {
namespace {

class OfOneProcess : public OfOnePart {
  std::vector<std::string> candidates() const override { return sandbox().names(); }
};

class Kill : public OfOneProcess {
  std::string name() const override { return "kill"; }
  void start(Scene&) override { sandbox().kill(part()); }
  void heal(Scene&) override { sandbox().launch(part()); }
};

class Pause : public OfOneProcess {
  std::string name() const override { return "pause"; }
  void start(Scene&) override { sandbox().pause(part()); }
  void heal(Scene&) override { sandbox().resume(part()); }
};

class Restart : public OfOneProcess {
  std::string name() const override { return "restart"; }
  void start(Scene&) override { sandbox().stop(part()); }
  void heal(Scene&) override { sandbox().launch(part()); }
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
