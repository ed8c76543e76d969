#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

/// Clients that pay one after another for a while, and what that came to.

namespace assent::bench {

/// One client: a connection or two, used by the thread that made it.
class Payer {
 public:
  virtual ~Payer() = default;
  /// One point payment, between random cards, from the wish to the answer. Throws when it is not
  /// committed.
  virtual void pay() = 0;
};

struct LoadResult {
  double payments_per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  std::map<std::string, double> busy_us;  ///< CPU a payment, by process
};

/// CPU microseconds used so far, by process.
using CpuReader = std::function<std::map<std::string, double>()>;

/// Runs `clients` threads, each with its own payer made by `make_payer(number)`; half a second of
/// warm-up is not counted. What a payer throws ends the run and is thrown here.
LoadResult run_load(int clients, double seconds,
                    const std::function<std::unique_ptr<Payer>(int)>& make_payer,
                    const CpuReader& read_cpu);

}  // namespace assent::bench
