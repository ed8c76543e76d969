#include "tests/log/fast_folder.h"

#include <unistd.h>

#include <string>

namespace assent::testing {

namespace fs = std::filesystem;

FastFolder::FastFolder() {
  static int count = 0;
  const fs::path parent =
      ::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path();
  path_ = parent / ("assent-log-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  fs::create_directory(path_);
}

FastFolder::~FastFolder() {
  fs::remove_all(path_);
}

}  // namespace assent::testing
