#include "coordinator/server/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "coordinator/log/leveldb_log.h"
#include "protocol/base/crash_point.h"
#include "protocol/settings/token_file.h"

namespace assent::coordinator {
namespace {

/// For requests under way when the sessions are closed.
constexpr Duration kLastAnswersMax = std::chrono::seconds(2);
constexpr Duration kTellEvery = std::chrono::seconds(1);
constexpr Duration kDiskEvery = std::chrono::seconds(1);
constexpr std::uint64_t kMiB = 1024 * 1024;

ClientWelcome welcome_of(const std::string& name, const LogOpening& opening) {
  ClientWelcome welcome;
  welcome.coordinator = name;
  welcome.log_id = opening.log_id;
  welcome.epoch = opening.epoch;
  return welcome;
}

std::map<std::string, std::string> agent_addresses(const ServerOptions& options) {
  std::map<std::string, std::string> addresses;
  for (const auto& participant : options.participants)
    addresses[participant.name] = to_string(participant.agent);
  return addresses;
}

spdlog::level::level_enum level_of(Note::Level level) {
  switch (level) {
    case Note::Level::kInfo:
      return spdlog::level::info;
    case Note::Level::kWarning:
      return spdlog::level::warn;
    case Note::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::make(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server(options));
  if (auto read = server->read_tokens(); read.has_error()) return read.error();
  if (auto taken = server->clients_.listen(options.listen); taken.has_error()) return taken.error();
  return server;
}

Server::Server(const ServerOptions& options)
    : options_(options),
      signals_(turn_.executor()),
      timer_(turn_.executor()),
      patience_(turn_.executor()),
      disk_(turn_.executor()),
      clients_(turn_.executor(), {options.sessions_max, options.session_requests_max}),
      agents_(turn_.executor()) {}

Result<> Server::read_tokens() {
  for (const auto& participant : options_.participants) {
    auto token = settings::read_token(participant.token_file);
    if (token.has_error()) return token.error();
    tokens_[participant.name] = std::move(*token);
  }
  return {};
}

Result<> Server::open_log() {
  auto log = LevelDbLog::open({.dir = options_.data_dir,
                               .restored = options_.restored,
                               .retention = options_.core.retention,
                               .copies_leave = options_.disk_free_min_mib * kMiB},
                              log_listener());
  if (log.has_error()) return log.error();
  log_ = std::move(*log);
  const LogOpening& opening = log_->opening();
  spdlog::info("log={} epoch={} top={} unfinished={} folder={}", to_string(opening.log_id),
               static_cast<std::uint32_t>(opening.epoch), opening.top, opening.unfinished.size(),
               options_.data_dir.string());
  for (const auto& sentence : opening.missing)
    spdlog::error("log: {}; nothing is presumed", sentence);
  const Past& past = opening;
  if (auto fits = check_past(options_.core, past); fits.has_error()) return fits.error();
  driver_.reset(
      new Driver(Coordinator(options_.core, past, now()), *log_, agents_, clients_, *this));
  clients_.serve(*driver_, welcome_of(options_.core.name, opening), agent_addresses(options_));
  return {};
}

bool Server::run() {
  take_signals();
  turn_.run([this] {  // the log may fail meanwhile
    driver_->start();
    watch_disk();
    connect_agents();
  });
  const auto stays = boost::asio::make_work_guard(io_);  // every end stops it
  io_.run();
  turn_.close();
  crash_point("coordinator.stop.sessions_ended");
  log_->end_copies();
  return !driver_->halted();
}

DecisionLog::Listener Server::log_listener() {
  // Called on the log's thread; one turn for a whole batch. A failure may come before there is a
  // driver: it waits for run().
  return {[this](std::vector<LogToken> tokens) {
            turn_.run([this, tokens = std::move(tokens)] { driver_->log_durable(tokens); });
          },
          [this](Error why) {
            turn_.run_from_loop([this, why = std::move(why)] { driver_->log_failed(why); });
          }};
}

void Server::connect_agents() {
  for (const auto& participant : options_.participants) {
    auto hello = [this, &participant] {
      Hello made = hello_of(log_->opening(), driver_->given_up_to());
      made.coordinator = options_.core.name;
      made.token = tokens_.at(participant.name);
      made.participant = participant.name;
      return made;
    };
    agents_.add(*driver_, participant.name, participant.agent, std::move(hello));
  }
}

void Server::take_signals() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) on_signal();
  });
}

void Server::on_signal() {
  if (stop_ != Stop::kNo) {
    spdlog::warn("stopping at once: what is unfinished goes on at the next start");
    io_.stop();
    return;
  }
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) on_signal();
  });
  stop_ = Stop::kDraining;
  spdlog::info(
      "stopping: no new work is taken, what is unfinished is finished within {} ms",
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.drain_timeout).count());
  wait_for_drain(options_.drain_timeout);
  driver_->drain();
}

void Server::wait_for_drain(Duration left) {
  patience_.expires_after(std::min(left, kTellEvery));
  patience_.async_wait([this, left](const boost::system::error_code& error) {
    if (error || stop_ != Stop::kDraining) return;
    tell_what_holds_up();
    if (left > kTellEvery) return wait_for_drain(left - kTellEvery);
    spdlog::warn("stopping all the same: what is unfinished goes on at the next start");
    stop_sessions();
  });
}

/// Once for each thing and change.
void Server::tell_what_holds_up() {
  std::vector<std::string> holding_up = driver_->status().holding_up;
  if (holding_up == holding_up_) return;
  for (const std::string& one : holding_up) spdlog::warn("stopping waits for: {}", one);
  holding_up_ = std::move(holding_up);
}

void Server::drained() {
  if (stop_ != Stop::kDraining) return;
  crash_point("coordinator.stop.drained");
  stop_sessions();
}

void Server::stop_sessions() {
  stop_ = Stop::kClosing;
  patience_.expires_after(kLastAnswersMax);
  patience_.async_wait([this](const boost::system::error_code& error) {
    if (!error) io_.stop();
  });
  clients_.drain([this] { io_.stop(); });
}

/// Once a second. The log's time goes on where nothing happens, and no deadline of the core's is
/// due. A decision that can't be written stops the process (R12), so there is to be room for those
/// under way.
void Server::watch_disk() {
  const auto why = no_space();
  if (why && space_) spdlog::error("no new work is taken: {}", why->message);
  if (!why && !space_) spdlog::info("new work is taken again: there is room for the log");
  space_ = !why;
  clients_.refuse_work(why);
  driver_->work_refused(why);
  driver_->time_passed();
  disk_.expires_after(kDiskEvery);
  disk_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watch_disk();
  });
}

std::optional<Error> Server::no_space() const {
  const std::string folder = options_.data_dir.string();
  const auto refused = [](std::string message) {
    return Error{.code = ErrorCode::kLogUnavailable, .message = std::move(message)};
  };
  std::error_code unknown;
  const auto space = std::filesystem::space(options_.data_dir, unknown);
  if (!unknown && space.available < options_.disk_free_min_mib * kMiB) {
    return refused(
        fmt::format("the file system of the decision log, {}, has {} MiB free and should have {} "
                    "(disk_free_min_mib): make room there; work is taken again at once",
                    folder, space.available / kMiB, options_.disk_free_min_mib));
  }
  if (options_.log_max_mib == 0) return std::nullopt;
  const std::uint64_t bytes = log_->stats().bytes;
  // Once refused, work is taken again only when there is room for some of it.
  const std::uint64_t most = options_.log_max_mib * kMiB;
  if (bytes < (space_ ? most : most - most / 20)) return std::nullopt;
  return refused(
      fmt::format("the decision log, {}, has {} MiB and may have {} (log_max_mib): allow it more, "
                  "or wait until outcomes are older than the retention and have left it",
                  folder, bytes / kMiB, options_.log_max_mib));
}

Now Server::now() {
  return read_clocks();
}

void Server::wake_at(std::optional<Instant> due) {
  due_ = due;
  // A timer that is early costs one look; setting it anew for each event would cost a system call.
  if (due_ && (!armed_ || *due_ < *armed_)) arm(*due_);
}

void Server::arm(Instant due) {
  armed_ = due;
  timer_.expires_after(due - read_clocks().steady);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_timer();
  });
}

void Server::on_timer() {
  armed_.reset();
  if (!due_) return;
  if (*due_ > read_clocks().steady) {
    arm(*due_);
  } else {
    driver_->time_passed();
  }
}

void Server::note(const Note& note) {
  spdlog::log(level_of(note.level), "{}", note.text);
}

void Server::later(std::function<void()> call) {
  turn_.run_from_loop(std::move(call));
}

void Server::beside(std::function<Result<>()> work, std::function<void(Result<>)> done) {
  boost::asio::post(beside_, [this, work = std::move(work), done = std::move(done)] {
    turn_.run_from_loop([done, result = work()] { done(result); });
  });
}

void Server::halt(const Error& why) {
  spdlog::critical(
      "the decision log failed: {}. What it holds is uncertain now, so nobody is answered until "
      "assentd is started again",
      why.message);
  io_.stop();
}

}  // namespace assent::coordinator
