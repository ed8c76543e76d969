#pragma once

#include <string>

#include "protocol/base/time.h"

namespace assent {

struct ClientOptions {
  std::string coordinator = "127.0.0.1:7400";  ///< HOST:PORT
  std::string application;  ///< who calls, for people; the coordinator does not show it yet
  /// How long a connection may take to be made, and a call that has no timeout of its own to be
  /// answered, connecting included.
  Duration timeout = std::chrono::seconds(5);
};

}  // namespace assent
