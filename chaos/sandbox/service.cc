#include "chaos/sandbox/service.h"

#include <algorithm>
#include <fstream>

#include "chaos/sandbox/ports.h"

namespace assent::live {
namespace {

constexpr std::chrono::seconds kStartTimeout{60};
constexpr std::chrono::seconds kStopTimeout{30};
constexpr const char* kReady = " ready ";  // not the end of "already"

}  // namespace

void Service::start(const std::map<std::string, std::string>& environment) {
  if (is_running()) return;
  launch(environment);
  wait_until_ready();
}

void Service::launch(const std::map<std::string, std::string>& environment) {
  if (is_running()) return;
  check_port_is_free(spec_.name, spec_.port);
  log_size_before_ = size_of(spec_.log_file);
  ProcessSpec process;
  process.argv = spec_.argv;
  process.environment = environment;
  process.environment.insert(environment_.begin(), environment_.end());
  process.log_file = spec_.log_file;
  process.dies_with_owner = spec_.dies_with_owner;
  process_ = Process::start(process);
}

void Service::wait_until_ready() {
  bool ready = false;
  wait_until(
      [&] {
        ready = has_logged({kReady}) && accepts_connections(spec_.port);
        return ready || !is_running();
      },
      kStartTimeout);
  if (ready) return;
  if (!is_running()) {
    throw SandboxError(spec_.name + " does not start, " + end()->describe() + end_of_log());
  }
  kill();
  throw SandboxError(spec_.name + " is not ready within " + std::to_string(kStartTimeout.count()) +
                     " s and was killed" + end_of_log());
}

void Service::stop() {
  if (!is_running()) return;
  resume();  // a stopped process would wait with its answer to our signal
  process_.send(SIGTERM);
  if (process_.wait_for_end(kStopTimeout)) return;
  kill();
  throw SandboxError(spec_.name + " did not stop within " + std::to_string(kStopTimeout.count()) +
                     " s and was killed" + end_of_log());
}

void Service::pause() {
  if (is_running()) pause_processes({pid()});
}

bool Service::wait_for_log(const std::vector<std::string>& words,
                           std::chrono::milliseconds timeout) {
  return wait_until([&] { return has_logged(words); }, timeout);
}

bool Service::has_logged(const std::vector<std::string>& words) const {
  std::ifstream log(spec_.log_file);
  log.seekg(static_cast<std::streamoff>(log_size_before_));
  for (std::string line; std::getline(log, line);) {
    const bool has_all = std::all_of(words.begin(), words.end(), [&line](const std::string& word) {
      return line.find(word) != std::string::npos;
    });
    if (has_all) return true;
  }
  return false;
}

std::string Service::end_of_log() const {
  return "; the end of " + spec_.log_file.string() + ":\n" +
         tail_of(spec_.log_file, log_size_before_);
}

}  // namespace assent::live
