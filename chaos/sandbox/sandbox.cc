#include "chaos/sandbox/sandbox.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <future>
#include <random>
#include <sstream>
#include <utility>

#include "chaos/sandbox/programs.h"
#include "chaos/sandbox/schema.h"

namespace assent::live {
namespace {

constexpr std::uint16_t kAgentPorts = 1;      // from base_port
constexpr std::uint16_t kDatabasePorts = 11;  // from base_port
constexpr std::size_t kParticipantsMax = 10;

constexpr const char* kCoordinator = "coordinator";
constexpr const char* kCoordinatorName = "pay";  // as the agents know it

std::string agent_name(const std::string& participant) {
  return "agent-" + participant;
}
std::string database_name(const std::string& participant) {
  return "db-" + participant;
}

void validate(const SandboxSpec& spec) {
  if (spec.participants.empty() || spec.participants.size() > kParticipantsMax) {
    throw SandboxError("a sandbox has 1 to " + std::to_string(kParticipantsMax) + " participants");
  }
  for (const auto& participant : spec.participants) {
    const auto& name = participant.name;
    const bool plain =
        !name.empty() && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z' &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    // It becomes the name of files, of a database and of a shell variable.
    if (!plain)
      throw SandboxError("participant '" + name +
                         "': a name is up to 32 of a-z 0-9 _, a letter first");
  }
  if (spec.base_port < 1024 || spec.base_port > 65'000) {
    throw SandboxError("base port " + std::to_string(spec.base_port) +
                       " is not within 1024 .. 65000");
  }
}

std::string address(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

std::string toml_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string shell_string(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string random_token() {
  std::random_device source;
  std::ostringstream text;
  text << std::hex;
  for (int i = 0; i < 8; ++i) {
    text.width(8);
    text.fill('0');
    text << source();
  }
  return text.str();
}

/// Where assentctl is, and the servers: side by side when installed, in their own folders when
/// built.
std::string program_folders(const ServerPrograms& programs) {
  const auto beside = programs.coordinator.parent_path();
  return (beside.parent_path() / "tools").string() + ":" + beside.string() + ":" +
         programs.agent.parent_path().string();
}

void launch_part(DatabaseServer& database) {
  database.start();
}
void launch_part(Service& service) {
  service.launch();
}

bool is_empty_or_missing(const std::filesystem::path& folder) {
  return !std::filesystem::exists(folder) ||
         (std::filesystem::is_directory(folder) && std::filesystem::is_empty(folder));
}

}  // namespace

std::vector<Participant> points_and_payments(DatabaseKind points, DatabaseKind payments) {
  return {{"points", points, Schema::kCards}, {"payments", payments, Schema::kBills}};
}

Sandbox::Sandbox(SandboxSpec spec) : spec_(std::move(spec)) {
  validate(spec_);
  spec_.directory = std::filesystem::absolute(spec_.directory).lexically_normal();
  if (spec_.proxy_seed) make_proxy();
  make_databases();
}

std::optional<SandboxSpec> Sandbox::read_spec(const std::filesystem::path& directory) {
  std::ifstream file(directory / "sandbox");
  if (!file) return std::nullopt;
  SandboxSpec spec;
  spec.directory = directory;
  std::string word;
  file >> word >> spec.base_port;
  for (std::string name, kind, schema; file >> word >> name >> kind >> schema;) {
    const auto parsed = parse_database_kind(kind);
    if (!parsed) throw SandboxError("cannot read " + (directory / "sandbox").string());
    spec.participants.push_back(
        {name, *parsed, schema == "bills" ? Schema::kBills : Schema::kCards});
  }
  return spec;
}

void Sandbox::write_spec() const {
  std::ostringstream text;
  text << "base_port " << spec_.base_port << "\n";
  for (const auto& [name, kind, schema] : spec_.participants) {
    text << "participant " << name << " " << to_string(kind) << " "
         << (schema == Schema::kBills ? "bills" : "cards") << "\n";
  }
  write_private_file(spec_.directory / "sandbox", text.str());
}

// ---- creation --------------------------------------------------------------

void Sandbox::create() {
  if (!is_empty_or_missing(spec_.directory)) {
    throw SandboxError(spec_.directory.string() +
                       " is in use by something else: choose another folder, or remove it");
  }
  for (const auto& participant : spec_.participants)
    DatabaseServer::check_installed(participant.kind);
  try {
    make_folder();
    init_databases();
    start_databases();
    for (const auto& participant : spec_.participants) fill_database(participant);
    write_configuration();
    for (const auto& [name, disk] : disks_) disk->sync();
    write_spec();  // last: it says that everything above is done
  } catch (...) {
    for (auto& [name, server] : databases_) server->kill(KillScope::kEverything);
    remove();
    throw;
  }
}

void Sandbox::make_folder() {
  for (const char* folder : {"pids", "log", "config", "coordinator"}) {
    std::filesystem::create_directories(spec_.directory / folder);
  }
  let_others_pass(spec_.directory);  // to the databases
  for (const auto& [name, mib] : spec_.disks) {
    std::filesystem::create_directories(spec_.directory / name);
    disks_.emplace(name, std::make_unique<LoopDisk>(spec_.directory / name, mib));
  }
}

void Sandbox::init_databases() {
  // Side by side, since each takes most of a second. Only init: a server started in a passing
  // thread would end with it where dies_with_owner is set.
  std::vector<std::future<void>> inits;
  for (auto& [name, server] : databases_) {
    inits.push_back(std::async(std::launch::async, [&database = *server] { database.init(); }));
  }
  for (auto& init : inits) init.wait();
  for (auto& init : inits) init.get();
}

void Sandbox::fill_database(const Participant& participant) {
  DatabaseServer& server = database(participant.name);
  server.create_database(participant.name);
  server.query(participant.name, schema_sql(participant.schema, participant.kind),
               Role::kApplication);
}

void Sandbox::write_configuration() {
  std::ostringstream coordinator;
  coordinator << "[coordinator]\n"
              << "name = " << toml_string(kCoordinatorName) << "\n"
              << "listen = " << toml_string(address(spec_.base_port)) << "\n"
              << "data_dir = " << toml_string((spec_.directory / "coordinator").string()) << "\n"
              << spec_.coordinator_settings;
  for (std::size_t i = 0; i < spec_.participants.size(); ++i) {
    const std::string& name = spec_.participants[i].name;
    write_private_file(config_file(agent_name(name), ".token"), random_token() + "\n");
    write_agent_configuration(i);
    coordinator << "\n[[participant]]\n"
                << "name = " << toml_string(name) << "\n"
                << "agent = " << toml_string(address(port_to(agent_name(name), agent_port(i))))
                << "\n"
                << "token_file = " << toml_string(config_file(agent_name(name), ".token").string())
                << "\n";
  }
  write_private_file(config_file(kCoordinator, ".toml"), coordinator.str());
  write_environment();
}

void Sandbox::write_agent_configuration(std::size_t index) {
  const Participant& participant = spec_.participants[index];
  const std::string name = agent_name(participant.name);
  const DatabaseServer& server = database(participant.name);
  const std::uint16_t port = port_to(server.spec().name, server.spec().port);
  std::ostringstream text;
  text << "[agent]\n"
       << "participant = " << toml_string(participant.name) << "\n"
       << "listen = " << toml_string(address(agent_port(index))) << "\n"
       << spec_.agent_settings  //
       << "\n[database]\n"
       << "kind = " << toml_string(std::string(to_string(participant.kind))) << "\n"
       << "connection = " << toml_string(server.odbc_connection_to(port, participant.name)) << "\n"
       << spec_.database_section  //
       << "\n[[coordinator]]\n"
       << "name = " << toml_string(kCoordinatorName) << "\n"
       << "token_file = " << toml_string(config_file(name, ".token").string()) << "\n";
  write_private_file(config_file(name, ".toml"), text.str());
}

void Sandbox::write_environment() {
  std::ostringstream text;
  text << "# To be sourced by a shell. psql \"$POINTS_URL\" reaches a PostgreSQL, mariadb "
          "$POINTS_URL a MariaDB.\n"
       << "export PATH=" << shell_string(program_folders(find_server_programs())) << ":\"$PATH\"\n"
       << "export ASSENT_COORDINATOR=" << shell_string(coordinator_address()) << "\n";
  for (const auto& participant : spec_.participants) {
    std::string variable = participant.name + "_url";
    std::transform(variable.begin(), variable.end(), variable.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    text << "export " << variable << "="
         << shell_string(database(participant.name).client_url(participant.name)) << "\n";
  }
  write_private_file(spec_.directory / "env", text.str());
}

// ---- parts -----------------------------------------------------------------

std::filesystem::path Sandbox::config_file(const std::string& part, const char* suffix) const {
  return spec_.directory / "config" / (part + suffix);
}

std::filesystem::path Sandbox::log_file(const std::string& part) const {
  return spec_.directory / "log" / (part + ".log");
}

std::filesystem::path Sandbox::pid_file(const std::string& part) const {
  return spec_.directory / "pids" / (part + ".pid");
}

std::uint16_t Sandbox::agent_port(std::size_t index) const {
  return static_cast<std::uint16_t>(spec_.base_port + kAgentPorts + index);
}

std::uint16_t Sandbox::database_port(std::size_t index) const {
  return static_cast<std::uint16_t>(spec_.base_port + kDatabasePorts + index);
}

// Where others find the part that listens on `own`.
std::uint16_t Sandbox::port_to(const std::string& part, std::uint16_t own) const {
  return proxy_ ? proxy_->link(part).port() : own;
}

void Sandbox::make_proxy() {
  proxy_ = std::make_unique<Proxy>(*spec_.proxy_seed);
  proxy_->add(kCoordinator, Carries::kClientFrames, spec_.base_port);
  for (std::size_t i = 0; i < spec_.participants.size(); ++i) {
    const std::string& name = spec_.participants[i].name;
    proxy_->add(agent_name(name), Carries::kAgentFrames, agent_port(i));
    proxy_->add(database_name(name), Carries::kBytes, database_port(i));
  }
}

void Sandbox::make_databases() {
  for (std::size_t i = 0; i < spec_.participants.size(); ++i) {
    const auto& participant = spec_.participants[i];
    DatabaseSpec database;
    database.name = database_name(participant.name);
    database.directory = spec_.directory / database.name;
    database.log_file = log_file(database.name);
    database.port = database_port(i);
    database.dies_with_owner = spec_.dies_with_owner;
    const auto settings = spec_.database_settings.find(participant.name);
    if (settings != spec_.database_settings.end()) database.settings = settings->second;
    const std::string name = database.name;
    if (!databases_.emplace(name, DatabaseServer::make(participant.kind, std::move(database)))
             .second) {
      throw SandboxError("two participants are called '" + participant.name + "'");
    }
  }
}

Service& Sandbox::service(const std::string& name) {
  if (services_.empty()) make_services();
  const auto found = services_.find(name);
  if (found == services_.end()) throw SandboxError(unknown_name(name));
  return found->second;
}

// Only when one is asked for: a sandbox of databases alone needs no programs of ours.
void Sandbox::make_services() {
  const ServerPrograms programs = find_server_programs();
  make_service(kCoordinator, programs.coordinator, spec_.base_port);
  for (std::size_t i = 0; i < spec_.participants.size(); ++i) {
    make_service(agent_name(spec_.participants[i].name), programs.agent, agent_port(i));
  }
  if (spec_.changes_host) host();
}

void Sandbox::make_service(const std::string& name, const std::filesystem::path& program,
                           std::uint16_t port) {
  ServiceSpec service;
  service.name = name;
  service.argv = {program.string(), "--config", config_file(name, ".toml").string()};
  service.log_file = log_file(name);
  service.port = port;
  service.dies_with_owner = spec_.dies_with_owner;
  services_.emplace(name, Service(std::move(service)));
}

std::vector<std::string> Sandbox::names() const {
  std::vector<std::string> all{kCoordinator};
  for (const auto& participant : spec_.participants) all.push_back(agent_name(participant.name));
  for (const auto& participant : spec_.participants) all.push_back(database_name(participant.name));
  return all;
}

std::string Sandbox::unknown_name(const std::string& name) const {
  std::string text = "there is no '" + name + "' in this sandbox; there are:";
  for (const auto& known : names()) text += " " + known;
  return text;
}

DatabaseServer& Sandbox::database(const std::string& participant) {
  const auto found = databases_.find(database_name(participant));
  if (found == databases_.end()) throw SandboxError(unknown_name(database_name(participant)));
  return *found->second;
}

Service& Sandbox::agent(const std::string& participant) {
  return service(agent_name(participant));
}

Service& Sandbox::coordinator() {
  return service(kCoordinator);
}

std::string Sandbox::coordinator_address() const {
  return address(port_to(kCoordinator, spec_.base_port));
}

template <typename Action>
auto Sandbox::with_part(const std::string& name, Action action) {
  const auto found = databases_.find(name);
  if (found != databases_.end()) return action(*found->second);
  return action(service(name));
}

// ---- verbs -----------------------------------------------------------------

template <typename Action>
void Sandbox::bring_up(const std::string& name, Action action) {
  const pid_t pid = with_part(name, [&](auto& part) {
    wishes_[name] = Wish::kRun;
    action(part);
    return part.pid();
  });
  std::ofstream(pid_file(name)) << pid << "\n";
}

void Sandbox::start(const std::string& name) {
  bring_up(name, [](auto& part) { part.start(); });
}

void Sandbox::launch(const std::string& name) {
  bring_up(name, [](auto& part) { launch_part(part); });
}

void Sandbox::stop(const std::string& name) {
  with_part(name, [](auto& part) { part.stop(); });
  note_ended(name, Wish::kStop);
}

void Sandbox::kill(const std::string& name) {
  with_part(name, [](auto& part) { part.kill(); });
  note_ended(name, Wish::kKill);
}

void Sandbox::cut_power(const std::string& name) {
  LoopDisk& its = disk(name);
  its.cut_power();
  const auto server = databases_.find(name);
  if (server != databases_.end()) server->second->kill(KillScope::kEverything);
  kill(name);
  its.restore_power();
}

void Sandbox::note_ended(const std::string& name, Wish wish) {
  wishes_[name] = wish;
  std::filesystem::remove(pid_file(name));
}

void Sandbox::pause(const std::string& name) {
  with_part(name, [](auto& part) { part.pause(); });
}

void Sandbox::resume(const std::string& name) {
  with_part(name, [](auto& part) { part.resume(); });
}

bool Sandbox::is_running(const std::string& name) {
  return with_part(name, [](auto& part) { return part.is_running(); });
}

Host& Sandbox::host() {
  if (!host_) {
    host_.emplace(spec_.directory / "host");
    coordinator().keep_environment(host_->environment());
  }
  return *host_;
}

LoopDisk& Sandbox::disk(const std::string& name) {
  const auto found = disks_.find(name);
  if (found == disks_.end()) throw SandboxError(name + " has no disk of its own");
  return *found->second;
}

void Sandbox::start_databases() {
  for (const auto& participant : spec_.participants) start(database_name(participant.name));
}

void Sandbox::start_agents() {
  for (const auto& participant : spec_.participants) start(agent_name(participant.name));
}

void Sandbox::start_coordinator() {
  start(kCoordinator);
}

void Sandbox::start_all() {
  start_databases();
  start_agents();
  start_coordinator();
  wait_for_links();
}

void Sandbox::wait_for_links(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (const auto& participant : spec_.participants) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    // What coordinator/server/agent_link writes when an agent has welcomed it.
    if (coordinator().wait_for_log({"participant=" + participant.name + " ", " connected "}, left))
      continue;
    throw SandboxError("the coordinator has no link to " + agent_name(participant.name) +
                       "; the end of its log:\n" + tail_of(log_file(kCoordinator)) +
                       "and of the agent's:\n" + tail_of(log_file(agent_name(participant.name))));
  }
}

void Sandbox::stop_all() {
  std::string troubles;
  for (const auto& name : names()) {  // coordinator, agents, databases
    if (!was_made(name)) continue;
    try {
      stop(name);
    } catch (const SandboxError& error) {
      troubles += std::string(error.what()) + "\n";  // the others must stop all the same
    }
  }
  if (!troubles.empty()) throw SandboxError(troubles);
}

bool Sandbox::was_made(const std::string& name) const {
  return databases_.count(name) > 0 || services_.count(name) > 0;
}

void Sandbox::remove() {
  disks_.clear();
  for (auto& [name, server] : databases_) server->remove();
  std::filesystem::remove_all(spec_.directory);
}

std::vector<PartStatus> Sandbox::status() {
  std::vector<PartStatus> all;
  for (const auto& name : names()) all.push_back(status_of(name));
  return all;
}

PartStatus Sandbox::status_of(const std::string& name) {
  if (!was_made(name)) return {name, "not started", 0, 0};
  return with_part(name, [&](auto& part) {
    const bool runs = part.is_running();
    PartStatus status{name, "not started", part.pid(), part.spec().port};
    if (runs) {
      status.state = "running";
    } else if (wishes_[name] == Wish::kStop) {
      status.state = "stopped";
    } else if (wishes_[name] == Wish::kKill) {
      status.state = "killed";
    } else if (part.end()) {
      status.state = "ended by itself: " + part.end()->describe();
    }
    return status;
  });
}

std::vector<std::string> Sandbox::reap() {
  std::vector<std::string> ended;
  for (const auto& name : names()) {
    const bool expected = wishes_[name] == Wish::kRun;
    if (!expected || !std::filesystem::exists(pid_file(name)) || is_running(name)) continue;
    std::filesystem::remove(pid_file(name));
    ended.push_back(name);
  }
  return ended;
}

}  // namespace assent::live
