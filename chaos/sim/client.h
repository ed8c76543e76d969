#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "chaos/sim/coordinator.h"
#include "chaos/sim/link.h"
#include "chaos/sim/world.h"

namespace assent::sim {

/// A client's connection to the coordinator: one question at a time, and made anew when it is lost.
class Client {
 public:
  using FindCoordinator = std::function<Coordinator*()>;
  /// nullopt: none came, and whether the question arrived is not known.
  using Answered = std::function<void(std::optional<ClientReply>)>;

  Client(const Process& process, Links& links, const Weather& weather, FindCoordinator find);

  /// False: nobody listens, and nothing was asked.
  bool ask(ClientRequest question, Answered answered);
  /// The answer is wanted no more.
  void give_up();
  /// Who was asked last.
  const Coordinator* asked() const { return coordinator_; }

 private:
  void connect(Coordinator& coordinator);
  void on_reply(coordinator::RequestId request, const ClientReply& reply);
  void on_silence(std::uint64_t request);
  void on_lost();

  const Process& process_;
  Links& links_;
  const Weather& weather_;
  const FindCoordinator find_;
  std::shared_ptr<Link> link_;
  Coordinator* coordinator_ = nullptr;  ///< at the other end of link_
  coordinator::ClientSessionId session_{};
  std::uint64_t request_ = 0;  ///< under way; 0: none
  std::uint64_t last_request_ = 0;
  Answered answered_;
};

}  // namespace assent::sim
