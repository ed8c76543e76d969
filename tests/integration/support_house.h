#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chaos/load/evidence.h"
#include "chaos/load/payers.h"
#include "chaos/sandbox/ports.h"
#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/checker.h"
#include "chaos/workload/payment.h"
#include "coordinator/client/client.h"
#include "tests/support/temporary_folder.h"

/// A whole Assent on loopback, with short verbs, so that each integration test reads as a story.

namespace assent::testing {

using live::DatabaseKind;

/// How long a test waits for what must come within seconds. A wait ends when the condition holds,
/// so this is only met by a test that fails.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr std::chrono::seconds kPatience{120};
#else
inline constexpr std::chrono::seconds kPatience{30};
#endif

/// The combinations that every payment story is told on, by a name for the report.
struct Setup {
  std::string name;
  std::vector<live::Participant> participants;
};
Setup postgres_and_postgres();
Setup postgres_and_mariadb();
Setup mariadb_and_mariadb();
Setup three_participants();

/// Used by the main thread; other threads take a `connect()` of their own. What goes wrong with the
/// sandbox itself is thrown and fails the test.
class House {
 public:
  using Adjust = std::function<void(live::SandboxSpec&)>;

  /// Running, with the coordinator linked to every agent. `adjust` changes the sandbox first.
  explicit House(Setup setup, const Adjust& adjust = {});
  ~House();
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  /// The one of this setup that all stories of a test program share.
  static House& shared(const Setup& setup);

  const Setup& setup() const { return setup_; }
  live::Sandbox& sandbox() { return sandbox_; }
  live::DatabaseServer& database(const std::string& participant) {
    return sandbox_.database(participant);
  }

  // ---- asking

  Client connect();
  Client& client() { return client_; }

  /// A card that no story has used yet, a key likewise.
  std::int64_t fresh_card() { return ++cards_used_; }
  std::string fresh_key();

  /// A payment of `amount` with a leg in every participant, for the same card.
  workload::Payment payment(std::int64_t card, std::int64_t amount, std::string key = {});
  static Submission submission(const workload::Payment& payment);

  // ---- looking

  /// Points or due of a card, read straight from the participant's database.
  std::int64_t balance(const std::string& participant, std::int64_t card);
  /// What the balance of every participant has lost since the start; one number, or a failed test
  /// when they differ.
  std::int64_t paid(std::int64_t card);
  /// Rows of the key in the ledger of each participant, added up.
  std::int64_t ledger_rows(const std::string& key);

  /// This participant's fence row has the top of the log as the coordinator says it is: it is told
  /// after a scan, so a little later than what the log decides.
  bool knows_log_top(Client& client, const std::string& participant);

  /// No prepared branch, no row lock, in any database, within kPatience.
  bool becomes_quiet();
  /// The same, and what it found otherwise: branches and rows, for the report.
  std::string left_behind();

  // ---- killing, starting again

  /// SIGKILL for a part of the sandbox. One that ended before at a crash point ended in the same
  /// way.
  void kill(const std::string& name, live::KillScope scope = live::KillScope::kServer);

  /// Starts what ended by itself, and waits until the coordinator is linked to every agent.
  void mend();
  bool wait_until_linked();

  /// What kill() and mend() have found, since the last call, that had ended without being asked to:
  /// an abort, say, which the next start would hide. With the end of its log; empty: nothing.
  std::string take_ended_by_itself() { return std::exchange(ended_by_itself_, {}); }

  /// The ends of all logs, for the report.
  std::string ends_of_logs();

 private:
  void note_end(const std::string& name);
  std::optional<live::ProcessEnd> end_of(const std::string& name);
  std::string end_of_log(const std::string& name) const;
  live::SandboxSpec spec(const Adjust& adjust) const;

  const Setup setup_;
  TemporaryFolder folder_;
  live::PortLease ports_{24};  // a sandbox uses base .. base + 20
  live::Sandbox sandbox_;
  Client client_;
  std::int64_t cards_used_ = 0;
  int keys_used_ = 0;
  std::string ended_by_itself_;
};

/// True when the branch may turn from false to true: asked every few milliseconds until then.
template <typename Condition>
bool comes_true(Condition condition) {
  return live::wait_until(condition, kPatience);
}

}  // namespace assent::testing
