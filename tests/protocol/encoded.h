#pragma once

#include <string>
#include <variant>

#include "protocol/wire/convert.h"

namespace assent {

/// The body of one message, whichever of its link's direction it is.
template <typename Message>
std::string encoded(const Message& message) {
  std::string out;
  encode(message, out);
  return out;
}

template <typename... Messages>
std::string encoded(const std::variant<Messages...>& message) {
  return std::visit([](const auto& one) { return encoded(one); }, message);
}

}  // namespace assent
