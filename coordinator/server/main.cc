#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "coordinator/server/options.h"
#include "coordinator/server/server.h"
#include "protocol/base/crash_point.h"

namespace {

using assent::coordinator::read_options;
using assent::coordinator::Server;

constexpr int kWrongConfiguration = 2;
constexpr int kLogFailed = 1;

int refuse(const assent::Error& error, int status) {
  fmt::print(stderr, "assentd: {}\n", error.message);
  return status;
}

int serve(const std::string& file, bool restored) {
  auto options = read_options(file);
  if (options.has_error()) return refuse(options.error(), kWrongConfiguration);
  options->restored = restored;
  auto server = Server::make(*options);
  if (server.has_error()) return refuse(server.error(), kWrongConfiguration);
  assent::crash_point("coordinator.start.listening");
  if (const auto opened = (*server)->open_log(); opened.has_error()) {
    const bool unfit = opened.error().code == assent::ErrorCode::kInvalid;
    return refuse(opened.error(), unfit ? kWrongConfiguration : kLogFailed);
  }
  assent::crash_point("coordinator.start.log_open");
  fmt::print("assentd name={} ready on {}\n", options->core.name, to_string((*server)->address()));
  std::fflush(stdout);
  assent::crash_point("coordinator.start.ready");
  return (*server)->run() ? 0 : kLogFailed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "assentd: the coordinator of Assent. Commits a transaction in all databases or none.");
  std::string file;
  app.add_option("--config", file, "configuration file (TOML)")->required();
  bool restored = false;
  app.add_flag("--restored", restored,
               "the decision log is a copy made by `assentctl log backup`, the original is lost");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongConfiguration;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("assentd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  return serve(file, restored);
}
