#include "coordinator/tools/exit_status.h"

namespace assent::tools {
namespace {

/// Sending the same again can't succeed.
bool is_bad_input(ErrorCode code) {
  return code == ErrorCode::kInvalid || code == ErrorCode::kStatementNotAllowed ||
         code == ErrorCode::kUnknownParticipant || code == ErrorCode::kKeyReused;
}

}  // namespace

ExitStatus status_of_submit(const Answer& answer) {
  switch (answer.outcome) {
    case Outcome::kCommitted:
      return ExitStatus::kCommitted;
    case Outcome::kRolledBack:
      return ExitStatus::kRolledBack;
    case Outcome::kInProgress:
    case Outcome::kUnknown:
      return ExitStatus::kUnknown;
    case Outcome::kRefused:
      return answer.error && is_bad_input(answer.error->code) ? ExitStatus::kBadInput
                                                              : ExitStatus::kRefused;
    case Outcome::kExpired:
      return ExitStatus::kExpired;
    case Outcome::kNoRecord:
      return ExitStatus::kNoRecord;
  }
  return ExitStatus::kUnknown;
}

ExitStatus status_of_outcome(const Answer& answer) {
  const ExitStatus status = status_of_submit(answer);
  return status == ExitStatus::kRefused ? ExitStatus::kUnknown : status;
}

}  // namespace assent::tools
