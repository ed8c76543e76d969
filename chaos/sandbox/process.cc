#include "chaos/sandbox/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

namespace assent::live {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void throw_errno(const std::string& what, int error) {
  throw SandboxError(what + ": " + std::strerror(error));
}

// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor open_or_throw(const std::filesystem::path& file, int flags) {
  Descriptor fd(::open(file.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd.is_open()) throw_errno("cannot open " + file.string(), errno);
  return fd;
}

struct AccountIds {
  SystemAccount account;
  std::vector<gid_t> groups;
};

AccountIds look_up_account(const std::string& name) {
  const auto account = find_system_account(name);
  if (!account) throw SandboxError("there is no account '" + name + "' on this machine");
  int count = 64;
  AccountIds ids{*account, std::vector<gid_t>(static_cast<std::size_t>(count))};
  if (::getgrouplist(name.c_str(), account->group, ids.groups.data(), &count) < 0) {
    throw SandboxError("account '" + name + "' is in more than 64 groups");
  }
  ids.groups.resize(static_cast<std::size_t>(count));
  return ids;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) merged[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : changes) merged[name] = value;
  std::vector<std::string> result;
  result.reserve(merged.size());
  for (const auto& [name, value] : merged) result.push_back(name + "=" + value);
  return result;
}

// Everything the child needs, made before fork(): between fork and exec a child of a threaded
// parent may only make system calls.
struct Launch {
  std::string program;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::vector<char*> argv_pointers;
  std::vector<char*> environment_pointers;
  std::string directory;
  std::optional<AccountIds> account;
  bool dies_with_owner = false;
  int standard_input = -1;
  int standard_output = -1;
  int standard_error = -1;
  int report = -1;  // close-on-exec: the parent reads errno of a failed step, or end of file when
                    // exec succeeded
  pid_t parent = 0;
};

[[noreturn]] void report_and_exit(const Launch& launch) {
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(launch.report, &error, sizeof error);
  ::_exit(127);
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGCHLD, SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_DFL);
}

// The bare system calls: glibc's wrappers would try to change the other threads' ids too, which
// this child has only on paper.
bool become(const AccountIds& ids) {
  const auto [user, group, home] = ids.account;
  return ::syscall(SYS_setgroups, ids.groups.size(), ids.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, group, group, group) == 0 &&
         ::syscall(SYS_setresuid, user, user, user) == 0;
}

[[noreturn]] void run_child(const Launch& launch) {
  ::setpgid(0, 0);
  reset_signals();
  if (::dup2(launch.standard_input, 0) < 0 || ::dup2(launch.standard_output, 1) < 0 ||
      ::dup2(launch.standard_error, 2) < 0)
    report_and_exit(launch);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (launch.account && !become(*launch.account)) report_and_exit(launch);
  if (!launch.directory.empty() && ::chdir(launch.directory.c_str()) != 0) report_and_exit(launch);
  if (launch.dies_with_owner) {
    // After the change of ids, which clears it.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) report_and_exit(launch);
    if (::getppid() != launch.parent) ::_exit(127);
  }
  ::execve(launch.program.c_str(), launch.argv_pointers.data(), launch.environment_pointers.data());
  report_and_exit(launch);
}

std::string resolve_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const auto found = find_program(name);
  if (found.empty())
    throw SandboxError("there is no program '" + name +
                       "' in PATH: install its package (./run deps)");
  return found.string();
}

Launch prepare_launch(const ProcessSpec& spec) {
  Launch launch;
  launch.program = resolve_program(spec.argv.at(0));
  launch.argv = spec.argv;
  launch.directory = spec.directory.string();
  launch.dies_with_owner = spec.dies_with_owner;
  launch.parent = ::getpid();
  auto environment = spec.environment;
  if (!spec.run_as.empty()) {
    launch.account = look_up_account(spec.run_as);
    environment.emplace("HOME", launch.account->account.home);
    environment.emplace("USER", spec.run_as);
  }
  launch.environment = merged_environment(environment);
  return launch;
}

pid_t spawn(Launch& launch) {
  launch.argv_pointers = pointers_to(launch.argv);
  launch.environment_pointers = pointers_to(launch.environment);
  Pipe report = make_pipe();
  launch.report = report.write_end.get();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("cannot fork", errno);
  if (pid == 0) run_child(launch);
  ::setpgid(pid, pid);  // both do it, so that neither has to wait for the other
  report.write_end.close();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(report.read_end.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  throw_errno("cannot start " + launch.program + (launch.account ? " as another account" : ""),
              error);
}

ProcessEnd to_process_end(int status) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

// Feeds `input` and collects both outputs until both are closed or the deadline is over. Returns
// false for the latter.
class Conversation {
 public:
  Conversation(Descriptor input, Descriptor output, Descriptor error, const std::string& text)
      : input_(std::move(input)),
        output_(std::move(output)),
        error_(std::move(error)),
        unsent_(text) {
    ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
    if (unsent_.empty()) input_.close();
  }

  bool run(Clock::time_point deadline, CommandResult& result) {
    while (output_.is_open() || error_.is_open()) {
      std::array<pollfd, 3> waits{pollfd{input_.get(), POLLOUT, 0},
                                  pollfd{output_.get(), POLLIN, 0},
                                  pollfd{error_.get(), POLLIN, 0}};
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return false;
      if (::poll(waits.data(), waits.size(), static_cast<int>(left)) < 0 && errno != EINTR)
        throw_errno("poll", errno);
      if (waits[0].revents != 0) send_some();
      if (waits[1].revents != 0) receive_some(output_, result.standard_output);
      if (waits[2].revents != 0) receive_some(error_, result.standard_error);
    }
    return true;
  }

 private:
  void send_some() {
    const ssize_t sent = ::write(input_.get(), unsent_.data(), unsent_.size());
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent > 0) unsent_.remove_prefix(static_cast<std::size_t>(sent));
    // A program that stops reading (EPIPE) says by its exit status whether that was an error.
    if (sent < 0 || unsent_.empty()) input_.close();
  }

  static void receive_some(Descriptor& from, std::string& into) {
    std::array<char, 65536> chunk{};
    const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      from.close();
      return;
    }
    into.append(chunk.data(), static_cast<std::size_t>(got));
  }

  Descriptor input_;
  Descriptor output_;
  Descriptor error_;
  std::string_view unsent_;
};

// While it lives, a write into a closed pipe is EPIPE for this thread instead of a deadly signal
// for the process.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &set_, &before);
    was_blocked_ = sigismember(&before, SIGPIPE) == 1;
  }
  ~NoBrokenPipeSignal() {
    if (was_blocked_) return;
    const timespec now{};
    ::sigtimedwait(&set_, nullptr, &now);
    ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;

 private:
  sigset_t set_{};
  bool was_blocked_ = false;
};

struct ProcessStat {
  char state = 0;
  pid_t parent = 0;
};

// `task` is a process, or a thread as PID/task/TID.
std::optional<ProcessStat> read_stat(const std::string& task) {
  std::ifstream file("/proc/" + task + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The program's name stands in parentheses and may hold any character, so look from the last one.
  const auto after_name = text.rfind(')');
  if (after_name == std::string::npos) return std::nullopt;
  ProcessStat stat;
  std::istringstream fields(text.substr(after_name + 1));
  if (!(fields >> stat.state >> stat.parent)) return std::nullopt;
  return stat;
}

bool executes_nothing(const std::optional<ProcessStat>& stat) {
  return !stat || std::string_view("TtZX").find(stat->state) != std::string_view::npos;
}

bool every_thread_stands_still(pid_t pid) {
  const std::string tasks = std::to_string(pid) + "/task";
  std::error_code gone;  // ends the walk, as the process's end does
  for (std::filesystem::directory_iterator task("/proc/" + tasks, gone), end; task != end;
       task.increment(gone)) {
    if (!executes_nothing(read_stat(tasks + "/" + task->path().filename().string()))) return false;
  }
  return true;
}

}  // namespace

std::string ProcessEnd::describe() const {
  if (signal == 0) return "exit status " + std::to_string(exit_code);
  return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

Process Process::start(const ProcessSpec& spec) {
  Launch launch = prepare_launch(spec);
  const Descriptor null = open_or_throw("/dev/null", O_RDWR);
  Descriptor log;
  if (!spec.log_file.empty()) log = open_or_throw(spec.log_file, O_WRONLY | O_CREAT | O_APPEND);
  launch.standard_input = null.get();
  launch.standard_output = log.is_open() ? log.get() : null.get();
  launch.standard_error = launch.standard_output;
  return Process(spawn(launch));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), end_(std::exchange(other.end_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  end_group();
  pid_ = std::exchange(other.pid_, 0);
  end_ = std::exchange(other.end_, std::nullopt);
  return *this;
}

Process::~Process() {
  end_group();
}

void Process::end_group() noexcept {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // in case its group is not there yet
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

bool Process::is_alive() {
  if (pid_ == 0) return false;
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
  if (reaped == 0) return true;
  if (reaped < 0 && errno == EINTR) return true;
  if (reaped < 0) throw_errno("somebody else reaped process " + std::to_string(pid_), errno);
  end_ = to_process_end(status);
  pid_ = 0;
  return false;
}

void Process::send(int signal) {
  if (is_alive()) ::kill(pid_, signal);
}

void Process::send_to_group(int signal) {
  if (is_alive()) ::kill(-pid_, signal);
}

bool Process::wait_for_end(milliseconds timeout) {
  return wait_until([this] { return !is_alive(); }, timeout);
}

void Process::kill_and_reap() {
  const pid_t pid = pid_;
  send(SIGKILL);
  if (!wait_for_end(std::chrono::seconds(20)))
    throw SandboxError("process " + std::to_string(pid) + " does not end after SIGKILL");
}

CommandResult run_command(const ProcessSpec& spec, const std::string& input, milliseconds timeout) {
  Launch launch = prepare_launch(spec);
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  launch.standard_input = in.read_end.get();
  launch.standard_output = out.write_end.get();
  launch.standard_error = err.write_end.get();
  const NoBrokenPipeSignal no_signal;
  const auto deadline = Clock::now() + timeout;
  const pid_t pid = spawn(launch);
  in.read_end.close();
  out.write_end.close();
  err.write_end.close();
  CommandResult result;
  Conversation conversation(std::move(in.write_end), std::move(out.read_end),
                            std::move(err.read_end), input);
  const bool in_time = conversation.run(deadline, result);
  if (!in_time) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    throw SandboxError(launch.program + " did not end within " + std::to_string(timeout.count()) +
                       " ms and was killed\n" + result.standard_error);
  }
  result.end = to_process_end(status);
  return result;
}

std::optional<SystemAccount> find_system_account(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> strings{};
  const int error = ::getpwnam_r(name.c_str(), &entry, strings.data(), strings.size(), &found);
  if (error != 0) throw_errno("cannot look up account '" + name + "'", error);
  if (found == nullptr) return std::nullopt;
  return SystemAccount{entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto stat = read_stat(name);
    if (stat && stat->parent == parent) children.push_back(std::stoi(name));
  }
  return children;
}

bool process_exists(pid_t pid) {
  const auto stat = read_stat(std::to_string(pid));
  return stat && stat->state != 'Z' && stat->state != 'X';
}

void pause_processes(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) ::kill(pid, SIGSTOP);
  for (const pid_t pid : pids) {
    if (!wait_until([pid] { return every_thread_stands_still(pid); }, std::chrono::seconds(20)))
      throw SandboxError("process " + std::to_string(pid) + " does not stand still after SIGSTOP");
  }
}

std::uintmax_t size_of(const std::filesystem::path& file) {
  std::error_code not_there;
  const auto size = std::filesystem::file_size(file, not_there);
  return not_there ? 0 : size;
}

std::string tail_of(const std::filesystem::path& file, std::uintmax_t skipped) {
  constexpr std::size_t kLines = 15;
  std::ifstream stream(file);
  stream.seekg(static_cast<std::streamoff>(skipped));
  std::deque<std::string> last;
  std::string line;
  while (std::getline(stream, line)) {
    last.push_back(line);
    if (last.size() > kLines) last.pop_front();
  }
  std::string text;
  for (const auto& kept : last) text += kept + "\n";
  return text;
}

void let_others_pass(const std::filesystem::path& folder) {
  using std::filesystem::perms;
  std::filesystem::permissions(folder, perms::group_exec | perms::others_exec,
                               std::filesystem::perm_options::add);
}

void write_private_file(const std::filesystem::path& file, const std::string& content) {
  using std::filesystem::perms;
  std::filesystem::remove(file);  // also if it belongs to the account of a server
  std::ofstream stream(file);
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
  stream << content;
  stream.close();
  if (!stream) throw SandboxError("cannot write " + file.string());
}

void sync_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) throw SandboxError("cannot sync " + file.string() + ": " + std::strerror(error));
}

std::filesystem::path find_program(const std::string& name,
                                   const std::vector<std::filesystem::path>& folders) {
  auto candidates = folders;
  const char* path = std::getenv("PATH");
  std::istringstream entries(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string entry; std::getline(entries, entry, ':');) candidates.emplace_back(entry);
  candidates.emplace_back(
      "/usr/sbin");  // where servers are, and which is not in a plain user's PATH
  for (const auto& folder : candidates) {
    auto file = folder / name;
    if (::access(file.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(file)) return file;
  }
  return {};
}

void sleep_briefly() {
  std::this_thread::sleep_for(milliseconds(5));
}

}  // namespace assent::live
