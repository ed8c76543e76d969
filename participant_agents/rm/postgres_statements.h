#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "participant_agents/rm/statement_cache.h"
#include "protocol/base/result.h"

/// What PostgreSQL keeps prepared for one session, so that it neither parses nor plans it again:
/// our proof, and the statements that come a second time (docs/decisions/0011). Everything is said
/// in SQL, PREPARE and EXECUTE, since it goes into a message together with other statements. Only
/// the words: who sends them is the session. One thread at a time.

namespace assent::rm {

/// Asks for the row of a prepared branch: its transaction id, what widens it to 64 bits, and the
/// WAL position behind it (F 1, F 4). In one column, which costs both sides less than three. Asks
/// the function, not the four times dearer view.
std::string ask_for_proof(std::string_view gid);

struct ProofNumbers {
  std::uint64_t transaction = 0;  ///< its lower 32 bits
  std::uint64_t snapshot_xmax = 0;
  std::uint64_t wal_position = 0;
};
/// kStatementFailed: that is no such row, so it proves nothing.
Result<ProofNumbers> read_proof(std::string_view row);

class PostgresStatements {
 public:
  /// A statement with parameters of given types. One that has run as it is with literals is worth
  /// preparing; one that can't be prepared stays as it is.
  struct Form {
    enum class State : std::uint8_t { kNew, kHasRun, kPrepared, kOnlyLiteral };
    State state = State::kNew;
    std::string name;
  };

  /// Makes the server keep our proof, and nothing else. To be sent when a session is opened.
  static std::string prepare_proof();
  static std::string execute_proof(std::string_view gid);
  /// Is this the server's word that it does not have our proof (any more)?
  static bool is_about_proof(std::string_view message);

  /// What `forget_all` needs to have been sent before it.
  static std::string let_go_of_all();
  void forget_all() { forms_.clear(); }
  /// The server keeps as many as it may (R14): before another is prepared, forget all.
  bool keeps_its_most() const { return kept() >= kRememberedMax; }
  /// As many that the server does not keep are remembered, and one more found no room. To forget
  /// them costs the server nothing.
  void forget_unkept_if_full();

  /// nullptr: such a statement is never prepared, or there is no room to remember it. Valid until
  /// something is forgotten.
  Form* form_of(const ReadyStatement& statement);

  /// Makes the server keep the form, which gets its name; answers with one row and column: true if
  /// it means what it means with literals.
  std::string prepare(Form& form, const ReadyStatement& statement);
  /// As it goes into a message.
  static std::string say(const Form* form, const ReadyStatement& statement);

 private:
  std::size_t kept() const;

  std::unordered_map<std::string, Form> forms_;  ///< by text and types of the parameters
  bool is_full_ = false;                         ///< one that is not kept found no room
  std::uint64_t last_name_ = 0;
};

}  // namespace assent::rm
