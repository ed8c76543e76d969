#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/core/config.h"
#include "protocol/base/result.h"
#include "protocol/channel/address.h"

/// What assentd is told by its configuration file (TOML) and its command line.

namespace assent::coordinator {

struct ParticipantOptions {
  std::string name;
  Address agent;
  std::filesystem::path token_file;  ///< absolute, or relative to the configuration file's folder
};

struct ServerOptions {
  Address listen;
  std::filesystem::path data_dir;  ///< of the decision log; made when missing
  bool restored = false;           ///< --restored: it is a copy made by `log backup`
  std::vector<ParticipantOptions> participants;
  Config core;  ///< name and participants are filled in
  std::size_t sessions_max = 1'000;
  /// Requests of one session that may wait for their answer (R14).
  std::size_t session_requests_max = 1'000;
  /// How long SIGTERM waits for unfinished transactions.
  Duration drain_timeout = std::chrono::seconds(10);
  /// New work is refused while the log's file system has less free: a decision that can't be
  /// written stops the process (R12). The default has room for a few compactions. 0: never refused
  /// for that.
  std::size_t disk_free_min_mib = 512;
  /// New work is refused while the log is larger: it shrinks when outcomes are older than the
  /// retention, never before (design section 7). 0: it may fill its file system.
  std::size_t log_max_mib = 0;
};

/// One line for everything that is wrong, each naming file, line and key; unknown keys are wrong
/// too. Reads the configuration file only: no effect.
Result<ServerOptions> read_options(const std::filesystem::path& file);

}  // namespace assent::coordinator
