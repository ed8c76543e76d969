#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "chaos/sandbox/sandbox.h"

/// Running assentd and assent-agentd by hand, with configurations that were tampered with.

namespace assent::testing {

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::filesystem::path config_of(const live::Sandbox& sandbox, const std::string& part) {
  return sandbox.spec().directory / "config" / (part + ".toml");
}

/// Writes a copy of `file` under another name beside it, with every match of `pattern` replaced.
inline std::filesystem::path copy_with(const std::filesystem::path& file, const std::string& name,
                                       const std::string& pattern, const std::string& replacement) {
  const auto copy = file.parent_path() / name;
  live::write_private_file(copy,
                           std::regex_replace(text_of(file), std::regex(pattern), replacement));
  return copy;
}

/// Runs a server to its end, which must come by itself: it is expected to refuse to start.
inline live::CommandResult run_server(const std::filesystem::path& program,
                                      const std::filesystem::path& config) {
  live::ProcessSpec spec;
  spec.argv = {program.string(), "--config", config.string()};
  return live::run_command(spec, "", std::chrono::seconds(60));
}

/// A further coordinator or agent beside the house's own.
inline live::ServiceSpec extra_service(const std::string& name,
                                       const std::filesystem::path& program,
                                       const std::filesystem::path& config, std::uint16_t port) {
  live::ServiceSpec spec;
  spec.name = name;
  spec.argv = {program.string(), "--config", config.string()};
  spec.log_file = config.string() + ".log";
  spec.port = port;
  spec.dies_with_owner = true;
  return spec;
}

}  // namespace assent::testing
