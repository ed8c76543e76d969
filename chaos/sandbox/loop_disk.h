#pragma once

#include <filesystem>
#include <optional>
#include <string>

// A disk of its own under a folder of the sandbox, an ext4 in a file behind a loop device: its
// power can be cut, and it can be full. Needs root and loop devices.
namespace assent::live {

class LoopDisk {
 public:
  // Why there can be none here; empty when there can.
  static std::optional<std::string> why_not();

  // Makes a disk of so many MiB beside the folder and mounts it there, with what the folder held.
  // Nobody may use the folder meanwhile. Throws SandboxError, and the folder is as it was.
  LoopDisk(std::filesystem::path folder, int mib);

  // Nobody may use the folder any more. What is on the disk goes with it; the folder holds again
  // what it held before.
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  // What was written until now stays, whatever happens.
  void sync();

  // What was not synced is lost, and every call on its files fails with EIO from now on
  // (FS_IOC_SHUTDOWN without a flush of the journal, as xfstests use it). Who uses it has to end
  // before the power can come back: what such a process remembers of its files is not what is
  // there.
  void cut_power();

  // The journal is replayed. Who has a file on it open gets a few seconds to let go of it: the
  // kernel does so for a process some time after its end. Then throws SandboxError.
  void restore_power();

  // Nothing more fits on it, until free().
  void fill();
  void free();

 private:
  std::filesystem::path filler() const { return folder_ / "filler"; }
  void mount() const;

  std::filesystem::path folder_;
  std::filesystem::path image_;
};

}  // namespace assent::live
