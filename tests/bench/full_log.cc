#include "tests/bench/full_log.h"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/log/leveldb_log.h"
#include "protocol/base/time.h"

namespace assent::bench {
namespace {

/// Appended before the next wait: the log's queue is as long at most.
constexpr std::uint64_t kTransactionsInFlight = 5'000;

/// Waits until what was appended is durable.
class Waiter {
 public:
  coordinator::DecisionLog::Listener listener() {
    return {[this](const std::vector<coordinator::LogToken>& tokens) { told(tokens, {}); },
            [this](const Error& error) { told({}, error.message); }};
  }

  void wait_for(coordinator::LogToken token) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return newest_ >= token || !failure_.empty(); });
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }

 private:
  void told(const std::vector<coordinator::LogToken>& tokens, const std::string& failure) {
    const std::lock_guard lock(mutex_);
    if (!tokens.empty()) newest_ = tokens.back();
    failure_ = failure;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  coordinator::LogToken newest_{};
  std::string failure_;
};

coordinator::CommitRecord payment(const coordinator::LogOpening& opening, std::uint64_t number) {
  const Gtrid gtrid{opening.log_id, opening.epoch, Sequence{number}};
  coordinator::CommitRecord commit;
  commit.gtrid = gtrid;
  commit.key = "order-" + std::to_string(number);
  for (std::size_t i = 0; i < commit.request_hash.size(); ++i) {
    commit.request_hash[i] = static_cast<std::uint8_t>(number * 2654435761U >> i);
  }
  commit.branches = {{{gtrid, "stamps"}, {{"7301234567890123456/16384", 1, number}, number, false}},
                     {{gtrid, "invoices"}, {{"c0ffee00c0ffee00", 0, 0}, 0, true}}};
  return commit;
}

std::uint64_t bytes_in(const std::filesystem::path& dir) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

std::uint64_t make_full_log(const std::filesystem::path& dir, std::uint64_t records) {
  Waiter waiter;
  {
    auto log = coordinator::LevelDbLog::open({.dir = dir}, waiter.listener());
    if (!log) throw std::runtime_error(log.error().message);
    const coordinator::LogOpening& opening = (*log)->opening();
    const std::uint64_t transactions = records / 2;
    for (std::uint64_t i = 1; i <= transactions; ++i) {
      const WallTime now = read_clocks().wall;
      const coordinator::LogToken token{i};
      coordinator::CommitRecord commit = payment(opening, i);
      coordinator::EndRecord end;
      end.gtrid = commit.gtrid;
      (*log)->append_forced(std::move(commit), now, token);
      (*log)->append(std::move(end), now);
      if (i % kTransactionsInFlight == 0 || i == transactions) waiter.wait_for(token);
    }
  }
  return bytes_in(dir);
}

}  // namespace assent::bench
