#include "coordinator/core/reason.h"

#include <utility>

namespace assent::coordinator {

Outcome outcome_of_rollback(ErrorCode reason) {
  switch (reason) {
    case ErrorCode::kGuardNotMet:
    case ErrorCode::kStatementFailed:
    case ErrorCode::kRolledBackByCaller:
    case ErrorCode::kSettled:
      return Outcome::kRolledBack;
    case ErrorCode::kInvalid:
    case ErrorCode::kUnknownParticipant:
    case ErrorCode::kStatementNotAllowed:
    case ErrorCode::kKeyReused:
    case ErrorCode::kBusy:
    case ErrorCode::kParticipantUnavailable:
    case ErrorCode::kConflict:
    case ErrorCode::kTimeout:
    case ErrorCode::kExpired:
    case ErrorCode::kWrongIncarnation:
    case ErrorCode::kTooOld:
    case ErrorCode::kUnauthorized:
    case ErrorCode::kFenced:
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kNoSuchTransaction:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kDatabaseUnfit:
    case ErrorCode::kHazard:
    case ErrorCode::kStopping:
    case ErrorCode::kLogUnavailable:
    case ErrorCode::kIo:
    case ErrorCode::kStepsDiffer:
      return Outcome::kRefused;
  }
  return Outcome::kRefused;  // a code of a newer agent: never final for a key
}

Outcome outcome_of(const RollbackRecord& record) {
  return record.reason.code == ErrorCode::kExpired ? Outcome::kExpired : Outcome::kRolledBack;
}

Error reason_of(std::optional<Error> told, const std::string& participant) {
  Error reason;
  if (told) {
    reason = *std::move(told);
  } else {
    reason.code = ErrorCode::kParticipantUnavailable;
    reason.message = "the participant did not vote yes and gave no reason; look at its agent's log";
  }
  if (reason.participant.empty()) reason.participant = participant;
  reason.effect = assent::Effect::kNone;
  return reason;
}

bool needs_a_person(ErrorCode why) {
  return why == ErrorCode::kFenced || why == ErrorCode::kUnauthorized ||
         why == ErrorCode::kDatabaseUnfit || why == ErrorCode::kUnsupportedVersion;
}

}  // namespace assent::coordinator
