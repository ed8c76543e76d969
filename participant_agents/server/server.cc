#include "participant_agents/server/server.h"

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>

#include "participant_agents/core/refusal.h"
#include "participant_agents/server/hello_check.h"
#include "participant_agents/server/random_bits.h"
#include "protocol/base/crash_point.h"

namespace assent::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kConnectionsMax = 64;
/// One try; another agent that was killed just now still holds the lock for a moment.
constexpr Duration kLockWait = seconds(2);
constexpr Duration kPredecessorWait = seconds(5);
constexpr Duration kStopMax = seconds(10);

IncarnationSettings settings_of(const Options& options) {
  IncarnationSettings settings;
  settings.participant = options.database.participant;
  settings.kind = options.database.kind == rm::Kind::kPostgres ? "postgres" : "mariadb";
  settings.link_grace = options.link_grace;
  settings.sessions.work_sessions = options.work_sessions;
  settings.sessions.finish_sessions = options.finish_sessions;
  settings.sessions.queue_max = options.queue_max;
  settings.sessions.finish_timeout = options.database.call_timeout;
  settings.control_timeout = options.database.call_timeout;
  return settings;
}

}  // namespace

Server::Server(Options options)
    : options_(std::move(options)),
      manager_(rm::make_resource_manager(options_.database)),
      links_(turn_.executor(), {.judge = [this](const Hello& hello) { return judge(hello); },
                                .tell =
                                    [this](Event event) {
                                      if (life_ && life_->serves()) life_->handle(std::move(event));
                                    }}),
      out_of_control_(refusal(ErrorCode::kParticipantUnavailable, "it has just been started")),
      backoff_(milliseconds(100), seconds(2), random_bits),
      next_life_(turn_.executor()),
      stop_deadline_(turn_.executor()),
      signals_(turn_.executor(), SIGTERM, SIGINT),
      begun_(std::chrono::steady_clock::now()) {}

Result<> Server::run(const std::function<void(const Address&)>& ready) {
  ready_ = ready;
  if (auto listening = listen(); !listening) return listening.error();
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) stop();
  });
  turn_.run([this] { begin_life(); });                   // its threads may be quick
  const auto stays = boost::asio::make_work_guard(io_);  // every end stops it
  io_.run();
  turn_.close();
  if (failure_) return *failure_;
  return {};
}

Result<> Server::listen() {
  auto opened = Listener::open(
      turn_.executor(), options_.listen, kConnectionsMax,
      [this](std::unique_ptr<Transport> transport) { links_.accept(std::move(transport)); });
  if (!opened) return opened.error();
  listener_ = std::move(*opened);
  crash_point("agent.start.listening");
  return {};
}

std::optional<Error> Server::judge(const Hello& hello) const {
  if (auto error = check_hello(options_, hello)) return error;
  if (life_ && life_->serves()) return std::nullopt;
  return refusal(ErrorCode::kParticipantUnavailable,
                 "the agent is not in control of its database: " + out_of_control_.message);
}

// ---------------------------------------------------------------- one life after another

void Server::begin_life() {
  if (stopping_) return;
  life_ = std::make_unique<IncarnationLife>(
      turn_, *manager_, links_, settings_of(options_), kLockWait,
      IncarnationLife::Hooks{.serving = [this] { on_serving(); },
                             .ending = [this](const Error& why) { on_life_ending(why); },
                             .over =
                                 [this](Error why) {
                                   // It calls from its own depths.
                                   turn_.run_later(
                                       [this, why = std::move(why)] { on_life_over(why); });
                                 }});
}

void Server::on_serving() {
  spdlog::info("in control of the database");
  backoff_.reset();
  crash_point("agent.start.serving");
  if (!std::exchange(served_, true)) ready_(listener_->address());
}

void Server::on_life_ending(const Error& why) {
  spdlog::warn("this incarnation ends: {}", why.message);
  out_of_control_ = why;
  links_.close_all(why);
}

void Server::on_life_over(const Error& why) {
  life_.reset();
  crash_point(stopping_ ? CrashPoint("agent.stop.control_left")
                        : CrashPoint("agent.incarnation.over"));
  if (stopping_) return finish(std::nullopt);
  if (is_final(why)) return finish(why);
  go_on_after(why);
}

/// Once it has served, everything is worth another try: what holds the lock may be its own lost
/// session.
bool Server::is_final(const Error& why) const {
  if (served_) return false;
  if (why.code == ErrorCode::kFenced) {
    return std::chrono::steady_clock::now() - begun_ > kPredecessorWait;
  }
  return why.code == ErrorCode::kDatabaseUnfit || why.code == ErrorCode::kInvalid;
}

void Server::go_on_after(const Error& why) {
  if (out_of_control_.message != why.message) {
    spdlog::warn("not in control of the database, trying on: {}", why.message);
  }
  out_of_control_ = why;
  next_life_.expires_after(backoff_.next());
  next_life_.async_wait([this](const boost::system::error_code& error) {
    if (!error) begin_life();
  });
}

void Server::stop() {
  spdlog::info("stopping");
  crash_point("agent.stop.asked");
  stopping_ = true;
  listener_.reset();
  next_life_.cancel();
  const Error why = refusal(ErrorCode::kStopping, "the agent is stopping");
  links_.close_all(why);
  if (!life_) return finish(std::nullopt);
  stop_deadline_.expires_after(kStopMax);
  stop_deadline_.async_wait([](const boost::system::error_code& error) {
    if (error) return;
    // A thread stands in a driver that can't be called back (F 11): it can't be joined.
    spdlog::error("the database does not answer: stopped without seeing its sessions gone");
    spdlog::shutdown();
    std::_Exit(EXIT_FAILURE);
  });
  life_->end(why);
}

void Server::finish(std::optional<Error> error) {
  failure_ = std::move(error);
  listener_.reset();
  signals_.cancel();
  io_.stop();
}

}  // namespace assent::agent
