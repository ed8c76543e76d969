#include "chaos/sandbox/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <string>

#include "chaos/sandbox/process.h"

namespace assent::live {
namespace {

// Blocks of equal size, so that two leases overlap only if they are the same block.
constexpr std::uint16_t kBlockSize = 32;
constexpr std::uint16_t kFirstBlock = 16'000 / kBlockSize;
constexpr std::uint16_t kLastBlock = 32'000 / kBlockSize;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Calls bind or connect on a fresh TCP socket; true when it succeeded.
template <typename Call>
bool try_socket(std::uint16_t port, Call call) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  const bool succeeded = call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return succeeded;
}

// A name in the kernel that only one socket can have, freed when its owner dies: no file is left.
int lock_block(std::uint16_t block) {
  const std::string name = "assent-port-block-" + std::to_string(block);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[1], name.data(), name.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

bool port_is_free(std::uint16_t port) {
  return try_socket(port, ::bind);
}

void check_port_is_free(const std::string& who, std::uint16_t port) {
  if (port_is_free(port)) return;
  throw SandboxError(who + ": port " + std::to_string(port) +
                     " of 127.0.0.1 is taken: stop what listens there, or choose other ports");
}

bool accepts_connections(std::uint16_t port) {
  return try_socket(port, ::connect);
}

PortLease::PortLease(std::uint16_t count) {
  if (count > kBlockSize)
    throw SandboxError("a lease has at most " + std::to_string(kBlockSize) + " ports");
  constexpr std::uint16_t kBlocks = kLastBlock - kFirstBlock;
  const auto start = static_cast<std::uint16_t>(std::random_device{}() % kBlocks);
  for (std::uint16_t i = 0; i < kBlocks; ++i) {
    const auto block = static_cast<std::uint16_t>(kFirstBlock + (start + i) % kBlocks);
    if (try_block(block, count)) return;
  }
  throw SandboxError("no free ports between 16000 and 32000 on 127.0.0.1");
}

bool PortLease::try_block(std::uint16_t block, std::uint16_t count) {
  const int lock = lock_block(block);
  if (lock < 0) return false;
  const auto first = static_cast<std::uint16_t>(block * kBlockSize);
  for (std::uint16_t i = 0; i < count; ++i) {
    if (!port_is_free(static_cast<std::uint16_t>(first + i))) {
      ::close(lock);
      return false;
    }
  }
  first_ = first;
  lock_ = lock;
  return true;
}

PortLease::~PortLease() {
  ::close(lock_);
}

}  // namespace assent::live
