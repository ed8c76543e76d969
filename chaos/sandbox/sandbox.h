#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/proxy/proxy.h"
#include "chaos/sandbox/database_server.h"
#include "chaos/sandbox/host.h"
#include "chaos/sandbox/loop_disk.h"
#include "chaos/sandbox/service.h"

// A whole Assent on one machine: private databases, an agent for each, a coordinator; all on
// loopback, all in one folder, all children of whoever holds the Sandbox. The command
// assent-sandbox, demo, integration tests, benchmark and chaos stand on this class.
//
//   DIR/sandbox             what the sandbox consists of; its presence says that DIR is one
//   DIR/env                 addresses for a shell, to be sourced
//   DIR/pids/NAME.pid       of what runs
//   DIR/log/NAME.log
//   DIR/config/             coordinator.toml, agent-X.toml, agent-X.token
//   DIR/coordinator/        the decision log
//   DIR/db-X/               a database
//   DIR/host                what the coordinator sees of its host, if that is ever changed
//
// Names of its parts: coordinator, agent-X and db-X for each participant X. Ports: the coordinator
// has base_port, the agents follow in the order of the participants, the databases from base + 11.
namespace assent::live {

// The tables of a participant's database, 10,000 rows with ids from 1, and a `ledger` in each.
enum class Schema {
  kCards,  // card(id, points): 100 points each
  kBills,  // bill(card_id, due): 1000 each
};

struct Participant {
  std::string name;  // of the participant and of its database
  DatabaseKind kind = DatabaseKind::kPostgres;
  Schema schema = Schema::kCards;

  bool operator==(const Participant&) const = default;
};

// `points` with the cards and `payments` with the bills.
std::vector<Participant> points_and_payments(DatabaseKind points, DatabaseKind payments);

struct SandboxSpec {
  std::filesystem::path directory;  // made if it is not there
  std::uint16_t base_port = 7400;
  std::vector<Participant> participants;  // 1 to 10
  bool dies_with_owner = true;            // ProcessSpec has the same, with its word about threads

  // For tests; none of it is kept in the folder.
  std::map<std::string, int> disks;  // MiB of a disk of its own (loop_disk.h), by name of the part
  std::map<std::string, std::map<std::string, std::string>> database_settings;  // by participant
  bool changes_host = false;         // host() holds from the coordinator's first start on
  std::string coordinator_settings;  // further lines behind [coordinator] in coordinator.toml
  std::string agent_settings;        // further lines behind [agent] in every agent's file
  std::string database_section;      // further lines behind [database] in every agent's file
  std::optional<std::uint64_t> proxy_seed;  // set: a proxy stands on every link, see proxy()
};

struct PartStatus {
  std::string name;
  std::string state;  // "running", "stopped", "killed", "not started", or how it ended by itself
  pid_t pid = 0;      // 0: it does not run
  std::uint16_t port = 0;
};

// Used by one thread. A verb that fails throws SandboxError and leaves the other parts as they
// were.
class Sandbox {
 public:
  explicit Sandbox(SandboxSpec spec);

  // What the folder holds, in the words of read_spec; empty when it is no sandbox.
  static std::optional<SandboxSpec> read_spec(const std::filesystem::path& directory);

  // Ends everything at once, as by SIGKILL. The folder stays.
  ~Sandbox() = default;
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // Makes folder, configuration, databases with schema and rows; the databases run afterwards.
  // Throws with nothing changed when the folder has other content.
  void create();

  // In this order; what runs already is left alone. Each returns when all of them are ready.
  void start_databases();
  void start_agents();
  void start_coordinator();
  void start_all();  // and the coordinator has a link to every agent

  // Throws when there is an agent to which this start of the coordinator has not had a link within
  // the timeout. Until then work for that participant is refused.
  void wait_for_links(std::chrono::milliseconds timeout = std::chrono::seconds(30));

  // Orderly, in the opposite order.
  void stop_all();

  // Removes the folder. Everything must be stopped.
  void remove();

  // NAME is a part; an unknown one is refused with the list of names.
  void start(const std::string& name);
  // The same without waiting until a coordinator or an agent serves: an agent may have to wait for
  // its database. A database is ready when this returns.
  void launch(const std::string& name);
  void stop(const std::string& name);
  void kill(const std::string& name);
  void pause(const std::string& name);
  void resume(const std::string& name);
  bool is_running(const std::string& name);

  // What the coordinator sees of its host; holds for its starts after the first call.
  Host& host();

  // Of a part that has one, see SandboxSpec.
  LoopDisk& disk(const std::string& name);

  // The host of such a part loses its power: every process of it is gone, with all that was not
  // synced. It can be started again.
  void cut_power(const std::string& name);

  std::vector<std::string> names() const;
  std::vector<PartStatus> status();

  // Notes what ended by itself since the last call, and takes its pid file away: the names.
  std::vector<std::string> reap();

  DatabaseServer& database(const std::string& participant);
  Service& agent(const std::string& participant);
  Service& coordinator();

  std::string coordinator_address() const;  // "127.0.0.1:7400"; with a proxy, its

  // Only where the spec has a proxy_seed. Its links are called by who listens: coordinator, agent-X
  // and db-X, each between that part and who uses it. What the sandbox itself asks of a database
  // does not pass it.
  Proxy& proxy() { return *proxy_; }
  const SandboxSpec& spec() const { return spec_; }

 private:
  // What was last asked of a part.
  enum class Wish { kNothing, kRun, kStop, kKill };

  void make_proxy();
  void make_databases();
  void make_services();
  void make_service(const std::string& name, const std::filesystem::path& program,
                    std::uint16_t port);
  Service& service(const std::string& name);

  void make_folder();
  void init_databases();
  void fill_database(const Participant& participant);
  void write_configuration();
  void write_agent_configuration(std::size_t index);
  void write_environment();
  void write_spec() const;

  // Starts a part by `action`, and notes it as running.
  template <typename Action>
  void bring_up(const std::string& name, Action action);
  bool was_made(const std::string& name) const;
  PartStatus status_of(const std::string& name);
  void note_ended(const std::string& name, Wish wish);
  std::string unknown_name(const std::string& name) const;

  std::uint16_t agent_port(std::size_t index) const;
  std::uint16_t database_port(std::size_t index) const;
  std::uint16_t port_to(const std::string& part, std::uint16_t own) const;
  std::filesystem::path config_file(const std::string& part, const char* suffix) const;
  std::filesystem::path log_file(const std::string& part) const;
  std::filesystem::path pid_file(const std::string& part) const;

  // Calls `action` with the DatabaseServer or Service of that name.
  template <typename Action>
  auto with_part(const std::string& name, Action action);

  SandboxSpec spec_;
  std::unique_ptr<Proxy> proxy_;
  std::optional<Host> host_;
  std::map<std::string, std::unique_ptr<LoopDisk>> disks_;            // outlive who uses them
  std::map<std::string, std::unique_ptr<DatabaseServer>> databases_;  // by name of the part
  std::map<std::string, Service> services_;                           // by name of the part
  std::map<std::string, Wish> wishes_;                                // by name of the part
};

}  // namespace assent::live
