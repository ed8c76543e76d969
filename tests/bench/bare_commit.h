#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/bench/load.h"

/// The yardstick: the point payment done by hand. A client with its own connections straight to
/// both databases prepares and commits in parallel and keeps a minimal decision log, written with
/// others' records in one go. No coordinator, no agents, no recovery, no safety: a bound for what a
/// transaction manager can reach, not a product.

namespace assent::bench {

/// 64 bytes a decision, forced before `force` returns; who comes first writes for all who wait. Any
/// thread.
class BareLog {
 public:
  explicit BareLog(const std::filesystem::path& file);
  ~BareLog();
  void force(const std::string& record);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

struct BareTarget {
  bool mariadb = false;
  std::uint16_t port = 0;
  std::string database;
  std::string user;
  std::string password;
  std::string update;  ///< the statement, up to the id
};

/// Three round trips a branch: work; prepare, once its result was seen; commit.
std::unique_ptr<Payer> make_bare_payer(const BareTarget& points, const BareTarget& payments,
                                       BareLog& log, int number, std::int64_t rows);

}  // namespace assent::bench
