#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/client/begin_result.h"
#include "coordinator/client/client_options.h"
#include "coordinator/client/open_transaction.h"
#include "coordinator/client/submission.h"
#include "protocol/base/result.h"
#include "protocol/message/client.h"

/// The client library for ordinary programs: every call blocks until it has its answer. A program
/// that lives on an Asio executor takes coordinator/client/async_client.h instead.

namespace assent {

class Transaction;

/// A connection to the coordinator. It has no thread of its own: a call drives the connection in
/// the caller's thread. So one thread uses a Client at a time; several threads take one Client
/// each. When the connection breaks, the next call makes a new one.
///
/// What an Answer says (R15):
///   kCommitted   every step took effect; `applied` false: `pending` names participants that have
///                yet to be told, which the coordinator goes on doing
///   kRolledBack  nothing of it took effect, and never will under this key; `error` says why
///   kRefused     this call had no effect, the key stays free (error kBusy, kConflict,
///                kParticipantUnavailable, kConnectionLost or kTimeout before anything was sent
///                ...)
///   kInProgress, kUnknown   not decided, or cannot be told from here: ask outcome_of(key) later
///   kExpired     past not_after, no effect;  kNoRecord   nothing is known of the key now
/// With kCommitted and kRolledBack `damaged` names participants whose branch stands against that
/// all the same (X/Open's heuristic outcomes): a person has to mend it.
class Client {
 public:
  /// Connects at once. An error: the coordinator can't be reached or speaks another version; no
  /// effect.
  static Result<Client> connect(ClientOptions options = {});

  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  /// The whole transaction in one message. When the connection breaks or the coordinator restarts,
  /// the library sends it again under the same key until the timeout: exactly once all the same. So
  /// it does while a coordinator that has just started can't tell of any key. No other answer is
  /// retried: busy and conflict come back to the caller. kUnknown only when the timeout passed
  /// before that, when decisions are missing from the coordinator's log, or when it came back with
  /// another one, which can't know what the first one decided.
  Answer submit(Submission submission);

  /// Opens a transaction whose statements are sent one by one. `key` as in Submission, but here
  /// empty means none. A key that is already paid for opens nothing: its outcome comes back
  /// (begin_result.h).
  BeginResult<Transaction> begin(std::string key = {}, Duration timeout = {});

  /// What became of a key? kUnknown with kConnectionLost: could not be asked.
  Answer outcome_of(std::string key);
  /// Binds an undecided key to rolled back, durably; then answers what holds from now on.
  Answer settle(std::string key);

  /// For people and tools. An error: could not be asked; no effect.
  Result<TransactionList> transactions();
  Result<TransactionShown> transaction(const Gtrid& gtrid);
  Result<ParticipantList> participants();
  Result<InDoubtList> in_doubt(ListInDoubt list = {});
  Result<StoryTold> story(const TellStory& tell);
  Result<CoordinatorStatus> status();

  /// For people and tools that change something. An error: could not be asked; its effect says
  /// whether it may have been done all the same.
  Result<ActionTold> act(ActionRequest request);
  Result<CoordinatorStatus> drain(bool drain);

 private:
  friend class Transaction;
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

/// An interactive transaction, used in its Client's thread. Locks are taken in the order of the
/// statements, so two of them may meet in a deadlock: kConflict, roll back and begin again.
class Transaction {
 public:
  /// Rolls back what was not committed, and waits for that; a dropped connection does the same.
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;

  const Gtrid& gtrid() const { return open_.gtrid; }

  /// One statement. After an error only rollback is left (R8): nothing of the transaction takes
  /// effect.
  Result<StatementResult> execute(Step step);
  Result<StatementResult> execute(std::string participant, std::string sql,
                                  std::vector<Value> params = {});

  /// As Client::submit, but never sent twice: when the answer is lost the key is asked about until
  /// the timeout, and without a key the answer is kUnknown. kRefused with kConnectionLost: the
  /// connection had ended before, nothing of the transaction takes effect and the key stays free.
  Answer commit(WaitFor wait = WaitFor::kApplied, Duration timeout = {});
  /// kRolledBack: the coordinator says so, and a key is bound to it. kRefused as in commit.
  /// kUnknown with effect none: the answer was lost; nothing of the transaction takes effect, only
  /// whether its key is free can't be told.
  Answer rollback();
  // After either the transaction is over, and may only be destroyed.

 private:
  friend class Client;
  Transaction(std::shared_ptr<Client::Impl> client, OpenTransaction open);

  std::shared_ptr<Client::Impl> client_;  ///< null: over
  OpenTransaction open_;
};

}  // namespace assent
