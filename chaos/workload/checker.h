#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "chaos/workload/evidence.h"
#include "chaos/workload/history.h"
#include "chaos/workload/injected.h"

/// The judge: looks from outside, at what was told and at what stands in the databases, and trusts
/// nothing that Assent says about itself.

namespace assent::workload {

struct Violation {
  std::string invariant;  ///< "I1" .. "L6"
  std::string what;       ///< a sentence: key, participant, expected and found
};

/// Branches, by key and participant, that a person has rolled back in the database although their
/// transaction is committed: their rows may be missing.
using Damaged = std::set<std::pair<std::string, std::string>>;

/// Of a run that is over: nobody asks for anything any more, and everything has been healed.
///   I1 atomicity: a transaction is in all its ledgers or in none, known outcome or not
///   I2 every acknowledged commit is there, as it was asked
///   I3 nothing else is: nothing rolled back or refused, nothing that nobody asked for
///   I5 exactly once per key
///   I6 nobody was told two outcomes, and no outcome was forgotten
/// An open transaction is no violation by itself: who wants none asks history.open().
std::vector<Violation> check_rows(const History& history, const Evidence& after,
                                  const Damaged& damaged = {});

///   I4 money is conserved: each balance fell by what its ledger says, every participant gave what
///      the transactions took, no balance is below zero
/// `before` was read when the ledgers were empty; participants in the same order.
std::vector<Violation> check_balances(const Evidence& before, const History& history,
                                      const Evidence& after, const Damaged& damaged = {});

///   L1 no prepared branch of ours is left    L2 no lock is left
std::vector<Violation> check_left_behind(const Evidence& after,
                                         const std::vector<ForeignBranch>& foreign = {});

/// All of these, where nothing was done behind Assent's back.
std::vector<Violation> check(const Evidence& before, const History& history, const Evidence& after);

}  // namespace assent::workload
