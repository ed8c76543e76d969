#pragma once

#include <filesystem>

namespace assent::testing {

// A fresh folder, in memory where that is possible: for tests that open a log thousands of times.
class FastFolder {
 public:
  FastFolder();
  ~FastFolder();
  FastFolder(const FastFolder&) = delete;
  FastFolder& operator=(const FastFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace assent::testing
