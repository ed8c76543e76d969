#pragma once

#include <chrono>

#include "chaos/live/sandbox.h"
#include "chaos/workload/evidence.h"

// What stands in a sandbox's databases, read straight from them.
namespace assent::live {

// Every database must run. Locks are looked for by taking them (FOR UPDATE SKIP LOCKED): a payment
// under way at this moment may meet one of ours. Throws SandboxError.
workload::Evidence read_evidence(Sandbox& sandbox);

// Reads until no branch is prepared and no row locked, or the time is over; returns the last look.
workload::Evidence read_when_quiet(Sandbox& sandbox, std::chrono::milliseconds patience);

// Every prepared branch of this participant's database server, ours or not.
std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant);

}  // namespace assent::live
