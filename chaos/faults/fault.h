#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/faults/site.h"
#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/injected.h"
#include "chaos/workload/random.h"

// What can be done to a house under load. A fault is one class, usually a file
// fault_X.cc of its own, and a line in faults.h; nothing else has to know it.
namespace assent::live {

// Where a fault happens. Of the one thread that has the site.
struct Scene {
  Site& site;
  workload::Injected& injected;  // what the checker has to know of it
};

// In this order, all by the thread that has the site:
//   missing; prepare and enter, where the site is a sandbox; then any number of times aim, start,
//   heal; the end of the object, when all parts of a sandbox have stopped.
// An object is started once at a time. Different faults overlap, but never on one part. What goes
// wrong is thrown as SandboxError: the run has failed then.
class Fault {
 public:
  Fault() = default;
  virtual ~Fault() = default;
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  // As --faults and the report call it: a word.
  virtual std::string name() const = 0;

  // What this machine lacks for it, rights or mounts or programs, as a sentence that says what to
  // do: the fault counts as skipped. Empty: it can be injected.
  virtual std::optional<std::string> missing() const { return std::nullopt; }

  // What it needs of the sandbox from the start, a link to put itself on, say; and the sandbox,
  // which need not be made yet.
  virtual void prepare(SandboxSpec&) {}
  virtual void enter(Sandbox&) {}

  // Chooses what the next start() hits, by nothing but `random` and the names of the parts, so that
  // a seed repeats it: "agent-points", or whatever a person is to read in the time line.
  virtual std::string aim(workload::Random& random, Site& site) = 0;

  // The parts, by name, that no other fault may touch while this one lasts. After aim().
  virtual std::vector<std::string> parts() const = 0;

  // Whether these parts may end by themselves until it is healed, which starts them again.
  virtual bool ends_parts() const { return false; }

  virtual void start(Scene& scene) = 0;

  // Everything is again as it was before start(); processes may need a moment to find their way
  // back. Called exactly once for each start().
  virtual void heal(Scene& scene) = 0;
};

}  // namespace assent::live
