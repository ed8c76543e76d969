#include "chaos/campaign/fault_command.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "chaos/sandbox/process.h"

namespace assent::live {
namespace {

using Command = DeploymentConfig::Command;

constexpr std::chrono::minutes kLongest{2};

void run_shell(const Command& command, const std::string& line) {
  ProcessSpec shell;
  shell.argv = {"/bin/sh", "-c", line};
  const CommandResult result = run_command(shell, "", kLongest);
  if (result.end.succeeded()) return;
  throw SandboxError("fault " + command.name + " of " + command.target + ": '" + line + "' " +
                     result.end.describe() + ": " + result.standard_error + result.standard_output);
}

class ByCommand : public Fault {
 public:
  explicit ByCommand(std::vector<Command> commands) : commands_(std::move(commands)) {}

  std::string name() const override { return commands_.front().name; }

  std::string aim(workload::Random& random, Site&) override {
    chosen_ = random.one_of(commands_);
    return chosen_.target;
  }
  std::vector<std::string> parts() const override { return {chosen_.target}; }

  void start(Scene&) override { run_shell(chosen_, chosen_.start); }
  void heal(Scene&) override { run_shell(chosen_, chosen_.heal); }

 private:
  const std::vector<Command> commands_;  // of the same name
  Command chosen_;
};

}  // namespace

std::vector<std::unique_ptr<Fault>> make_command_faults(const std::vector<Command>& commands) {
  std::vector<std::vector<Command>> kinds;
  for (const Command& command : commands) {
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& each) {
      return each.front().name == command.name;
    });
    if (kind == kinds.end())
      kinds.push_back({command});
    else
      kind->push_back(command);
  }
  std::vector<std::unique_ptr<Fault>> all;
  for (auto& kind : kinds) all.push_back(std::make_unique<ByCommand>(std::move(kind)));
  return all;
}

}  // namespace assent::live
