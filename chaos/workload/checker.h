#pragma once

#include <string>
#include <vector>

#include "chaos/workload/evidence.h"
#include "chaos/workload/history.h"

/// The judge: looks from outside, at what was told and at what stands in the databases, and trusts
/// nothing that Assent says about itself.

namespace assent::workload {

struct Violation {
  std::string invariant;  ///< "I1" .. "L2", as below
  std::string what;       ///< a sentence: key, participant, expected and found
};

/// Judges a run that is over: nobody pays any more, and everything has been healed.
///   I1 atomicity: a payment is in all its ledgers or in none, known outcome or not
///   I2 every acknowledged commit is there, as it was asked
///   I3 nothing else is: nothing rolled back or refused, nothing that nobody asked for
///   I4 money is conserved: each balance fell by what its ledger says, every participant gave what
///      the payments took, no balance is below zero
///   I5 exactly once per key
///   I6 nobody was told two outcomes, and no outcome was forgotten
///   L1 no prepared branch is left    L2 no lock is left
/// `before` was read when the ledgers were empty; participants in the same order. An open payment
/// is no violation by itself: who wants none asks history.open().
std::vector<Violation> check(const Evidence& before, const History& history, const Evidence& after);

}  // namespace assent::workload
