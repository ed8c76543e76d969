#include "chaos/sandbox/programs.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "chaos/sandbox/process.h"

namespace assent::live {
namespace {

std::filesystem::path own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace

std::filesystem::path find_built(const char* name, const char* build_folder) {
  std::vector<std::filesystem::path> candidates;
  if (const char* chosen = std::getenv("ASSENT_BIN_DIR")) {
    candidates = {chosen, std::filesystem::path(chosen) / build_folder};
  } else {
    // A program of ours lies two folders deep in the build folder, or beside the servers when
    // installed.
    candidates = {own_folder() / "../.." / build_folder, own_folder()};
  }
  std::string looked_in;
  for (const auto& folder : candidates) {
    const auto file = folder.lexically_normal() / name;
    if (std::filesystem::is_regular_file(file)) return file;
    looked_in += " " + file.string();
  }
  throw SandboxError(std::string(name) + " is not built, or $ASSENT_BIN_DIR is wrong; looked for" +
                     looked_in);
}

ServerPrograms find_server_programs() {
  return {find_built("assentd", "coordinator/server"),
          find_built("assent-agentd", "participant_agents/server")};
}

}  // namespace assent::live
