#include "chaos/sandbox/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "chaos/sandbox/process.h"

namespace assent::live {
namespace {

constexpr const char* kSocketName = "control.sock";

// A path that is short however deep the folder lies: a socket's may have 107 bytes.
sockaddr_un socket_in(int directory_fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(directory_fd) + "/" + kSocketName;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(&address.sun_path[0], sizeof address.sun_path - 1);
  return address;
}

int open_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw SandboxError(std::string("cannot make a socket: ") + std::strerror(errno));
  return fd;
}

// Requests and answers: the first line says what, the rest is text.
std::pair<std::string, std::string> split_line(const std::string& text) {
  const auto end = text.find('\n');
  if (end == std::string::npos) return {text, ""};
  return {text.substr(0, end), text.substr(end + 1)};
}

}  // namespace

ControlSocket::ControlSocket(int directory_fd) : directory_fd_(directory_fd), fd_(open_socket()) {
  ::unlinkat(directory_fd_, kSocketName, 0);
  const sockaddr_un address = socket_in(directory_fd_);
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(before);
  if (bound && ::listen(fd_, 16) == 0) return;
  const int error = errno;
  ::close(fd_);
  throw SandboxError(std::string("cannot listen on ") + kSocketName + ": " + std::strerror(error));
}

ControlSocket::~ControlSocket() {
  ::unlinkat(directory_fd_, kSocketName, 0);
  ::close(fd_);
}

void ControlSocket::serve_one(const std::function<ControlAnswer(const ControlRequest&)>& handler) {
  const int connection = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) return;
  const timeval patience{5, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto [verb, argument] = split_line(read_to_end(connection));
  if (!verb.empty()) {
    const ControlAnswer answer = handler({verb, argument});
    send_all(connection, (answer.succeeded ? "ok\n" : "error\n") + answer.text);
  }
  ::close(connection);
}

std::optional<ControlAnswer> ask_supervisor(const std::string& directory,
                                            const ControlRequest& request) {
  const int folder = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return std::nullopt;
  const sockaddr_un address = socket_in(folder);
  const int fd = open_socket();
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(folder);
  std::optional<ControlAnswer> answer;
  if (connected && send_all(fd, request.verb + "\n" + request.argument)) {
    ::shutdown(fd, SHUT_WR);
    const auto [result, text] = split_line(read_to_end(fd));
    if (!result.empty()) answer = ControlAnswer{result == "ok", text};
  }
  ::close(fd);
  return answer;
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

bool send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t some = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) return false;
    sent += static_cast<std::size_t>(some);
  }
  return true;
}

}  // namespace assent::live
