#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chaos/workload/checker.h"
#include "chaos/workload/random.h"
#include "chaos/workload/transaction.h"

/// A new workload is one file workload_X.cc with a class of this kind, and a line in workloads.h.
/// It names a table and what makes it, and draws transactions that change the table's values and
/// say which marks they leave; everything else (calling, duplicates, clients that vanish, reading
/// the tables, judging marks and outcomes) is the same for all. See workload_transfers.cc.

namespace assent::workload {

/// What a workload keeps in every participant: rows of a number and a value.
struct Table {
  std::string name;
  std::string id;
  std::string value;
};

class Workload {
 public:
  /// `run` stands in every key: a coordinator that remembers another run must not take one for the
  /// other. May be empty where it remembers nothing.
  explicit Workload(std::string run) : run_(std::move(run)) {}
  virtual ~Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  /// A word. Its transactions' keys begin with it and a '-'.
  virtual std::string name() const = 0;

  virtual Table table() const = 0;

  /// The statements that make the table and its rows in one participant, as both databases
  /// understand them; none: the sandbox has it. The ledger is there.
  virtual std::vector<std::string> setup_sql(const std::string& participant) const = 0;

  /// The next transaction, drawn from nothing but `random` and what was drawn before. Never twice
  /// the same key.
  virtual Transaction draw(Random& random) = 0;

  /// What must hold of the tables at the end, besides check_rows: unless told otherwise,
  /// check_balances. `before` and `after` have the values of this workload's table as balances,
  /// and its rows of the ledgers.
  virtual std::vector<Violation> check_state(const Evidence& before, const History& history,
                                             const Evidence& after, const Damaged& damaged) const;

 protected:
  /// "transfers-17", or with a run "transfers-5f3a-17".
  std::string next_key();

 private:
  const std::string run_;
  std::uint64_t drawn_ = 0;
};

}  // namespace assent::workload
