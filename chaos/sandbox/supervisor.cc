#include "chaos/sandbox/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

#include "chaos/sandbox/host.h"

namespace assent::live {
namespace {

constexpr int kReapIntervalMs = 100;

[[noreturn]] void throw_errno(const std::string& what) {
  throw SandboxError(what + ": " + std::strerror(errno));
}

void say(const std::string& text) {
  std::array<char, 32> now{};
  const std::time_t seconds = std::time(nullptr);
  std::tm local{};
  std::strftime(now.data(), now.size(), "%F %T", ::localtime_r(&seconds, &local));
  std::printf("%s %s\n", now.data(), text.c_str());
  std::fflush(stdout);
}

// Held from the first look at a folder until the supervisor's end: one sandbox, one supervisor.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder)
      : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ < 0) throw_errno("cannot open " + folder.string());
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(fd_);
    throw SandboxError("a sandbox is running in " + folder.string() +
                       " already: use it, or take it down first");
  }
  ~FolderLock() { ::close(fd_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

class Supervisor {
 public:
  Supervisor(const SandboxSpec& spec, int folder) : sandbox_(spec), folder_(folder) {}

  // Everything up, or an exception and nothing left of what was begun.
  void bring_up() {
    const bool fresh = !Sandbox::read_spec(directory());
    if (fresh) {
      sandbox_.create();
    } else {
      remove_stale_pid_files();
    }
    try {
      sandbox_.start_all();
      log_to_file();
      write_own_pid();
      control_.emplace(folder_);
    } catch (const SandboxError&) {
      undo(fresh);
      throw;
    }
  }

  void undo(bool fresh) {
    sandbox_.stop_all();
    std::filesystem::remove(own_pid_file());
    if (fresh) sandbox_.remove();
  }

  void serve() {
    say("ready");
    const int signals = take_signals();
    while (!done_) {
      std::array<pollfd, 2> waits{pollfd{control_->fd(), POLLIN, 0}, pollfd{signals, POLLIN, 0}};
      ::poll(waits.data(), waits.size(), kReapIntervalMs);
      for (const auto& name : sandbox_.reap()) say(name + " ended by itself");
      if (waits[0].revents != 0) {
        control_->serve_one([this](const ControlRequest& request) { return answer(request); });
      }
      if (waits[1].revents != 0) answer({"down", ""});
    }
  }

 private:
  std::filesystem::path directory() const { return sandbox_.spec().directory; }
  std::filesystem::path own_pid_file() const { return directory() / "pids" / "supervisor.pid"; }

  ControlAnswer answer(const ControlRequest& request) {
    say(request.verb + " " + request.argument);
    try {
      return {true, obey(request)};
    } catch (const SandboxError& error) {
      say(error.what());
      return {false, error.what()};
    }
  }

  std::string obey(const ControlRequest& request) {
    const auto& [verb, name] = request;
    if (verb == "status") return describe(sandbox_.status());
    if (verb == "down") return take_down(name == "purge");
    if (verb == "start") {
      sandbox_.start(name);
    } else if (verb == "stop") {
      sandbox_.stop(name);
    } else if (verb == "kill") {
      sandbox_.kill(name);
    } else if (verb == "clock") {
      const auto off = parse_clock_offset(name);
      sandbox_.stop("coordinator");
      sandbox_.host().set_clock(off);
      sandbox_.start("coordinator");
    } else {
      throw SandboxError("the supervisor knows no verb '" + verb + "'");
    }
    return "";
  }

  std::string take_down(bool purge) {
    done_ = true;
    undo(purge);
    return "";
  }

  void remove_stale_pid_files() const {
    for (const auto& file : std::filesystem::directory_iterator(directory() / "pids"))
      std::filesystem::remove(file);
  }

  void write_own_pid() const { std::ofstream(own_pid_file()) << ::getpid() << "\n"; }

  // Away from the terminal, which may be closed, or read by somebody who waits for its end.
  void log_to_file() const {
    const auto file = directory() / "log" / "supervisor.log";
    const int log = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0) throw_errno("cannot open " + file.string());
    ::dup2(null, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::close(log);
    ::close(null);
  }

  static int take_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    const int fd = ::signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0) throw_errno("signalfd");
    return fd;
  }

  Sandbox sandbox_;
  int folder_;
  std::optional<ControlSocket> control_;
  bool done_ = false;
};

// They stay pending until serve() reads them, so that a half-made sandbox is never left alone.
void block_ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

// The supervisor's life. `report` is the way to the one who waits for "ok" or a sentence.
int run_supervisor(const SandboxSpec& spec, int folder, int report) {
  block_ending_signals();
  try {
    const bool fresh = !Sandbox::read_spec(spec.directory);
    Supervisor supervisor(spec, folder);
    supervisor.bring_up();
    const bool heard = send_all(report, "ok\n");
    ::close(report);
    if (!heard) {
      say("nobody waits for this sandbox any more: taking it down");
      supervisor.undo(fresh);
      return 1;
    }
    supervisor.serve();
    return 0;
  } catch (const std::exception& error) {
    send_all(report, std::string("error\n") + error.what());
    return 1;
  }
}

}  // namespace

std::string describe(const std::vector<PartStatus>& parts) {
  std::string text;
  for (const auto& [name, state, pid, port] : parts) {
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(), "%-20s %-10s", name.c_str(), state.c_str());
    text += line.data();
    if (port != 0) text += " port " + std::to_string(port);
    if (pid != 0) text += " pid " + std::to_string(pid);
    text += "\n";
  }
  return text;
}

void start_supervisor(const SandboxSpec& spec) {
  const bool folder_is_new = std::filesystem::create_directories(spec.directory);
  const FolderLock lock(spec.directory);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw_errno("socketpair");
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("cannot fork");
  if (pid == 0) {
    ::close(ends[0]);
    ::setsid();
    ::_exit(run_supervisor(spec, lock.fd(), ends[1]));
  }
  ::close(ends[1]);
  const std::string report = read_to_end(ends[0]);
  ::close(ends[0]);
  if (report == "ok\n") return;
  ::waitpid(pid, nullptr, 0);
  if (folder_is_new && std::filesystem::exists(spec.directory) &&
      std::filesystem::is_empty(spec.directory)) {
    std::filesystem::remove(spec.directory);
  }
  const auto text = report.find('\n');
  throw SandboxError(text != std::string::npos
                         ? report.substr(text + 1)
                         : "the supervisor died; see " + (spec.directory / "log").string());
}

}  // namespace assent::live
