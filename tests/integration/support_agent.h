#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "chaos/sandbox/database_server.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/service.h"
#include "protocol/message/agent.h"
#include "protocol/wire/convert.h"
#include "protocol/wire/frame.h"
#include "tests/support/temporary_folder.h"

/// One agent on its private database, and a link by which the test is its coordinator.

namespace assent::testing {

inline constexpr std::string_view kToken = "a-token-of-this-test";

/// A blocking link. Whatever does not come within the test's patience is thrown.
class RawLink {
 public:
  explicit RawLink(std::uint16_t port);
  ~RawLink();
  RawLink(const RawLink&) = delete;
  RawLink& operator=(const RawLink&) = delete;

  template <typename Message>
  void send(const Message& message) {
    std::string frame;
    const std::size_t begun = begin_frame(frame);
    encode(message, frame);
    send_frame(frame, begun);
  }

  /// nullopt: the agent has closed the link.
  std::optional<FromAgent> receive();

 private:
  void send_frame(std::string& frame, std::size_t begun);
  bool wait_for_bytes(int ms);

  int socket_ = -1;
  FrameReader reader_{kFrameBytesMax};
};

/// The database with its `card` table, 100 points on each of the cards 1 to 100, and an agent for
/// it, called points.
class AgentHouse {
 public:
  explicit AgentHouse(live::DatabaseKind kind);

  void write_config(const std::string& agent_lines, const std::string& database_lines = {});

  live::DatabaseServer& database() { return *database_; }
  live::Service& agent() { return agent_; }
  /// Another agent of the same configuration on another port.
  live::Service second_agent();

  std::uint16_t port() const { return ports_.first(); }
  std::string points(int card);
  /// Branches that the database holds prepared.
  std::size_t prepared_branches();
  /// Somebody else could change the card now.
  bool is_free(int card);
  bool is_waiting_for_a_lock();
  /// Every session of the agent's account, as an administrator may.
  void end_agent_sessions();

 private:
  live::ServiceSpec agent_spec(const std::string& name, std::uint16_t port,
                               const std::string& agent_lines, const std::string& database_lines);

  TemporaryFolder folder_;
  live::PortLease ports_{3};
  std::unique_ptr<live::DatabaseServer> database_;
  live::Service agent_;
};

/// A coordinator with one link: log 0xA55E, epoch 1, unless told.
class TestCoordinator {
 public:
  static Hello hello();

  /// Connects and is welcomed.
  explicit TestCoordinator(AgentHouse& house, Hello hello = TestCoordinator::hello());

  RawLink& link() { return link_; }
  const Welcome& welcome() const { return welcome_; }

  Xid xid(std::uint64_t sequence) const;
  /// Takes one point from a card.
  Work work(std::uint64_t sequence, int card, AfterWork then = AfterWork::kPrepare) const;

  template <typename Body>
  void send(Body body) {
    AgentRequest request;
    request.incarnation = incarnation;
    request.lowest_unfinished = {hello_.log_id, hello_.epoch, Sequence{1}};
    request.body = std::move(body);
    link_.send(request);
  }
  /// The next answer, which has to be one of these.
  template <typename Body>
  Body receive() {
    return std::get<Body>(receive_any().body);
  }

  Voted prepare_work(std::uint64_t sequence, int card);
  Finished commit(std::uint64_t sequence, const BranchProof& proof);
  Finished roll_back(std::uint64_t sequence,
                     const std::optional<BranchProof>& proof = std::nullopt);

  Incarnation incarnation{};

 private:
  AgentReply receive_any();

  Hello hello_;
  RawLink link_;
  Welcome welcome_;
};

/// The answer to this hello on a link of its own: the refusal, and then the end.
Error refusal_of(AgentHouse& house, const Hello& hello);

}  // namespace assent::testing
