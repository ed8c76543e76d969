#include "tests/bench/load.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace assent::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kWarmUpTime = std::chrono::milliseconds(500);

enum class Phase { kWarmUp, kMeasured, kOver };

double milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

struct Shared {
  std::atomic<Phase> phase{Phase::kWarmUp};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<double> latencies_ms;

  void fail(std::exception_ptr why) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = why;
    phase = Phase::kOver;
  }
};

/// Whoever leaves, also by an exception, ends the clients before they are waited for.
class Ending {
 public:
  explicit Ending(Shared& shared) : shared_(shared) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  ~Ending() { shared_.phase = Phase::kOver; }

 private:
  Shared& shared_;
};

void pay_until_over(Payer& payer, Shared& shared) {
  std::vector<double> latencies_ms;
  for (Phase phase = shared.phase; phase != Phase::kOver; phase = shared.phase) {
    const auto begun = Clock::now();
    payer.pay();
    if (phase == Phase::kMeasured) latencies_ms.push_back(milliseconds(Clock::now() - begun));
  }
  const std::lock_guard lock(shared.mutex);
  shared.latencies_ms.insert(shared.latencies_ms.end(), latencies_ms.begin(), latencies_ms.end());
}

double quantile(std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1));
  return sorted[index];
}

}  // namespace

LoadResult run_load(int clients, double seconds,
                    const std::function<std::unique_ptr<Payer>(int)>& make_payer,
                    const CpuReader& read_cpu) {
  Shared shared;
  std::barrier connected(clients + 1);
  std::vector<std::jthread> threads;
  const Ending ending(shared);
  for (int number = 0; number < clients; ++number) {
    threads.emplace_back([&, number] {
      std::unique_ptr<Payer> payer;
      try {
        payer = make_payer(number);
      } catch (...) {
        shared.fail(std::current_exception());
      }
      connected.arrive_and_wait();
      try {
        if (payer) pay_until_over(*payer, shared);
      } catch (...) {
        shared.fail(std::current_exception());
      }
    });
  }
  connected.arrive_and_wait();
  std::this_thread::sleep_for(kWarmUpTime);
  const auto cpu_before = read_cpu();
  const auto begun = Clock::now();
  Phase expected = Phase::kWarmUp;
  shared.phase.compare_exchange_strong(expected, Phase::kMeasured);
  while (milliseconds(Clock::now() - begun) < seconds * 1000 && shared.phase == Phase::kMeasured)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double measured_s = milliseconds(Clock::now() - begun) / 1000;
  const auto cpu_after = read_cpu();
  shared.phase = Phase::kOver;
  threads.clear();
  if (shared.failure) std::rethrow_exception(shared.failure);

  auto& latencies = shared.latencies_ms;
  std::sort(latencies.begin(), latencies.end());
  const auto count = static_cast<double>(std::max<std::size_t>(latencies.size(), 1));
  LoadResult result{count / measured_s, quantile(latencies, 0.5), quantile(latencies, 0.99), {}};
  for (const auto& [process, us] : cpu_after)
    result.busy_us[process] = (us - cpu_before.at(process)) / count;
  return result;
}

}  // namespace assent::bench
