#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

// Real processes, started without a shell, for the sandbox and everything that is built on it.
//
// This area is a tool of tests and people: whatever goes wrong ends the step at hand, so it is
// thrown as SandboxError, with a sentence that says what to do. Every object here belongs to one
// thread at a time.
namespace assent::live {

using Clock = std::chrono::steady_clock;

class SandboxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ProcessSpec {
  std::vector<std::string> argv;  // argv[0] with a slash is a path, otherwise searched in PATH
  std::map<std::string, std::string> environment;  // on top of ours
  std::filesystem::path directory;                 // working folder; empty: ours
  std::filesystem::path log_file;  // standard output and error are appended here; empty: discarded
  std::string run_as;              // account to become, needs euid 0; empty: stay who we are

  // SIGKILL for the child when the *thread* that started it ends (PR_SET_PDEATHSIG): for tests,
  // which may be killed before they clean up.
  bool dies_with_owner = false;
};

// How a process ended.
struct ProcessEnd {
  int exit_code = 0;  // meaningful when signal is 0
  int signal = 0;     // 0: it exited by itself

  bool succeeded() const { return signal == 0 && exit_code == 0; }
  std::string describe() const;  // "exit status 1", "signal 9 (Killed)"
};

// One child of ours, leader of a process group of its own. The destructor kills the group and reaps
// the child, so nothing outlives its owner.
class Process {
 public:
  // Returns when the program is running (exec succeeded). Throws SandboxError when it cannot be
  // started; nothing is left then.
  static Process start(const ProcessSpec& spec);

  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  // 0: there is no process, or it has ended and was reaped.
  pid_t pid() const { return pid_; }

  // False as soon as the process has ended, which also reaps it.
  bool is_alive();

  // No effect on a process that has ended.
  void send(int signal);
  void send_to_group(int signal);

  // True when it ended before the timeout.
  bool wait_for_end(std::chrono::milliseconds timeout);

  // SIGKILL for the process alone, and reaped when this returns. A child that the kernel cannot end
  // is a SandboxError.
  void kill_and_reap();

  // How it ended; empty while it runs or was never started.
  const std::optional<ProcessEnd>& end() const { return end_; }

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  void end_group() noexcept;

  pid_t pid_ = 0;
  std::optional<ProcessEnd> end_;
};

struct CommandResult {
  ProcessEnd end;
  std::string standard_output;
  std::string standard_error;
};

// Runs a program to its end with `input` as its standard input. Throws SandboxError when it cannot
// be started, or has not ended after `timeout` (it is killed then: what it did until then stays
// done). `spec.log_file` is not used.
CommandResult run_command(const ProcessSpec& spec, const std::string& input,
                          std::chrono::milliseconds timeout);

// An account of this machine. Safe to ask for from any thread.
struct SystemAccount {
  uid_t user = 0;
  gid_t group = 0;
  std::string home;
};
std::optional<SystemAccount> find_system_account(const std::string& name);

// The direct children of a process of anybody, by /proc.
std::vector<pid_t> children_of(pid_t parent);

// False when there is no such process, or only its corpse waits for somebody else to reap it.
bool process_exists(pid_t pid);

// SIGSTOP; returns when none of their threads executes any more, which comes a little after the
// signal: a server could still answer one request. One that has ended counts as standing still; one
// that has not obeyed in 20 s is a SandboxError.
void pause_processes(const std::vector<pid_t>& pids);

// Calls `condition` every few milliseconds until it is true or the timeout has passed; returns its
// last answer.
template <typename Condition>
bool wait_until(Condition condition, std::chrono::milliseconds timeout);

// Throws SandboxError.
void sync_file(const std::filesystem::path& file);

// 0 for a file that is not there.
std::uintmax_t size_of(const std::filesystem::path& file);

// The last lines of a log file behind its first `skipped` bytes, for error texts. Empty when it
// cannot be read.
std::string tail_of(const std::filesystem::path& file, std::uintmax_t skipped = 0);

// Whatever the umask, every account may pass through this folder of ours.
void let_others_pass(const std::filesystem::path& folder);

// Replaces the file by one that only its owner can read.
void write_private_file(const std::filesystem::path& file, const std::string& content);

// The absolute path of a program in `folders` or in PATH; empty when there is none.
std::filesystem::path find_program(const std::string& name,
                                   const std::vector<std::filesystem::path>& folders = {});

void sleep_briefly();  // 5 ms, the grain of every wait for another process

template <typename Condition>
bool wait_until(Condition condition, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    sleep_briefly();
  }
  return true;
}

}  // namespace assent::live
