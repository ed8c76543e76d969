#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "participant_agents/rm/resource_manager.h"
#include "participant_agents/server/coordinator_links.h"
#include "participant_agents/server/incarnation.h"
#include "participant_agents/server/options.h"
#include "protocol/base/result.h"
#include "protocol/channel/backoff.h"
#include "protocol/channel/tcp.h"
#include "protocol/channel/turn.h"

namespace assent::agent {

/// assent-agentd: listens to its coordinators and lives one incarnation after another. When control
/// of the database is lost it drops its links and sessions, forgets everything and takes control
/// anew, as if it were restarted (R9).
class Server {
 public:
  explicit Server(Options options);

  /// Serves until SIGTERM or SIGINT (no error), or until it can't begin: the address is taken
  /// (kIo), the database is unfit for two-phase commit (kDatabaseUnfit), or another agent has it in
  /// control and keeps it (kFenced). A database that can't be reached is waited for. `ready` is
  /// called once, with the address where it listens.
  Result<> run(const std::function<void(const Address&)>& ready);

 private:
  Result<> listen();
  void begin_life();
  void on_serving();
  void on_life_ending(const Error& why);
  void on_life_over(const Error& why);
  void go_on_after(const Error& why);
  bool is_final(const Error& why) const;
  void stop();
  void finish(std::optional<Error> error);
  std::optional<Error> judge(const Hello& hello) const;

  const Options options_;
  boost::asio::io_context io_{1};
  Turn turn_{io_};
  std::unique_ptr<rm::ResourceManager> manager_;
  CoordinatorLinks links_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<IncarnationLife> life_;
  Error out_of_control_;  ///< why there is no serving incarnation, for those who ask
  Backoff backoff_;
  boost::asio::steady_timer next_life_;
  boost::asio::steady_timer stop_deadline_;
  boost::asio::signal_set signals_;
  std::function<void(const Address&)> ready_;
  std::chrono::steady_clock::time_point begun_;
  bool served_ = false;
  bool stopping_ = false;
  std::optional<Error> failure_;
};

}  // namespace assent::agent
