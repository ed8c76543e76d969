#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chaos/workload/workload.h"

/// Every workload that there is. `participants`: names of those that it is to use, at least two.
/// `run`: see Workload.

namespace assent::workload {

/// Point payments between random cards of two participants, either way: takes points here, and as
/// many there. On the sandbox's cards.
std::unique_ptr<Workload> make_points(std::vector<std::string> participants, std::string run = "");

/// Money moves between accounts of all participants, and stays the same altogether.
std::unique_ptr<Workload> make_transfers(std::vector<std::string> participants,
                                         std::string run = "");

/// FoundationDB's Cycle: nodes in all participants, each with a `next`. A transaction reads its way
/// along and swaps two neighbours; half of a swap would break the ring.
std::unique_ptr<Workload> make_ring(std::vector<std::string> participants, std::string run = "");

std::vector<std::unique_ptr<Workload>> make_workloads(const std::vector<std::string>& participants,
                                                      const std::string& run = "");

}  // namespace assent::workload
