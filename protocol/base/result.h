#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

/// Result<T>: what can go wrong in a healthy program. What cannot is ASSENT_CHECK (check.h).

namespace assent {

/// What was wrong. On the wire by number: never renumber, only add (docs/PROTOCOL.md).
enum class ErrorCode : std::uint8_t {
  kInvalid = 1,             ///< the request is malformed or breaks a stated bound
  kUnknownParticipant = 2,  ///< no participant of that name is configured
  kStatementNotAllowed =
      3,           ///< not one allowed statement (design section 8); it reached no database
  kKeyReused = 4,  ///< same idempotency key, other content
  kBusy = 5,       ///< a limit on transactions, branches, sessions or a queue is met (R14)
  kParticipantUnavailable = 6,  ///< no link to the agent, or the agent has no database
  kGuardNotMet = 7,             ///< a step's expect_rows was not met
  kStatementFailed = 8,         ///< the database refused a statement or the prepare: see sqlstate
  kConflict = 9,  ///< lock timeout, deadlock or serialization failure: a new try may succeed
  kTimeout = 10,  ///< a deadline passed
  kExpired = 11,  ///< past the key's not_after (R15)
  kRolledBackByCaller = 12,  ///< rollback was asked for, or the interactive session dropped
  kSettled = 13,             ///< the key was bound to rolled back by settle (R15)
  kWrongIncarnation = 14,    ///< meant for an earlier incarnation of the agent (R6)
  kTooOld = 15,              ///< work below the coordinator's lowest unfinished gtrid (R6)
  kUnauthorized = 16,        ///< no or wrong token, or a coordinator that the agent doesn't know
  kFenced = 17,              ///< a newer epoch or a longer log of this coordinator is known (R10)
  kUnsupportedVersion = 18,  ///< unknown protocol version
  kNoSuchTransaction = 19,   ///< no live transaction of that gtrid
  kConnectionLost = 20,      ///< effect unknown unless said otherwise
  kDatabaseUnfit =
      21,          ///< settings that would lose data, wrong version, wrong database (section 8)
  kHazard = 22,    ///< needs a person: outcome can't be told, or a violation was seen
  kStopping = 23,  ///< the process is draining or has stopped taking work
  kLogUnavailable = 24,  ///< the decision log cannot be read or written
  kIo = 25,              ///< file, socket or operating system error
  kStepsDiffer = 26,     ///< statement index not the next one of its branch (R7)
};

std::string_view to_string(ErrorCode code);  ///< "statement_failed", as in assentctl --json

/// Did the thing that failed change anything?
enum class Effect : std::uint8_t {
  kNone = 1,     ///< certainly not: the caller may do it again
  kDone = 2,     ///< it took place all the same
  kUnknown = 3,  ///< cannot be told from here: ask for the outcome
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  Effect effect = Effect::kNone;
  std::string message;      ///< a sentence for a person: what is wrong and what to do
  std::string participant;  ///< where, or empty
  std::string sqlstate;     ///< five characters, or empty
  std::int32_t native = 0;  ///< the database's own code, or 0
  std::int32_t step = -1;   ///< index of the step within the request, or -1

  friend bool operator==(const Error&, const Error&) = default;
};

[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

template <typename T = void>
using Result = boost::system::result<T, Error>;

}  // namespace assent
