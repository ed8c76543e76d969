#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "coordinator/client/client.h"
#include "coordinator/tools/exit_status.h"
#include "coordinator/tools/json_in.h"
#include "coordinator/tools/json_out.h"
#include "coordinator/tools/text_out.h"

namespace assent::tools {
namespace {

struct Arguments {
  std::string coordinator = "127.0.0.1:7400";
  bool json = false;
  std::string file;
  std::string key;
  bool settle = false;
  std::string gtrid;
};

template <typename Shown>
void print(const Arguments& arguments, const Shown& shown) {
  if (arguments.json) {
    fmt::print("{}\n", to_json(shown));
  } else {
    fmt::print("{}", to_text(shown));
  }
}

ExitStatus bad_input(const std::string& message) {
  fmt::print(stderr, "assentctl: {}\n", message);
  return ExitStatus::kBadInput;
}

ExitStatus could_not_ask(const Arguments& arguments, const Error& error) {
  if (arguments.json) fmt::print("{}\n", to_json(error));
  fmt::print(stderr, "assentctl: {}", to_text(error));
  return error.code == ErrorCode::kInvalid ? ExitStatus::kBadInput : ExitStatus::kRefused;
}

Result<Client> connect(const Arguments& arguments) {
  return Client::connect({.coordinator = arguments.coordinator, .application = "assentctl"});
}

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

ExitStatus list(const Arguments& arguments) {
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto found = client->transactions();
  if (found.has_error()) return could_not_ask(arguments, found.error());
  print(arguments, *found);
  return ExitStatus::kCommitted;
}

ExitStatus show(const Arguments& arguments) {
  const auto gtrid = parse_gtrid(arguments.gtrid);
  if (!gtrid)
    return bad_input(
        fmt::format("'{}' is no gtrid, such as 0123456789abcdef-1-2a", arguments.gtrid));
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto found = client->transaction(*gtrid);
  if (found.has_error()) return could_not_ask(arguments, found.error());
  if (!found->transaction) {
    fmt::print(stderr, "assentctl: no record of {}\n", arguments.gtrid);
    return ExitStatus::kNoRecord;
  }
  print(arguments, *found->transaction);
  return ExitStatus::kCommitted;
}

ExitStatus participants(const Arguments& arguments) {
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto found = client->participants();
  if (found.has_error()) return could_not_ask(arguments, found.error());
  print(arguments, *found);
  return ExitStatus::kCommitted;
}

class Commands {
 public:
  Commands() {
    app_.require_subcommand(1);
    app_.fallthrough();  // options may stand before or behind the verb
    app_.add_option("--coordinator", arguments_.coordinator, "HOST:PORT")
        ->envname("ASSENT_COORDINATOR")
        ->capture_default_str();
    app_.add_flag("--json", arguments_.json, "print one JSON object");
    app_.footer(
        "Exit status: 0 committed (or shown), 1 rolled back, 2 wrong usage or bad input,\n"
        "3 unknown or in progress, 4 refused or unreachable without any effect, 5 no record,\n"
        "6 expired.");

    add("submit", "run a transaction from a JSON file", submit)
        ->add_option("FILE", arguments_.file, "the file; - reads standard input")
        ->required();
    CLI::App* asked = add("outcome", "what became of an idempotency key", outcome);
    asked->add_option("--key", arguments_.key, "the key")->required();
    asked->add_flag("--settle", arguments_.settle, "bind an undecided key to rolled back first");
    add("list", "unfinished transactions", list);
    add("show", "one transaction", show)->add_option("GTRID", arguments_.gtrid)->required();
    add("participants", "databases and their agents", participants);
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::kBadInput);
    }
    return static_cast<int>(chosen_(arguments_));
  }

 private:
  using Verb = ExitStatus (*)(const Arguments&);

  CLI::App* add(const std::string& name, const std::string& what, Verb verb) {
    CLI::App* command = app_.add_subcommand(name, what);
    command->callback([this, verb] { chosen_ = verb; });
    return command;
  }

  Arguments arguments_;
  Verb chosen_ = nullptr;
  CLI::App app_{"assentctl: submit transactions to Assent and see what became of them."};
};

}  // namespace
}  // namespace assent::tools

int main(int argc, char** argv) {
  return assent::tools::Commands().run(argc, argv);
}
