#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "chaos/load/database_view.h"
#include "chaos/sandbox/sandbox.h"
#include "chaos/workload/evidence.h"
#include "chaos/workload/log_evidence.h"
#include "chaos/workload/workload.h"

// What stands in the databases, read straight from them.
namespace assent::live {

// A participant of the house that is looked at. The view is its own.
struct Looked {
  std::string participant;
  std::unique_ptr<DatabaseView> database;
};

// Every participant of a sandbox. Its databases need not run yet.
std::vector<Looked> look_at(Sandbox& sandbox);

using Workloads = std::vector<std::unique_ptr<workload::Workload>>;

// For each workload, in their order: the values of its table as balances, and its rows of the
// ledgers. What is prepared or locked, and rows of no workload, are with the first. Locks are
// looked for by taking them (FOR UPDATE SKIP LOCKED): a payment under way at this moment may meet
// one of ours. Every database must answer. Throws SandboxError.
std::vector<workload::Evidence> read_evidence(const std::vector<Looked>& all,
                                              const Workloads& workloads);

// The cards and bills of a sandbox, in the same way.
workload::Evidence read_evidence(Sandbox& sandbox);

// Reads until no branch is prepared and no row locked, or the time is over; returns the last look.
workload::Evidence read_when_quiet(Sandbox& sandbox, std::chrono::milliseconds patience);

// Every prepared branch of this participant's database server, ours or not.
std::vector<std::string> prepared_branches(DatabaseView& database);
std::vector<std::string> prepared_branches(Sandbox& sandbox, const Participant& participant);

// The witness rows that a participant still has; none where its database needs none.
std::vector<workload::WitnessRow> read_witnesses(const Looked& looked);

}  // namespace assent::live
