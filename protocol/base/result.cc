#include "protocol/base/result.h"

#include <stdexcept>

#include "protocol/base/check.h"

namespace assent {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kUnknownParticipant:
      return "unknown_participant";
    case ErrorCode::kStatementNotAllowed:
      return "statement_not_allowed";
    case ErrorCode::kKeyReused:
      return "key_reused";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kParticipantUnavailable:
      return "participant_unavailable";
    case ErrorCode::kGuardNotMet:
      return "guard_not_met";
    case ErrorCode::kStatementFailed:
      return "statement_failed";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kExpired:
      return "expired";
    case ErrorCode::kRolledBackByCaller:
      return "rolled_back_by_caller";
    case ErrorCode::kSettled:
      return "settled";
    case ErrorCode::kWrongIncarnation:
      return "wrong_incarnation";
    case ErrorCode::kTooOld:
      return "too_old";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kFenced:
      return "fenced";
    case ErrorCode::kUnsupportedVersion:
      return "unsupported_version";
    case ErrorCode::kNoSuchTransaction:
      return "no_such_transaction";
    case ErrorCode::kConnectionLost:
      return "connection_lost";
    case ErrorCode::kDatabaseUnfit:
      return "database_unfit";
    case ErrorCode::kHazard:
      return "hazard";
    case ErrorCode::kStopping:
      return "stopping";
    case ErrorCode::kLogUnavailable:
      return "log_unavailable";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kStepsDiffer:
      return "steps_differ";
  }
  check_failed(__FILE__, __LINE__, "an ErrorCode");
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) +
                         ": the value of a failed Result was taken: " + error.message);
}

}  // namespace assent
