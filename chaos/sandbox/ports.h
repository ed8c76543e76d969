#pragma once

#include <cstdint>
#include <string>

// Ports of 127.0.0.1.
namespace assent::live {

// Nobody listens on it now.
bool port_is_free(std::uint16_t port);

// Throws SandboxError, saying who wants the port and what to do, when somebody listens on it.
void check_port_is_free(const std::string& who, std::uint16_t port);

// Somebody accepts connections on it now.
bool accepts_connections(std::uint16_t port);

// A run of ports that nobody uses, and that no other holder of a lease on this machine gets while
// this one lives: tests that run side by side don't meet. Outside the range from which the kernel
// takes the ports of outgoing connections.
class PortLease {
 public:
  // `count` ports in a row. Throws SandboxError when the machine has none.
  explicit PortLease(std::uint16_t count);
  ~PortLease();
  PortLease(const PortLease&) = delete;
  PortLease& operator=(const PortLease&) = delete;

  std::uint16_t first() const { return first_; }

 private:
  bool try_block(std::uint16_t block, std::uint16_t count);

  std::uint16_t first_ = 0;
  int lock_ = -1;
};

}  // namespace assent::live
