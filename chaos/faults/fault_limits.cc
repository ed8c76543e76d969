// What a process needs of its host runs out: connections to a database, file descriptors.

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"
#include "chaos/load/use.h"

namespace assent::live {
namespace {

// The database ends the agent's sessions and lets it have no more: one at most on MariaDB, where 0
// means any number.
class NoConnections : public SandboxFault {
  std::string name() const override { return "connections"; }

  std::string aim(workload::Random& random, Site&) override {
    at_ = random.one_of(sandbox().spec().participants);
    return "db-" + at_.name + ", for its agent";
  }
  std::vector<std::string> parts() const override { return {"db-" + at_.name}; }

  void start(Scene&) override {
    const std::string user = sandbox().database(at_.name).account(Role::kAgent).user;
    if (at_.kind == DatabaseKind::kPostgres) {
      query("ALTER ROLE " + user + " CONNECTION LIMIT 0; SELECT pg_terminate_backend(pid) FROM " +
            "pg_stat_activity WHERE usename = '" + user + "';");
    } else {
      query("ALTER USER " + user + "@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1; KILL USER " + user +
            ";");
    }
  }
  void heal(Scene&) override {
    const std::string user = sandbox().database(at_.name).account(Role::kAgent).user;
    query(at_.kind == DatabaseKind::kPostgres
              ? "ALTER ROLE " + user + " CONNECTION LIMIT -1;"
              : "ALTER USER " + user + "@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0;");
  }

  void query(const std::string& sql) { sandbox().database(at_.name).query(at_.name, sql); }

  Participant at_;
};

// A process of ours can open nothing more: no socket, no file. It may end of it, if it needs one to
// keep what it promised.
class NoDescriptors : public OfOnePart {
  std::string name() const override { return "descriptors"; }
  bool ends_parts() const override { return true; }

  std::vector<std::string> candidates() const override {
    std::vector<std::string> ours{"coordinator"};
    for (const Participant& each : sandbox().spec().participants)
      ours.push_back("agent-" + each.name);
    return ours;
  }

  void start(Scene&) override {
    const auto use = use_of(pid());
    if (!use) return;  // it has just ended
    change_limit(static_cast<rlim_t>(use->descriptors), &before_);
  }
  void heal(Scene& scene) override {
    if (scene.site.is_running(part()))
      change_limit(before_.rlim_cur, nullptr);
    else
      scene.site.launch(part());
  }

  pid_t pid() {
    return part() == "coordinator"
               ? sandbox().coordinator().pid()
               : sandbox().agent(part().substr(std::string("agent-").size())).pid();
  }

  void change_limit(rlim_t most, rlimit* before) {
    rlimit now{};
    if (::prlimit(pid(), RLIMIT_NOFILE, nullptr, &now) == 0) {
      if (before != nullptr) *before = now;
      now.rlim_cur = most;
      if (::prlimit(pid(), RLIMIT_NOFILE, &now, nullptr) == 0) return;
    }
    if (errno != ESRCH)
      throw SandboxError("cannot limit the descriptors of " + part() + ": " + std::strerror(errno));
  }

  rlimit before_{};
};

}  // namespace

std::unique_ptr<Fault> make_no_connections() {
  return std::make_unique<NoConnections>();
}

std::unique_ptr<Fault> make_no_descriptors() {
  return std::make_unique<NoDescriptors>();
}

}  // namespace assent::live
