#pragma once

#include <filesystem>

namespace assent::testing {

// A fresh folder that every account may enter (databases don't run as root), removed with all that
// is in it at the end of the scope. Of one thread.
class TemporaryFolder {
 public:
  TemporaryFolder();  // throws std::filesystem::filesystem_error when none can be made
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace assent::testing
