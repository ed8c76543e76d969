// What befalls a disk: the decision log's, and the databases'.

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"

namespace assent::live {
namespace {

constexpr const char* kCoordinator = "coordinator";
constexpr int kDiskMib = 2048;  // only what is written takes room
constexpr std::uint64_t kSlowestSyncMs = 500;

class OfOneDisk : public OfOnePart {
 public:
  std::optional<std::string> missing() const override { return LoopDisk::why_not(); }

  void prepare(SandboxSpec& spec) override {
    spec.disks[kCoordinator] = kDiskMib;
    for (const auto& participant : spec.participants)
      spec.disks["db-" + participant.name] = kDiskMib;
  }

 private:
  std::vector<std::string> candidates() const override {
    std::vector<std::string> with_disk;
    for (const auto& [part, mib] : sandbox().spec().disks) with_disk.push_back(part);
    return with_disk;
  }
};

class PowerCut : public OfOneDisk {
  std::string name() const override { return "power"; }
  void start(Scene&) override { sandbox().cut_power(part()); }
  void heal(Scene&) override { sandbox().launch(part()); }
};

/// A part whose disk is full may end, now or later, or wait for ever: it is started again.
class FullDisk : public OfOneDisk {
  std::string name() const override { return "full"; }
  bool ends_parts() const override { return true; }
  void start(Scene&) override { sandbox().disk(part()).fill(); }
  void heal(Scene&) override {
    sandbox().disk(part()).free();
    sandbox().kill(part());
    sandbox().launch(part());
  }
};

class OfTheLog : public SandboxFault {
 public:
  void prepare(SandboxSpec& spec) override { spec.changes_host = true; }
  std::vector<std::string> parts() const override { return {kCoordinator}; }
};

class SlowSync : public OfTheLog {
  std::string name() const override { return "slow-sync"; }
  std::string aim(workload::Random& random, Site&) override {
    by_ = std::chrono::milliseconds(random.below(kSlowestSyncMs) + 1);
    return "coordinator, by " + std::to_string(by_.count()) + " ms";
  }
  void start(Scene&) override { sandbox().host().slow_syncs(by_); }
  void heal(Scene&) override { sandbox().host().slow_syncs({}); }

  std::chrono::milliseconds by_{};
};

/// The coordinator ends at it, unless nothing had to be synced meanwhile.
class FailedSync : public OfTheLog {
  std::string name() const override { return "failed-sync"; }
  std::string aim(workload::Random&, Site&) override { return kCoordinator; }
  bool ends_parts() const override { return true; }
  void start(Scene&) override { sandbox().host().fail_syncs(1); }
  void heal(Scene&) override {
    sandbox().host().fail_syncs(0);
    sandbox().kill(kCoordinator);
    sandbox().launch(kCoordinator);
  }
};

}  // namespace

std::unique_ptr<Fault> make_power_cut() {
  return std::make_unique<PowerCut>();
}

std::unique_ptr<Fault> make_full_disk() {
  return std::make_unique<FullDisk>();
}

std::unique_ptr<Fault> make_slow_sync() {
  return std::make_unique<SlowSync>();
}

std::unique_ptr<Fault> make_failed_sync() {
  return std::make_unique<FailedSync>();
}

}  // namespace assent::live
