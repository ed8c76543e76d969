#include "chaos/sandbox/private_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "chaos/sandbox/process.h"

namespace assent::live {

PrivateFolder::PrivateFolder(const std::string& name) {
  const char* chosen = std::getenv("TMPDIR");
  std::string pattern =
      std::filesystem::path(chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp") /
      (name + "-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw SandboxError("cannot make a folder such as " + pattern + ": " +
                       std::generic_category().message(errno) + "; set TMPDIR to a place for it");
  }
  path_ = pattern;
  using std::filesystem::perms;
  std::filesystem::permissions(path_, perms::owner_all | perms::group_exec | perms::others_exec);
}

PrivateFolder::~PrivateFolder() {
  std::error_code left_behind;  // a destructor has nobody to tell
  std::filesystem::remove_all(path_, left_behind);
}

}  // namespace assent::live
