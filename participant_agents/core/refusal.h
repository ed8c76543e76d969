#pragma once

#include <string>
#include <utility>

#include "protocol/base/result.h"

namespace assent::agent {

/// An error of a request that had no effect.
inline Error refusal(ErrorCode code, std::string message) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

}  // namespace assent::agent
