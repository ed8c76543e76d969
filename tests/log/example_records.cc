#include "tests/log/example_records.h"

namespace assent::testing {

using coordinator::CommitRecord;
using coordinator::DecidedBranch;

std::string example_key(std::uint64_t i) {
  return "key-" + std::to_string(i);
}

CommitRecord example_commit(LogId log_id, Epoch epoch, std::uint64_t i) {
  CommitRecord record;
  record.gtrid = {log_id, epoch, Sequence{i}};
  record.key = example_key(i);
  record.request_hash.fill(static_cast<std::uint8_t>(i | 1));
  record.branches = {
      DecidedBranch{{record.gtrid, "points"},
                    {{"7301234567890123456/16384", 1, 0x1A2B3C4D}, 700 + i, false}},
      DecidedBranch{{record.gtrid, "payments"}, {{"c0ffee00c0ffee00", 0, 0}, 0, true}}};
  return record;
}

coordinator::RollbackRecord example_rollback(LogId log_id, Epoch epoch, std::uint64_t i) {
  coordinator::RollbackRecord record;
  record.gtrid = {log_id, epoch, Sequence{i}};
  record.key = example_key(i);
  record.request_hash.fill(static_cast<std::uint8_t>(i | 1));
  record.not_after = WallTime{1'800'000'000'000};
  record.reason = {.code = ErrorCode::kGuardNotMet,
                   .message = "step 0 changed 0 rows, 1 expected",
                   .participant = "points",
                   .step = 0};
  return record;
}

coordinator::HeuristicRecord example_heuristic(LogId log_id, Epoch epoch, std::uint64_t i) {
  return {.xid = {{log_id, epoch, Sequence{i}}, "payments"},
          .decision = Decision::kCommit,
          .heuristic = Heuristic::kRolledBack,
          .evidence = Evidence::kNoWitnessRow,
          .detail = "it is not listed, and its witness row is not there"};
}

coordinator::EndRecord end_of(const CommitRecord& commit) {
  return {commit.gtrid, {}};
}

}  // namespace assent::testing
