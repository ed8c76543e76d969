#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "coordinator/client/client.h"
#include "coordinator/tools/exit_status.h"
#include "coordinator/tools/json_out.h"
#include "coordinator/tools/text_out.h"

/// What every verb of assentctl needs.

namespace assent::tools {

struct Arguments {
  std::vector<std::string> command;  ///< as it was typed, for repeating it
  std::string coordinator = "127.0.0.1:7400";
  bool json = false;

  std::string file;
  std::string key;
  bool settle = false;

  bool in_doubt = false;
  std::string gtrid;
  bool commit = false;
  bool rollback = false;
  std::string allowance;
  std::string participant;
  std::vector<std::string> despite;
  std::string reason;
  bool yes = false;

  std::vector<std::string> paths;
};

template <typename Shown>
void print(const Arguments& arguments, const Shown& shown) {
  if (arguments.json) {
    fmt::print("{}\n", to_json(shown));
  } else {
    fmt::print("{}", to_text(shown));
  }
}

ExitStatus bad_input(const std::string& message);
ExitStatus no_gtrid(const Arguments& arguments);
/// Says so, and with which effect.
ExitStatus could_not_ask(const Arguments& arguments, const Error& error);

/// `patience`: of calls that have no timeout of their own.
Result<Client> connect(const Arguments& arguments, Duration patience = ClientOptions().timeout);

}  // namespace assent::tools
