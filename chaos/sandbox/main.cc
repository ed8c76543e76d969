// assent-sandbox: private databases, their agents and a coordinator on this machine, to try Assent
// on.

#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>

#include <CLI/CLI.hpp>

#include "chaos/sandbox/supervisor.h"

namespace {

using namespace assent::live;

constexpr int kSuccess = 0;
constexpr int kStatementFailed = 1;  // sql: the database's words are on standard error
constexpr int kNotAllRunning = 1;    // status
constexpr int kRefused = 2;          // wrong usage, or it cannot be done: standard error says why

struct Options {
  std::string directory = "build/sandbox";
  std::string points;  // kinds; empty: not given
  std::string payments;
  int base_port = 0;  // 0: not given
  bool purge = false;
  std::string name;
  std::string statement;
};

std::filesystem::path folder_of(const Options& options) {
  return std::filesystem::absolute(options.directory).lexically_normal();
}

[[noreturn]] void refuse_no_sandbox(const Options& options) {
  throw SandboxError("no sandbox is running in " + folder_of(options).string() +
                     ": start one with up, or name its folder with --dir");
}

DatabaseKind kind_or(const std::string& given, DatabaseKind otherwise) {
  return given.empty() ? otherwise : parse_database_kind(given).value();
}

SandboxSpec new_spec(const Options& options) {
  SandboxSpec spec;
  spec.directory = folder_of(options);
  spec.participants = points_and_payments(kind_or(options.points, DatabaseKind::kPostgres),
                                          kind_or(options.payments, DatabaseKind::kMariadb));
  if (options.base_port != 0) spec.base_port = static_cast<std::uint16_t>(options.base_port);
  return spec;
}

// What is asked for must be what the folder holds.
void check_same(const SandboxSpec& held, const Options& options) {
  for (const auto& [name, kind, schema] : held.participants) {
    const std::string& asked = name == "points" ? options.points : options.payments;
    if (!asked.empty() && asked != to_string(kind)) {
      throw SandboxError("the sandbox in " + held.directory.string() + " has its " + name + " on " +
                         std::string(to_string(kind)) +
                         ": remove it with down --purge first, or use another --dir");
    }
  }
  if (options.base_port != 0 && options.base_port != held.base_port) {
    throw SandboxError("the sandbox in " + held.directory.string() + " has base port " +
                       std::to_string(held.base_port) +
                       ": remove it with down --purge first, or use another --dir");
  }
}

int up(const Options& options) {
  const auto held = Sandbox::read_spec(folder_of(options));
  if (held) check_same(*held, options);
  const SandboxSpec spec = held ? *held : new_spec(options);
  start_supervisor(spec);
  const auto status = ask_supervisor(spec.directory, {"status", ""});
  if (!status) refuse_no_sandbox(options);
  std::printf("%s\nsource %s\n", status->text.c_str(), (spec.directory / "env").c_str());
  return kSuccess;
}

int status(const Options& options) {
  const auto answer = ask_supervisor(folder_of(options), {"status", ""});
  if (!answer) {
    std::printf("no sandbox is running in %s\n", folder_of(options).c_str());
    return kNotAllRunning;
  }
  std::printf("%s", answer->text.c_str());
  std::istringstream lines(answer->text);
  for (std::string name, state, rest; lines >> name >> state && std::getline(lines, rest);) {
    if (state != "running") return kNotAllRunning;
  }
  return kSuccess;
}

int ask(const Options& options, const std::string& verb) {
  const auto answer = ask_supervisor(folder_of(options), {verb, options.name});
  if (!answer) refuse_no_sandbox(options);
  if (!answer->succeeded) throw SandboxError(answer->text);
  return kSuccess;
}

// 0 when none runs.
pid_t supervisor_pid(const std::filesystem::path& directory) {
  std::ifstream file(directory / "pids" / "supervisor.pid");
  pid_t pid = 0;
  file >> pid;
  return pid;
}

int down(const Options& options) {
  const auto directory = folder_of(options);
  const pid_t supervisor = supervisor_pid(directory);
  if (const auto answer = ask_supervisor(directory, {"down", options.purge ? "purge" : ""})) {
    if (!answer->succeeded) throw SandboxError(answer->text);
    // So that the folder is free for the next up when this returns.
    wait_until([&] { return !process_exists(supervisor); }, std::chrono::seconds(10));
    return kSuccess;
  }
  const auto held = Sandbox::read_spec(directory);
  if (!held) {
    std::printf("no sandbox is in %s\n", directory.c_str());
  } else if (options.purge) {
    Sandbox(*held).remove();
  }
  return kSuccess;
}

int sql(const Options& options) {
  const auto held = Sandbox::read_spec(folder_of(options));
  if (!held) refuse_no_sandbox(options);
  Sandbox sandbox(*held);
  const CommandResult result =
      sandbox.database(options.name).run_sql(options.name, options.statement);
  std::fputs(result.standard_output.c_str(), stdout);
  std::fputs(result.standard_error.c_str(), stderr);
  return result.end.succeeded() ? kSuccess : kStatementFailed;
}

CLI::App* add_verb(CLI::App& app, Options& options, const char* name, const char* words) {
  CLI::App* verb = app.add_subcommand(name, words);
  verb->add_option("--dir", options.directory, "the sandbox's folder")->capture_default_str();
  return verb;
}

void add_name(CLI::App* verb, Options& options) {
  verb->add_option("NAME", options.name,
                   "coordinator agent-points agent-payments db-points db-payments")
      ->required();
}

int run(CLI::App& app, const Options& options) {
  const std::string verb = app.get_subcommands().front()->get_name();
  if (verb == "up") return up(options);
  if (verb == "status") return status(options);
  if (verb == "down") return down(options);
  if (verb == "sql") return sql(options);
  return ask(options, verb);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Private databases, their agents and a coordinator, all on 127.0.0.1 and in one folder.",
      "sandbox");
  app.require_subcommand(1);
  const CLI::IsMember a_kind({"postgres", "mariadb"});
  CLI::App* up_verb =
      add_verb(app, options, "up",
               "start it; make it when the folder holds none; returns when all are ready");
  up_verb
      ->add_option("--points", options.points,
                   "database of the points: postgres (default) or mariadb")
      ->check(a_kind);
  up_verb
      ->add_option("--payments", options.payments,
                   "database of the payments: postgres or mariadb (default)")
      ->check(a_kind);
  up_verb
      ->add_option("--base-port", options.base_port,
                   "first of 22 ports of 127.0.0.1 (default 7400)")
      ->check(CLI::Range(1024, 65000));
  add_verb(app, options, "status", "a line for each process; exit status 1 unless all are running");
  add_name(add_verb(app, options, "start", "start one process again; returns when it is ready"),
           options);
  add_name(add_verb(app, options, "stop", "stop one process in good order"), options);
  add_name(add_verb(app, options, "kill", "SIGKILL one process"), options);
  add_verb(app, options, "clock", "start the coordinator on a host whose clock is off by OFFSET")
      ->add_option("OFFSET", options.name, "such as +10d, -3h, +0; until the sandbox is down")
      ->required();
  CLI::App* sql_verb =
      add_verb(app, options, "sql", "run a statement in a database; rows come tab-separated");
  sql_verb->add_option("DATABASE", options.name, "points or payments")->required();
  sql_verb->add_option("STATEMENT", options.statement, "such as: SELECT * FROM card LIMIT 3")
      ->required();
  CLI::App* down_verb =
      add_verb(app, options, "down", "stop everything; the data stays for the next up");
  down_verb->add_flag("--purge", options.purge, "and remove the folder");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSuccess : kRefused;
  }
  try {
    return run(app, options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sandbox: %s\n", error.what());
    return kRefused;
  }
}
