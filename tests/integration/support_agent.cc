#include "tests/integration/support_agent.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace assent::testing {
namespace {

constexpr int kPatienceMs = 30'000;

}  // namespace

// ---------------------------------------------------------------- link

RawLink::RawLink(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  __builtin_memcpy(&generic, &address, sizeof address);
  if (::connect(socket_, &generic, sizeof generic) != 0) {
    ::close(socket_);
    throw std::runtime_error("no agent listens on port " + std::to_string(port));
  }
}

RawLink::~RawLink() {
  ::close(socket_);
}

void RawLink::send_frame(std::string& frame, std::size_t begun) {
  if (!end_frame(frame, begun)) throw std::runtime_error("the message is too long for a frame");
  std::string_view rest = frame;
  while (!rest.empty()) {
    const auto count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error("the agent has closed the link");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool RawLink::wait_for_bytes(int ms) {
  pollfd wanted{socket_, POLLIN, 0};
  return ::poll(&wanted, 1, ms) > 0;
}

std::optional<FromAgent> RawLink::receive() {
  while (true) {
    auto body = reader_.next();
    if (!body) throw std::runtime_error(body.error().message);
    if (*body) {
      auto message = decode_from_agent(**body);
      if (!message) throw std::runtime_error(message.error().message);
      return std::move(*message);
    }
    if (!wait_for_bytes(kPatienceMs)) throw std::runtime_error("the agent does not answer");
    const auto room = reader_.room();
    const auto count = ::recv(socket_, room.data(), room.size(), 0);
    if (count <= 0) return std::nullopt;
    reader_.filled(static_cast<std::size_t>(count));
  }
}

// ---------------------------------------------------------------- house

AgentHouse::AgentHouse(live::DatabaseKind kind)
    : database_([&] {
        live::DatabaseSpec spec;
        spec.name = "db-points";
        spec.directory = folder_.path() / "db-points";
        spec.log_file = folder_.path() / "db-points.log";
        spec.port = static_cast<std::uint16_t>(ports_.first() + 1);
        spec.dies_with_owner = true;
        return live::DatabaseServer::make(kind, spec);
      }()),
      agent_({}) {
  database_->init();
  database_->start();
  database_->create_database("points");
  std::string rows;
  for (int card = 1; card <= 100; ++card) {
    rows += (rows.empty() ? "(" : ",(") + std::to_string(card) + ",100)";
  }
  database_->query("points",
                   "CREATE TABLE card (id int PRIMARY KEY, points int NOT NULL CHECK (points >= "
                   "0)); INSERT INTO card VALUES " +
                       rows + ";",
                   live::Role::kApplication);
  write_config("");
}

void AgentHouse::write_config(const std::string& agent_lines, const std::string& database_lines) {
  agent_ = live::Service(agent_spec("agent", port(), agent_lines, database_lines));
}

live::Service AgentHouse::second_agent() {
  return live::Service(
      agent_spec("second", static_cast<std::uint16_t>(ports_.first() + 2), "", ""));
}

live::ServiceSpec AgentHouse::agent_spec(const std::string& name, std::uint16_t port,
                                         const std::string& agent_lines,
                                         const std::string& database_lines) {
  const auto token = folder_.path() / "points.token";
  const auto config = folder_.path() / (name + ".toml");
  std::ofstream(token) << kToken << "\n";
  std::filesystem::permissions(
      token, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::ofstream(config) << "[agent]\nparticipant = \"points\"\nlisten = \"127.0.0.1:" << port
                        << "\"\n"
                        << agent_lines << "\n[database]\nkind = \""
                        << live::to_string(database_->kind()) << "\"\nconnection = \""
                        << database_->odbc_connection("points") << "\"\n"
                        << database_lines << "\n[[coordinator]]\nname = \"pay\"\ntoken_file = \""
                        << token.string() << "\"\n";
  live::ServiceSpec spec;
  spec.name = name;
  spec.argv = {ASSENT_BINARY_DIR "/participant_agents/server/assent-agentd", "--config",
               config.string()};
  spec.log_file = folder_.path() / (name + ".log");
  spec.port = port;
  spec.dies_with_owner = true;
  return spec;
}

std::string AgentHouse::points(int card) {
  return database_->query_value("points",
                                "SELECT points FROM card WHERE id = " + std::to_string(card) + ";");
}

std::size_t AgentHouse::prepared_branches() {
  const bool postgres = database_->kind() == live::DatabaseKind::kPostgres;
  return database_->query("points", postgres ? "SELECT gid FROM pg_prepared_xacts;" : "XA RECOVER;")
      .size();
}

bool AgentHouse::is_free(int card) {
  return !database_
              ->query("points", "SELECT id FROM card WHERE id = " + std::to_string(card) +
                                    " FOR UPDATE SKIP LOCKED;")
              .empty();
}

bool AgentHouse::is_waiting_for_a_lock() {
  const bool postgres = database_->kind() == live::DatabaseKind::kPostgres;
  return !database_
              ->query("points", postgres ? "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = "
                                           "'Lock' AND usename = 'assent';"
                                         : "SELECT 1 FROM information_schema.processlist WHERE "
                                           "user = 'assent' AND info LIKE '%UPDATE card%';")
              .empty();
}

void AgentHouse::end_agent_sessions() {
  if (database_->kind() == live::DatabaseKind::kPostgres) {
    database_->query("points",
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                     "'assent';");
  } else {
    database_->query("points", "KILL USER assent;");
  }
}

// ---------------------------------------------------------------- coordinator

Hello TestCoordinator::hello() {
  Hello hello;
  hello.coordinator = "pay";
  hello.token = kToken;
  hello.participant = "points";
  hello.log_id = LogId{0xA55E};
  hello.epoch = Epoch{1};
  hello.opening_nonce = 77;
  return hello;
}

TestCoordinator::TestCoordinator(AgentHouse& house, Hello hello)
    : hello_(std::move(hello)), link_(house.port()) {
  link_.send(hello_);
  const auto answer = link_.receive();
  if (!answer) throw std::runtime_error("the agent closed the link before it answered the hello");
  if (const auto* refused = std::get_if<Refused>(&*answer)) {
    throw std::runtime_error("hello refused: " + refused->error.message);
  }
  welcome_ = std::get<Welcome>(*answer);
  incarnation = welcome_.incarnation;
}

Xid TestCoordinator::xid(std::uint64_t sequence) const {
  return {{hello_.log_id, hello_.epoch, Sequence{sequence}}, "points"};
}

Work TestCoordinator::work(std::uint64_t sequence, int card, AfterWork then) const {
  Work work;
  work.xid = xid(sequence);
  work.statements.push_back(
      {"UPDATE card SET points = points - 1 WHERE id = ?", {std::int64_t{card}}, 1});
  work.then = then;
  work.lock_wait = std::chrono::seconds(20);
  work.deadline = std::chrono::seconds(20);
  return work;
}

AgentReply TestCoordinator::receive_any() {
  auto answer = link_.receive();
  if (!answer) throw std::runtime_error("the agent has closed the link");
  return std::get<AgentReply>(std::move(*answer));
}

Voted TestCoordinator::prepare_work(std::uint64_t sequence, int card) {
  send(work(sequence, card));
  return receive<Voted>();
}

Finished TestCoordinator::commit(std::uint64_t sequence, const BranchProof& proof) {
  send(Commit{xid(sequence), proof});
  return receive<Finished>();
}

Finished TestCoordinator::roll_back(std::uint64_t sequence,
                                    const std::optional<BranchProof>& proof) {
  send(Rollback{xid(sequence), proof});
  return receive<Finished>();
}

Error refusal_of(AgentHouse& house, const Hello& hello) {
  RawLink link(house.port());
  link.send(hello);
  const auto answer = link.receive();
  if (!answer) throw std::runtime_error("the agent closed the link without a word");
  const Error error = std::get<Refused>(*answer).error;
  if (link.receive()) throw std::runtime_error("the agent goes on after a refusal");
  return error;
}

}  // namespace assent::testing
