#pragma once

#include <functional>
#include <optional>
#include <string>

// How the verbs of assent-sandbox reach the supervisor of a sandbox: one request and one answer
// over DIR/control.sock, which its owner alone can open.
namespace assent::live {

struct ControlRequest {
  std::string verb;
  std::string argument;
};

struct ControlAnswer {
  bool succeeded = false;
  std::string text;  // for a person
};

// The supervisor's end. Used by one thread.
class ControlSocket {
 public:
  // Replaces a socket that a dead supervisor left. Throws SandboxError. `directory_fd` is the
  // folder, and outlives this object.
  explicit ControlSocket(int directory_fd);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  int fd() const { return fd_; }  // readable when serve_one() has something to do

  // Answers one caller. A caller that sends rubbish, or goes away, is dropped.
  void serve_one(const std::function<ControlAnswer(const ControlRequest&)>& handler);

 private:
  int directory_fd_;
  int fd_;
};

// The caller's end: empty when no supervisor listens in this folder, or died before it answered.
std::optional<ControlAnswer> ask_supervisor(const std::string& directory,
                                            const ControlRequest& request);

// For short texts between processes of ours: everything until the other end closes; an error ends
// it too. Throws nothing.
std::string read_to_end(int fd);

// False when the other end is gone.
bool send_all(int fd, const std::string& text);

}  // namespace assent::live
