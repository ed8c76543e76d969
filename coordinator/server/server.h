#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "coordinator/log/decision_log.h"
#include "coordinator/server/agents.h"
#include "coordinator/server/clients.h"
#include "coordinator/server/driver.h"
#include "coordinator/server/options.h"
#include "coordinator/server/ports.h"
#include "protocol/channel/turn.h"

namespace assent::coordinator {

/// assentd: sessions, links and the core in turns; what a batch of the log has decided goes on
/// where it became durable.
class Server final : private HostPort {
 public:
  /// Reads the token files and takes the port. An error: the configuration asks for what can't be
  /// had; nothing was changed.
  static Result<std::unique_ptr<Server>> make(const ServerOptions& options);

  /// Opens the decision log, which raises its epoch. After `make`, once. kInvalid: the
  /// configuration does not fit what the log holds unfinished (section 6).
  Result<> open_log();

  /// Serves until SIGTERM or SIGINT (true) or until the log fails (false). After `open_log`, once.
  /// The signal drains: no new work, what is unfinished is finished as far as databases can be
  /// reached within the drain timeout. A second signal ends at once.
  bool run();

  const Address& address() const { return clients_.address(); }

 private:
  explicit Server(const ServerOptions& options);

  Result<> read_tokens();
  DecisionLog::Listener log_listener();
  void connect_agents();
  void take_signals();
  void on_signal();
  void wait_for_drain(Duration left);
  void tell_what_holds_up();
  void stop_sessions();
  void watch_disk();
  std::optional<Error> no_space() const;

  Now now() override;
  void wake_at(std::optional<Instant> due) override;
  void note(const Note& note) override;
  void later(std::function<void()> call) override;
  void beside(std::function<Result<>()> work, std::function<void(Result<>)> done) override;
  void drained() override;
  void halt(const Error& why) override;

  void arm(Instant due);
  void on_timer();

  const ServerOptions options_;
  std::map<std::string, std::string> tokens_;  ///< by participant

  boost::asio::io_context io_{1};
  Turn turn_{io_};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;     ///< of the core's deadlines
  boost::asio::steady_timer patience_;  ///< with what is under way when stopping
  boost::asio::steady_timer disk_;      ///< until the next look at its space
  Clients clients_;
  Agents agents_;
  std::unique_ptr<DecisionLog> log_;
  std::unique_ptr<Driver> driver_;

  std::optional<Instant> due_;    ///< what the core wants
  std::optional<Instant> armed_;  ///< what the timer is set to, never later than due_
  enum class Stop { kNo, kDraining, kClosing } stop_ = Stop::kNo;
  std::vector<std::string> holding_up_;  ///< as last told
  bool space_ = true;
  boost::asio::thread_pool beside_{1};  ///< last: its work uses the others, and ends first
};

}  // namespace assent::coordinator
