#include "coordinator/tools/asking.h"

#include <cstdio>

namespace assent::tools {

ExitStatus bad_input(const std::string& message) {
  fmt::print(stderr, "assentctl: {}\n", message);
  return ExitStatus::kBadInput;
}

ExitStatus no_gtrid(const Arguments& arguments) {
  return bad_input(fmt::format("'{}' is no gtrid, such as 0123456789abcdef-1-2a", arguments.gtrid));
}

ExitStatus could_not_ask(const Arguments& arguments, const Error& error) {
  if (arguments.json) fmt::print("{}\n", to_json(error));
  fmt::print(stderr, "assentctl: {}", to_text(error));
  if (error.effect != Effect::kNone) return ExitStatus::kUnknown;
  return error.code == ErrorCode::kInvalid ? ExitStatus::kBadInput : ExitStatus::kRefused;
}

Result<Client> connect(const Arguments& arguments, Duration patience) {
  return Client::connect(
      {.coordinator = arguments.coordinator, .application = "assentctl", .timeout = patience});
}

}  // namespace assent::tools
