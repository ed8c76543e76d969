#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <utility>

#include "coordinator/tools/commands.h"
#include "coordinator/tools/json_in.h"

namespace assent::tools {
namespace {

Answer not_asked(Outcome outcome, const Error& error) {
  Answer answer;
  answer.outcome = outcome;
  answer.error = error;
  return answer;
}

std::optional<std::string> read_all(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

}  // namespace

ExitStatus submit(const Arguments& arguments) {
  const auto text = read_all(arguments.file);
  if (!text) return bad_input(fmt::format("{} can't be read", arguments.file));
  auto submission = read_submission(*text);
  if (submission.has_error())
    return bad_input(fmt::format("{}: {}", arguments.file, submission.error().message));
  auto client = connect(arguments);
  const Answer answer = client.has_error() ? not_asked(Outcome::kRefused, client.error())
                                           : client->submit(std::move(*submission));
  print(arguments, answer);
  return status_of_submit(answer);
}

ExitStatus outcome(const Arguments& arguments) {
  auto client = connect(arguments);
  Answer answer;
  if (client.has_error()) {
    answer = not_asked(Outcome::kUnknown, client.error());
  } else {
    answer = arguments.settle ? client->settle(arguments.key) : client->outcome_of(arguments.key);
  }
  print(arguments, answer);
  return status_of_outcome(answer);
}

}  // namespace assent::tools
