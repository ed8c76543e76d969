// The crash test's victim: appends decisions one after another and prints the number of each as
// soon as it is durable. ./log_writer FOLDER LAST

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "coordinator/log/leveldb_log.h"
#include "tests/log/example_records.h"
#include "tests/log/reports.h"

int main(int argc, char** argv) {
  using namespace assent;
  if (argc != 3) return 2;
  testing::Reports reports;
  auto opened = coordinator::LevelDbLog::open({.dir = argv[1]}, reports.listener());
  if (!opened) {
    fmt::print("{}\n", opened.error().message);
    return 1;
  }
  auto& log = **opened;
  const auto [log_id, epoch] = std::pair(log.opening().log_id, log.opening().epoch);
  fmt::print("open {} {}\n", static_cast<std::uint64_t>(log_id), static_cast<std::uint32_t>(epoch));
  std::fflush(stdout);
  const auto last = std::strtoull(argv[2], nullptr, 10);
  for (std::uint64_t i = 1; i <= last; ++i) {
    log.append_forced(testing::example_commit(log_id, epoch, i), testing::kExampleTime,
                      coordinator::LogToken{i});
    if (!reports.wait_for(i)) return 3;
    fmt::print("durable {}\n", i);
    std::fflush(stdout);
  }
}
