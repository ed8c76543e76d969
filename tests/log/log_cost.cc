// What the decision log costs: a table for people, not a test. ./log_cost [folder] [records]

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "coordinator/log/leveldb_log.h"
#include "tests/log/example_records.h"
#include "tests/log/reports.h"

namespace {

using namespace assent;
using Clock = std::chrono::steady_clock;

double cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

class Cost {
 public:
  explicit Cost(const std::filesystem::path& dir) : dir_(dir) { open(); }

  void open() {
    log_.reset();
    const auto start = Clock::now();
    auto opened = coordinator::LevelDbLog::open({.dir = dir_}, reports_.listener());
    if (!opened) {
      fmt::print("{}\n", opened.error().message);
      std::exit(1);
    }
    log_ = std::move(*opened);
    fmt::print("open: {:.0f} us, {} unfinished\n", us_since(start),
               log_->opening().unfinished.size());
  }

  // `batches` times: `waiting` commits and as many ends, then wait for all commits.
  void append(std::uint64_t waiting, std::uint64_t batches) {
    const auto before = reports_.batches();
    const auto start = Clock::now();
    const double cpu = cpu_us();
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
      const auto first = next_;
      for (std::uint64_t i = 0; i < waiting; ++i) append_one();
      for (auto i = first; i < next_; ++i) log_->append(testing::end_of(commit(i)), now());
      reports_.wait_for(next_ - 1);
    }
    const auto decisions = static_cast<double>(waiting * batches);
    fmt::print(
        "{:3} waiting: {:7.1f} us elapsed, {:6.1f} us CPU a decision (its end record included); "
        "{:.1f} decisions a batch\n",
        waiting, us_since(start) / decisions, (cpu_us() - cpu) / decisions,
        decisions / static_cast<double>(reports_.batches() - before));
  }

  void find(std::uint64_t count, const std::string& prefix, const char* what) {
    const auto start = Clock::now();
    std::uint64_t found = 0;
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto known = log_->find_key(prefix + std::to_string(i * 7919 % next_));
      if (known && *known) ++found;
    }
    fmt::print("find_key, {}: {:.2f} us ({} of {} found, {} records)\n", what,
               us_since(start) / static_cast<double>(count), found, count, next_ - 1);
  }

 private:
  static WallTime now() { return read_clocks().wall; }

  coordinator::CommitRecord commit(std::uint64_t i) const {
    return testing::example_commit(log_->opening().log_id, log_->opening().epoch, i);
  }

  void append_one() {
    log_->append_forced(commit(next_), now(), coordinator::LogToken{next_});
    ++next_;
  }

  std::filesystem::path dir_;
  testing::Reports reports_;
  std::uint64_t next_ = 1;
  std::unique_ptr<coordinator::LevelDbLog> log_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path dir = argc > 1 ? argv[1] : "log_cost.dir";
  const std::uint64_t records = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000;
  std::filesystem::remove_all(dir);
  {
    Cost cost(dir);
    for (const std::uint64_t waiting : {1U, 8U, 32U}) cost.append(waiting, 2'000 / waiting + 200);
    cost.append(1'000, records / 1'000);
    cost.find(20'000, "key-", "present");
    cost.find(20'000, "other-", "absent");
    cost.open();
    cost.find(20'000, "key-", "present, reopened");
    cost.find(20'000, "other-", "absent, reopened");
  }
  std::filesystem::remove_all(dir);
}
