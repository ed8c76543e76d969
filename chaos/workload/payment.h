#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/workload/transaction.h"

/// Point payments, as the sandbox's tables are made for (chaos/sandbox/schema.h): each lowers a
/// balance in every participant that it names.

namespace assent::workload {

/// The table whose balance a leg lowers.
enum class Balance {
  kPoints,  ///< card.points
  kDue,     ///< bill.due
};

/// The part of a payment that one participant does.
struct Leg {
  std::string participant;
  Balance balance = Balance::kPoints;
  std::int64_t id = 0;  ///< card.id, bill.card_id
};

struct Payment {
  std::string key;  ///< idempotency key, and tx_key in the ledgers
  std::int64_t amount = 0;
  std::vector<Leg> legs;  ///< one for each participant

  /// A payment is a transaction, told in fewer words.
  operator Transaction() const;  // NOLINT(google-explicit-constructor)
};

/// The payment of the story: points of a card in `points`, its bill in `payments`.
Payment point_payment(std::string key, std::int64_t card, std::int64_t amount);

/// For each leg: lower the balance if it is high enough (expect_rows 1), and one row in the ledger.
std::vector<Step> steps_of(const Payment& payment);

}  // namespace assent::workload
