#include "protocol/base/outcome.h"

#include "protocol/base/check.h"

namespace assent {

std::string_view to_string(Vote vote) {
  switch (vote) {
    case Vote::kPrepared:
      return "prepared";
    case Vote::kReadOnly:
      return "read_only";
    case Vote::kRolledBack:
      return "rolled_back";
    case Vote::kUnknown:
      return "unknown";
  }
  check_failed(__FILE__, __LINE__, "a Vote");
}

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::kCommit:
      return "commit";
    case Decision::kRollback:
      return "rollback";
  }
  check_failed(__FILE__, __LINE__, "a Decision");
}

std::string_view to_string(Completion completion) {
  switch (completion) {
    case Completion::kCommitted:
      return "committed";
    case Completion::kRolledBack:
      return "rolled_back";
    case Completion::kStillPrepared:
      return "still_prepared";
    case Completion::kCannotTell:
      return "cannot_tell";
    case Completion::kUnreached:
      return "unreached";
  }
  check_failed(__FILE__, __LINE__, "a Completion");
}

std::string_view to_string(Evidence evidence) {
  switch (evidence) {
    case Evidence::kNone:
      return "none";
    case Evidence::kListed:
      return "listed";
    case Evidence::kDatabaseAnswer:
      return "database_answer";
    case Evidence::kTransactionStatus:
      return "transaction_status";
    case Evidence::kWitnessRow:
      return "witness_row";
    case Evidence::kNoWitnessRow:
      return "no_witness_row";
    case Evidence::kNeverPrepared:
      return "never_prepared";
  }
  check_failed(__FILE__, __LINE__, "an Evidence");
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCommitted:
      return "committed";
    case Outcome::kRolledBack:
      return "rolled_back";
    case Outcome::kInProgress:
      return "in_progress";
    case Outcome::kUnknown:
      return "unknown";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kExpired:
      return "expired";
    case Outcome::kNoRecord:
      return "no_record";
  }
  check_failed(__FILE__, __LINE__, "an Outcome");
}

std::string_view to_string(Heuristic heuristic) {
  switch (heuristic) {
    case Heuristic::kCommitted:
      return "heuristic commit";
    case Heuristic::kRolledBack:
      return "heuristic rollback";
    case Heuristic::kHazard:
      return "heuristic hazard";
  }
  check_failed(__FILE__, __LINE__, "a Heuristic");
}

std::string_view to_string(Allowance allowance) {
  switch (allowance) {
    case Allowance::kPresume:
      return "presume";
    case Allowance::kHistory:
      return "history";
    case Allowance::kClock:
      return "clock";
    case Allowance::kViolation:
      return "violation";
  }
  check_failed(__FILE__, __LINE__, "an Allowance");
}

}  // namespace assent
