#pragma once

#include <cstdint>
#include <string>

#include "coordinator/core/record.h"

namespace assent::testing {

inline constexpr WallTime kExampleTime{1'700'000'000'000};

// The i-th of our example decisions, with the key "key-<i>" and two branches.
coordinator::CommitRecord example_commit(LogId log_id, Epoch epoch, std::uint64_t i);
coordinator::RollbackRecord example_rollback(LogId log_id, Epoch epoch, std::uint64_t i);
// The second branch was rolled back by foreign hands.
coordinator::HeuristicRecord example_heuristic(LogId log_id, Epoch epoch, std::uint64_t i);
coordinator::EndRecord end_of(const coordinator::CommitRecord& commit);
std::string example_key(std::uint64_t i);

}  // namespace assent::testing
