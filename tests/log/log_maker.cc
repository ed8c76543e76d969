// Makes a log of many transactions quickly, for whoever measures what length costs: each is a
// commit of two branches, with a key, and its end. Thousands share a sync. ./log_maker FOLDER
// TRANSACTIONS

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "coordinator/log/leveldb_log.h"
#include "tests/log/example_records.h"
#include "tests/log/reports.h"

int main(int argc, char** argv) {
  using namespace assent;
  if (argc != 3) return 2;
  const auto start = std::chrono::steady_clock::now();
  testing::Reports reports;
  auto opened = coordinator::LevelDbLog::open({.dir = argv[1]}, reports.listener());
  if (!opened) {
    fmt::print("{}\n", opened.error().message);
    return 1;
  }
  auto& log = **opened;
  const auto& opening = log.opening();
  const std::uint64_t last = std::strtoull(argv[2], nullptr, 10);
  constexpr std::uint64_t kBatch = 5'000;
  for (std::uint64_t next = 1; next <= last;) {
    const auto end = std::min(next + kBatch - 1, last);
    for (; next <= end; ++next) {
      const auto commit = testing::example_commit(opening.log_id, opening.epoch, next);
      const auto now = read_clocks().wall;
      log.append_forced(commit, now, coordinator::LogToken{next});
      log.append(testing::end_of(commit), now);
    }
    if (!reports.wait_for(end) || !reports.failures().empty()) return 3;
  }
  const auto stats = log.stats();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  fmt::print("{} transactions, {} records, {} bytes, {:.0f} bytes a transaction, {:.1f} s\n", last,
             stats.newest, stats.bytes,
             static_cast<double>(stats.bytes) / static_cast<double>(last), elapsed.count());
}
