// assent-agentd: the agent of one participant. Exit status 0 after SIGTERM or SIGINT, 1 when it
// can't serve, 2 for a wrong command line or configuration.

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "participant_agents/server/options.h"
#include "participant_agents/server/server.h"

namespace {

constexpr int kCannotServe = 1;
constexpr int kBadConfiguration = 2;

void log_to_standard_error() {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("agent"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
}

int serve(const assent::agent::Options& options) {
  assent::agent::Server server(options);
  const auto served = server.run([&](const assent::Address& address) {
    std::printf("assent-agentd participant=%s ready on %s\n", options.database.participant.c_str(),
                assent::to_string(address).c_str());
    std::fflush(stdout);
  });
  if (served) return 0;
  std::fprintf(stderr, "assent-agentd: %s\n", served.error().message.c_str());
  return kCannotServe;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The agent of one participant of Assent.", "assent-agentd");
  std::string config;
  app.add_option("--config", config, "configuration, TOML")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadConfiguration;
  }
  log_to_standard_error();
  const auto options = assent::agent::read_options(config);
  if (!options) {
    std::fprintf(stderr, "assent-agentd: %s\n", options.error().message.c_str());
    return kBadConfiguration;
  }
  return serve(*options);
}
