// An older copy of what a part has stored stands in its place: somebody has restored the wrong
// backup. When that is noticed the right data is put back, and a person says so.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "chaos/faults/faults.h"
#include "chaos/faults/person.h"
#include "chaos/faults/sandbox_fault.h"
#include "chaos/load/evidence.h"

namespace assent::live {
namespace {

constexpr const char* kCoordinator = "coordinator";
constexpr const char* kReason = "the right data is back";
constexpr std::chrono::seconds kAgesWithin{5};  // the copy: what it lacks has happened
constexpr std::chrono::seconds kNoticedWithin{30};

/// The log's folder may be a disk, so the copy lies in it and what is in them changes places one by
/// one.
class OldLog : public SandboxFault {
  std::string name() const override { return "old-log"; }
  std::string aim(workload::Random&, Site&) override { return kCoordinator; }
  std::vector<std::string> parts() const override { return {kCoordinator}; }

  // Each database has seen an opening then of which the copy knows nothing.
  void start(Scene& scene) override {
    sandbox().stop(kCoordinator);
    copy_log();
    sandbox().launch(kCoordinator);
    stands_ = wait_until([this] { return is_well(); }, kAgesWithin);
    if (!stands_) return;  // nobody could tell the copy from it
    change_places();
    scene.injected.put_back.push_back({kCoordinator});
  }

  void heal(Scene& scene) override {
    if (stands_) {
      scene.injected.put_back.back().noticed =
          wait_until([this] { return is_noticed(); }, kNoticedWithin);
      change_places();
      wait_until([this] { return is_in_charge(); }, kNoticedWithin);
    }
    std::filesystem::remove_all(copy());
    stands_ = false;
  }

  std::filesystem::path log() const { return sandbox().spec().directory / kCoordinator; }
  std::filesystem::path copy() const { return log() / "copy"; }

  /// All but what belongs to the disk, and our own.
  std::vector<std::filesystem::path> inside(const std::filesystem::path& folder) const {
    std::vector<std::filesystem::path> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const auto name = entry.path().filename();
      if (name != "lost+found" && name != "copy" && name != "aside") names.push_back(name);
    }
    return names;
  }

  void copy_log() const {
    std::filesystem::remove_all(copy());  // which a power cut may have brought back
    std::filesystem::create_directory(copy());
    for (const auto& name : inside(log())) {
      std::filesystem::copy(log() / name, copy() / name, std::filesystem::copy_options::recursive);
    }
  }

  void change_places() const {
    sandbox().stop(kCoordinator);
    const auto ours = inside(log());
    const auto theirs = inside(copy());
    const auto aside = copy() / "aside";
    std::filesystem::create_directory(aside);
    for (const auto& name : ours) std::filesystem::rename(log() / name, aside / name);
    for (const auto& name : theirs) std::filesystem::rename(copy() / name, log() / name);
    for (const auto& name : ours) std::filesystem::rename(aside / name, copy() / name);
    sync_file(log());
    sandbox().launch(kCoordinator);
  }

  bool is_well() const {
    auto person = Person::at(sandbox().coordinator_address());
    return person && person->finds_all_well();
  }

  bool is_noticed() const {
    auto person = Person::at(sandbox().coordinator_address());
    return person && person->is_told("assentctl allow presume");
  }

  /// The databases obey the copy's opening, which is given up; it took no work, so there is nothing
  /// that it may have decided.
  bool is_in_charge() const {
    auto person = Person::at(sandbox().coordinator_address());
    if (!person) return false;
    if (person->allow(Allowance::kPresume, kReason)) {
      sandbox().stop(kCoordinator);
      sandbox().launch(kCoordinator);
      return false;
    }
    person->roll_back_undecided(kReason);
    person->forget_damage(kReason);
    return person->finds_all_well();
  }

  bool stands_ = false;
};

class OldDatabase : public SandboxFault {
  std::string name() const override { return "old-database"; }
  std::string aim(workload::Random& random, Site&) override {
    at_ = random.one_of(sandbox().spec().participants);
    return database();
  }
  std::vector<std::string> parts() const override { return {kCoordinator, agent(), database()}; }

  // What is prepared in the copy is only committed again: more than that is to be missing.
  void start(Scene& scene) override {
    stop();
    server().back_up();
    sandbox().launch(database());
    const std::size_t in_copy = ledger_rows() + branches_prepared();
    sandbox().launch(agent());
    stands_ = wait_until([&] { return ledger_rows() > in_copy; }, kAgesWithin);
    if (!stands_) return;  // it lacks nothing
    change_places();
    scene.injected.put_back.push_back({at_.name});
  }

  void heal(Scene& scene) override {
    if (!stands_) return;
    scene.injected.put_back.back().noticed =
        wait_until([this] { return is_noticed(); }, kNoticedWithin);
    change_places();
    wait_until([this] { return is_taken_back(); }, kNoticedWithin);
    stands_ = false;
  }

  std::string agent() const { return "agent-" + at_.name; }
  std::string database() const { return "db-" + at_.name; }
  DatabaseServer& server() const { return sandbox().database(at_.name); }
  /// One for each branch.
  std::size_t ledger_rows() const {
    return std::stoul(server().query_value(at_.name, "SELECT count(*) FROM ledger;"));
  }
  std::size_t branches_prepared() const { return prepared_branches(sandbox(), at_).size(); }

  void stop() const {
    sandbox().stop(agent());
    sandbox().stop(database());
  }

  void change_places() const {
    stop();
    server().swap_with_copy();
    sandbox().launch(database());
    sandbox().launch(agent());
  }

  bool is_noticed() const {
    auto person = Person::at(sandbox().coordinator_address());
    return person && person->finds_quarantined(at_.name);
  }

  /// A commit that was under way may have found its branch missing, which is a damage.
  bool is_taken_back() const {
    auto person = Person::at(sandbox().coordinator_address());
    if (!person) return false;
    person->allow(Allowance::kHistory, kReason, at_.name);
    person->allow(Allowance::kViolation, kReason);
    person->forget_damage(kReason);
    return person->finds_all_well();
  }

  Participant at_;
  bool stands_ = false;
};

}  // namespace

std::unique_ptr<Fault> make_old_log() {
  return std::make_unique<OldLog>();
}

std::unique_ptr<Fault> make_old_database() {
  return std::make_unique<OldDatabase>();
}

}  // namespace assent::live
