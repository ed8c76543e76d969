#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "tests/integration/support_house.h"

/// A house whose payments are all written down, so that the checker can judge it at any quiet
/// moment.

namespace assent::testing {

class Till {
 public:
  explicit Till(Setup setup, const House::Adjust& adjust = {});

  House& house() { return house_; }
  live::Sandbox& sandbox() { return house_.sandbox(); }

  /// `clients` pay `payments` random payments, some of which have to fail. They begin at once and
  /// go on trying while the house is down.
  std::unique_ptr<live::Payers> pay(int payments, int clients = 4);

  /// Waits for the payers, starts what has ended by itself, asks for every open outcome. Then what
  /// is wrong, a line for each; empty: both or neither everywhere, every answer kept, nothing
  /// prepared or locked, one more payment commits, and no process ended in a way not asked for.
  std::string settle_up(live::Payers& payers);

 private:
  /// Empty when a payment commits within kPatience now that everything has healed.
  std::string why_not_one_more();
  workload::Payment draw();

  House house_;
  const workload::Evidence before_;
  workload::History history_;
  std::mt19937_64 random_{20260721};  // any; the same in each run
  int drawn_ = 0;
  int more_ = 0;
};

}  // namespace assent::testing
