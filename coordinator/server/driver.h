#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/log/decision_log.h"
#include "coordinator/server/ports.h"

namespace assent::coordinator {

/// Runs the core on its ports: feeds it one event at a time and carries out what it asks, in order.
/// Events that arrive meanwhile (a port calling back) wait their turn. One call at a time; knows no
/// socket, so the simulator runs the same class.
class Driver {
 public:
  /// The ports must outlive the driver. Nothing happens until `start`.
  Driver(Coordinator core, DecisionLog& log, AgentsPort& agents, ClientsPort& clients,
         HostPort& host);

  /// The log is told what time it is, the first deadline is asked for. Before any event.
  void start();

  /// `hash` and `busy` as in ClientRequested.
  void client_requested(ClientSessionId session, RequestId request, ClientRequest body,
                        const RequestHash& hash, std::optional<Error> busy = std::nullopt);
  void client_closed(ClientSessionId session);
  void agent_connected(std::string participant, Welcome welcome);
  /// `fence` as in AgentDisconnected.
  void agent_disconnected(std::string participant, Error why, FenceTold fence = {});
  void agent_replied(std::string participant, AgentReply reply);
  void time_passed();
  /// As when a person asks for it: no new work; HostPort::drained follows when all is finished.
  void drain();

  /// What a person would be told.
  CoordinatorStatus status() const;

  /// DecisionLog::Listener's reports, brought over to this thread: one call for each.
  void log_durable(const std::vector<LogToken>& tokens);
  /// Drops every event still waiting: nobody is answered after this (R12).
  void log_failed(const Error& why);

  /// For people: why all new work is refused before it gets here; nullopt: it is not.
  void work_refused(std::optional<Error> why) { work_refused_ = std::move(why); }
  std::uint64_t given_up_to() const { return core_.given_up_to(); }
  bool halted() const { return halted_; }

 private:
  void happen(Event event);
  void run_waiting();
  void take(Event event);
  /// False: the log could not say what it holds; the client has been told so.
  bool look_up(ClientRequested& requested);
  /// False: the log could not say what it holds; the driver has halted.
  bool look_up(OutcomesFound& outcomes);
  void carry_out(Effect& effect);
  void carry_out_send(SendToAgent& send);
  void carry_out_reply(ReplyToClient& reply);
  void carry_out_append(AppendForced& append);
  void carry_out_append(AppendUnforced& append);
  void carry_out_find(FindDecision& find);
  void carry_out_find(FindCommits find);
  void carry_out_copy(CopyLog& copy);
  void complete(CoordinatorStatus& status) const;

  Coordinator core_;
  DecisionLog& log_;
  AgentsPort& agents_;
  ClientsPort& clients_;
  HostPort& host_;

  std::deque<Event> waiting_;
  bool running_ = false;
  bool halted_ = false;
  std::optional<Error> work_refused_;
};

}  // namespace assent::coordinator
