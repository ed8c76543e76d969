#pragma once

#include <filesystem>
#include <string>

namespace assent::live {

// A fresh folder in TMPDIR, or in /var/tmp, which is a disk where /tmp may be memory; it goes with
// this object. Every account may enter it: databases don't run as root.
class PrivateFolder {
 public:
  // `name` is the beginning of its name. Throws SandboxError.
  explicit PrivateFolder(const std::string& name);
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace assent::live
