#pragma once

#include <string>
#include <vector>

#include "chaos/workload/checker.h"
#include "protocol/base/time.h"

/// Whether decisions were durable before they were told, by what was seen from outside.

namespace assent::workload {

/// Of the decision log, and successful: from before it was asked for until it had returned.
struct Sync {
  Instant began;
  Instant ended;
};

struct CommitSent {
  std::string gtrid;
  Instant voted;  ///< not after the coordinator had the last vote
  Instant sent;   ///< not before the first commit message left it
};

///   I8 between the last vote and the first commit of each transaction lies a whole sync: the
///      record can't be older than the vote, and has to be durable before the message
/// A sync on behalf of others may lie there by accident. Under load, and with syncs that take long,
/// a coordinator that does not wait is seen soon all the same.
std::vector<Violation> check_durability(std::vector<Sync> syncs,
                                        const std::vector<CommitSent>& commits);

}  // namespace assent::workload
