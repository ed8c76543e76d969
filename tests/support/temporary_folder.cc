#include "tests/support/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace assent::testing {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "assent-test-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::filesystem::filesystem_error("cannot make a temporary folder", pattern,
                                            std::error_code(errno, std::generic_category()));
  }
  path_ = pattern;
  using std::filesystem::perms;
  std::filesystem::permissions(path_, perms::owner_all | perms::group_exec | perms::others_exec);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code left_behind;  // a destructor has nobody to tell
  std::filesystem::remove_all(path_, left_behind);
}

}  // namespace assent::testing
