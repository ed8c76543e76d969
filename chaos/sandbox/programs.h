#pragma once

#include <filesystem>

// Where the programs of ours lie that a sandbox starts: in $ASSENT_BIN_DIR, beside this program, or
// in the build folder this program belongs to.
namespace assent::live {

// `build_folder`, within the build folder, is where it is built. Throws SandboxError when it is not
// there, and says where it was looked for.
std::filesystem::path find_built(const char* name, const char* build_folder);

struct ServerPrograms {
  std::filesystem::path coordinator;
  std::filesystem::path agent;
};
ServerPrograms find_server_programs();

}  // namespace assent::live
