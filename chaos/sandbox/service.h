#pragma once

#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chaos/sandbox/process.h"

namespace assent::live {

struct ServiceSpec {
  std::string name;  // "agent-points": in error texts
  std::vector<std::string> argv;
  std::filesystem::path log_file;
  std::uint16_t port = 0;        // of 127.0.0.1, on which it serves
  bool dies_with_owner = false;  // ProcessSpec has the same
};

// A coordinator or an agent: a server of ours that writes a line with the word " ready " when it
// serves. Ended with this object. Errors are SandboxErrors with the end of the server's log.
class Service {
 public:
  explicit Service(ServiceSpec spec) : spec_(std::move(spec)) {}

  // Returns when it serves. No effect when it is running. `environment` is for this start only:
  // ASSENT_CRASH_POINT, say.
  void start(const std::map<std::string, std::string>& environment = {});

  // The same without waiting, for a server that is expected to die or to wait for another first.
  void launch(const std::map<std::string, std::string>& environment = {});
  void wait_until_ready();

  // For every start from now on, beneath what is for one start only.
  void keep_environment(std::map<std::string, std::string> environment) {
    environment_ = std::move(environment);
  }

  // True when a line of its log, since its last start, had all these words before the timeout.
  bool wait_for_log(const std::vector<std::string>& words, std::chrono::milliseconds timeout);

  void stop();  // SIGTERM; no effect when it is not running
  void kill() { process_.kill_and_reap(); }
  void pause();  // nothing of it executes any more when this returns
  void resume() { process_.send(SIGCONT); }

  bool is_running() { return process_.is_alive(); }
  bool wait_for_end(std::chrono::milliseconds timeout) { return process_.wait_for_end(timeout); }

  // How it ended; empty while it runs or was never started.
  const std::optional<ProcessEnd>& end() const { return process_.end(); }

  // 0 when it is not running.
  pid_t pid() const { return process_.pid(); }

  const ServiceSpec& spec() const { return spec_; }

 private:
  bool has_logged(const std::vector<std::string>& words) const;
  std::string end_of_log() const;

  ServiceSpec spec_;
  std::map<std::string, std::string> environment_;
  Process process_;
  std::uintmax_t log_size_before_ = 0;
};

}  // namespace assent::live
