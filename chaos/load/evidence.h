#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/evidence.h"
#include "chaos/workload/log_evidence.h"
#include "chaos/workload/workload.h"

// What stands in a sandbox's databases, read straight from them.
namespace assent::live {

// Every database must run. Locks are looked for by taking them (FOR UPDATE SKIP LOCKED): a payment
// under way at this moment may meet one of ours. Throws SandboxError.
workload::Evidence read_evidence(Sandbox& sandbox);

// The same for each workload, in their order: the values of its table as balances, and its rows of
// the ledgers. What is prepared or locked, and rows of no workload, are with the first.
std::vector<workload::Evidence> read_evidence(
    Sandbox& sandbox, const std::vector<std::unique_ptr<workload::Workload>>& workloads);

// Reads until no branch is prepared and no row locked, or the time is over; returns the last look.
workload::Evidence read_when_quiet(Sandbox& sandbox, std::chrono::milliseconds patience);

// Every prepared branch of this participant's database server, ours or not.
std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant);
std::vector<std::string> prepared_branches(DatabaseServer& server, const std::string& database);

// The witness rows that a participant still has; none where its database needs none.
std::vector<workload::WitnessRow> read_witnesses(Sandbox& sandbox, const Participant& participant);

}  // namespace assent::live
